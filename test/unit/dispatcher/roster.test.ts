import { expect, test } from 'bun:test';
import { Roster, rosterPauseMs } from '../../../src/dispatcher/roster.ts';
import type { DispatcherLink } from '../../../src/ports/links.ts';
import type { DispatcherMessage, RosterEntry } from '../../../src/wire/messages.ts';
import { ManualClock } from '../manual-clock.ts';

const entry = (id: string): RosterEntry => ({ id, name: id, publicKey: id.repeat(64).slice(0, 64) });

function scene() {
  const clock = new ManualClock();
  const members = [entry('a')];
  let changes = 0;
  let kept: readonly RosterEntry[] = [];
  const roster = new Roster({
    ...{ clock, own: entry('d'), members: () => members, changes: () => changes },
    kept: {
      save: (entries) => {
        kept = entries;
      },
    },
  });
  const sent: DispatcherMessage[] = [];
  const link: DispatcherLink = {
    remote: '10.0.0.2:5',
    remoteKey: '',
    admission: { by: 'secret', keyId: '' },
    congested: false,
    blobsCongested: false,
    send: (message) => void sent.push(message),
    close: () => undefined,
    giveUp: () => undefined,
  };
  const change = (to: readonly RosterEntry[]): void => {
    members.splice(0, members.length, ...to);
    changes += 1;
    roster.changed();
  };
  return { clock, roster, sent, link, change, kept: () => kept.map(({ id }) => id).join() };
}

test('welcomed() tells everybody, and this dispatcher', () => {
  const { roster, sent, link } = scene();
  roster.welcomed(link);
  expect(sent).toEqual([{ kind: 'roster', whole: true, members: [entry('d'), entry('a')], gone: [] }]);
});

test('changed() tells who came together with others, at most once in a while', () => {
  const { clock, roster, sent, link, change } = scene();
  roster.welcomed(link);
  sent.length = 0;
  change([entry('a'), entry('b')]);
  clock.advance(0);
  expect(sent).toEqual([{ kind: 'roster', whole: false, members: [entry('b')], gone: [] }]);
  change([entry('a'), entry('b'), entry('c')]);
  change([entry('a'), entry('b'), entry('c'), entry('e')]);
  clock.advance(rosterPauseMs - 1);
  expect(sent).toHaveLength(1);
  clock.advance(1);
  expect(sent[1]).toEqual({ kind: 'roster', whole: false, members: [entry('c'), entry('e')], gone: [] });
  expect(clock.pending).toBe(0);
});

test('changed() tells who was shut out at once, with all else that is new', () => {
  const { clock, roster, sent, link, change } = scene();
  roster.welcomed(link);
  sent.length = 0;
  change([entry('a'), entry('b')]);
  change([entry('b')]);
  expect(sent).toEqual([{ kind: 'roster', whole: false, members: [entry('b')], gone: [entry('a').publicKey] }]);
  expect(clock.pending).toBe(0);
});

test('changed() keeps who went at once, and who came in a moment or at the end', () => {
  const { clock, roster, change, kept } = scene();
  expect(kept()).toBe('d,a');
  change([entry('a'), entry('b')]);
  expect(kept()).toBe('d,a');
  clock.advance(100);
  expect(kept()).toBe('d,a,b');
  change([entry('b')]);
  expect(kept()).toBe('d,b');
  change([entry('b'), entry('c')]);
  roster.close();
  expect(kept()).toBe('d,b,c');
  expect(clock.pending).toBe(0);
});

test('changed() says nothing to links that have ended, nor when nothing has changed', () => {
  const { roster, sent, link, change } = scene();
  roster.welcomed(link);
  change([entry('a')]);
  roster.left(link);
  change([]);
  expect(sent).toHaveLength(1);
});
