import { expect, test } from 'bun:test';
import type { RememberedWorker } from '../../../src/core/restore.ts';
import { emptyState } from '../../../src/core/state.ts';
import { Waking } from '../../../src/dispatcher/waking.ts';
import { declaration, noonWall, policy, task, worker } from '../core/samples.ts';
import { ManualClock } from '../manual-clock.ts';

const by = [{ mac: '00:1a:2b:3c:4d:5e', broadcast: null, armed: true }];

function bench({ unasked = true, packets = 3, silenceMs = 5000 } = {}) {
  const clock = new ManualClock();
  const startedAt = clock.steady();
  const state = emptyState({ ...policy, silenceMs });
  const has = declaration('laptop', { wake: { by, unasked: true } });
  const laptop: RememberedWorker = {
    ...{ declaration: has, name: 'laptop', publicKey: 'k', draining: false },
    ...{ firstSeenAt: noonWall, lastSeenAt: noonWall },
  };
  const away = [laptop];
  const calledAt: number[] = [];
  const said: (string | null)[] = [];
  const waking = new Waking({
    ...{ clock, policy: state.policy, unasked, state: () => state, away: () => away },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    feed: { publish: ({ status, detail }) => said.push(`${status}: ${detail}`) },
    wake: (cards) => {
      expect(cards).toEqual(by);
      calledAt.push((clock.steady() - startedAt) / 1000);
      return Promise.resolve(packets);
    },
  });
  return { clock, state, away, waking, calledAt, said };
}

test('Waking calls a sleeper while work waits for it, further and further apart, not right after the start', async () => {
  const { clock, state, waking, calledAt, said } = bench();
  state.ready.add(task('t'), 0);
  waking.turned();
  clock.advance(200_000);
  await Promise.resolve();
  expect(calledAt).toEqual([5, 35, 125]);
  expect(said[0]).toBe('waking: it was called, try 1');
  expect(waking.callsOf('laptop')?.tries).toBe(3);
  expect(waking.total).toBe(3);
  expect(waking.sleepers(task('t')).map(({ name }) => name)).toEqual(['laptop']);
});

test('Waking begins anew when the sleeper came, and stops when nothing waits', () => {
  const { clock, state, away, waking, calledAt } = bench();
  state.ready.add(task('t'), 0);
  waking.turned();
  clock.advance(6000);
  const gone = away.splice(0);
  state.workers.set('laptop', worker('laptop'));
  waking.turned();
  expect(waking.callsOf('laptop')).toBeNull();
  state.workers.delete('laptop');
  away.push(...gone);
  waking.turned();
  clock.advance(5000);
  expect(calledAt.length).toBe(2);
  state.ready.remove('t');
  clock.advance(60_000);
  expect(waking.callsOf('laptop')?.tries).toBe(1);
  clock.advance(3_600_000);
  expect([calledAt.length, waking.callsOf('laptop')]).toEqual([2, null]);
});

test('Waking calls nobody unasked where that is not wanted, but whoever is asked for', async () => {
  const { clock, state, away, waking, calledAt } = bench({ unasked: false });
  state.ready.add(task('t'), 0);
  waking.turned();
  clock.advance(60_000);
  expect([calledAt, waking.sleepers(task('t'))]).toEqual([[], []]);
  expect(await waking.call('laptop')).toBe(3);
  const unknown = { ...declaration('old') };
  away.push({ declaration: unknown, name: 'old', publicKey: 'k', firstSeenAt: 0, lastSeenAt: 0, draining: false });
  expect(waking.call('old')).rejects.toThrow('Nobody knows how to wake worker old');
  expect(waking.call('here')).rejects.toThrow('there is nothing to wake');
});

test('Waking says so when no packet can leave', async () => {
  const { waking, said } = bench({ packets: 0 });
  expect(waking.call('laptop')).rejects.toThrow('No packet to wake worker laptop could leave');
  await Promise.resolve();
  expect(said).toEqual(['waking: it could not be called: no packet could leave']);
});
