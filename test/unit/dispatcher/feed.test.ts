import { expect, test } from 'bun:test';
import type { FeedEvent } from '../../../src/api/schemas.ts';
import { Feed, keptMax } from '../../../src/dispatcher/feed.ts';

function event(n: number): FeedEvent {
  return { kind: 'task', id: `t${n}`, status: 'queued', at: '2026-11-21T12:00:00.000Z', worker_id: null, detail: null };
}

/** Takes down what a subscriber is told. */
class Listener {
  heard: string[] = [];

  onEntry = (entry: { id: string; event: FeedEvent }): void => {
    this.heard.push(`${entry.id} ${entry.event.id}`);
  };

  onReset = (lastId: string): void => {
    this.heard.push(`reset to ${lastId}`);
  };

  onEnd = (): void => {
    this.heard.push('end');
  };
}

function feedOf(count: number): Feed {
  const feed = new Feed('run1');
  for (let n = 1; n <= count; n++) feed.publish(event(n), null);
  return feed;
}

function listen(feed: Feed, lastId: string | null): Listener {
  const listener = new Listener();
  feed.subscribe(lastId, listener);
  return listener;
}

test('subscribe() without a position delivers what comes from now on', () => {
  const feed = feedOf(2);
  const listener = listen(feed, null);
  feed.publish(event(3), null);
  expect(listener.heard).toEqual(['run1-3 t3']);
});

test('subscribe() replays what came after the position, then goes on live, without a gap or a repeat', () => {
  const feed = feedOf(4);
  const listener = listen(feed, 'run1-2');
  feed.publish(event(5), null);
  expect(listener.heard).toEqual(['run1-3 t3', 'run1-4 t4', 'run1-5 t5']);
});

test('subscribe() at the last entry, or at the beginning, is no reset', () => {
  expect(listen(feedOf(3), 'run1-3').heard).toEqual([]);
  expect(listen(feedOf(1), 'run1-0').heard).toEqual(['run1-1 t1']);
  expect(listen(feedOf(0), 'run1-0').heard).toEqual([]);
});

test.each(['run0-2', 'run1-9', 'run1-1.5', 'run1--1', 'run1', 'nonsense', ''])(
  'subscribe() at %p resets to the present position',
  (lastId) => {
    expect(listen(feedOf(3), lastId).heard).toEqual(['reset to run1-3']);
  },
);

test('subscribe() reaches back as far as is kept, and no further', () => {
  const feed = feedOf(keptMax + 10);
  expect(listen(feed, 'run1-9').heard).toEqual([`reset to run1-${keptMax + 10}`]);
  const { heard } = listen(feed, 'run1-10');
  expect(heard).toHaveLength(keptMax);
  expect(heard[0]).toBe('run1-11 t11');
  expect(heard.at(-1)).toBe(`run1-${keptMax + 10} t${keptMax + 10}`);
});

test('what subscribe() returns ends the subscription, also while an entry is delivered', () => {
  const feed = feedOf(0);
  const heard: string[] = [];
  const end = feed.subscribe(null, {
    onEntry: ({ id }) => {
      heard.push(id);
      end();
    },
    onReset: () => undefined,
    onEnd: () => heard.push('end'),
  });
  feed.publish(event(1), null);
  feed.publish(event(2), null);
  feed.close();
  expect(heard).toEqual(['run1-1']);
});

test('close() ends every subscription once', () => {
  const feed = feedOf(0);
  const [one, two] = [listen(feed, null), listen(feed, null)];
  feed.close();
  feed.close();
  feed.publish(event(1), null);
  expect([one.heard, two.heard]).toEqual([['end'], ['end']]);
});
