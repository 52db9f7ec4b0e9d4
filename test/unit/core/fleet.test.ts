import { expect, test } from 'bun:test';
import { type FleetWorker, planRoll, type RollWish } from '../../../src/core/fleet.ts';

const wish: RollWish = {
  ...{ version: '2.0.0', targets: new Set(['linux-x64']), isSigned: false },
  ...{ only: null, allowDowngrade: false },
};

function worker(name: string, more: Partial<FleetWorker> = {}): FleetWorker {
  const program = { target: 'linux-x64', refusal: null, needsSignature: false };
  return { id: `id-${name}`, name, version: '1.0.0', program, isConnected: true, running: 0, ...more };
}

const planned = (workers: readonly FleetWorker[], more: Partial<RollWish> = {}) => {
  const { members, problems } = planRoll(workers, { ...wish, ...more });
  return { members: members.map(({ name, status }) => `${name} ${status}`), problems };
};

test('planRoll() takes those that run least first, then by name, and leaves out who has the version or is away', () => {
  const workers = [
    worker('c', { running: 2 }),
    worker('b'),
    worker('d', { version: '2.0.0' }),
    worker('e', { isConnected: false }),
    worker('a'),
  ];
  expect(planned(workers)).toEqual({
    members: ['a waiting', 'b waiting', 'c waiting', 'd current', 'e away'],
    problems: [],
  });
});

test('planRoll() names each worker that cannot be updated: no program for it, none taken, an earlier version, none known', () => {
  const workers = [
    worker('a', { program: { target: 'linux-arm64', refusal: null, needsSignature: false } }),
    worker('b', { program: { target: 'linux-x64', refusal: 'it runs from its sources', needsSignature: false } }),
    worker('c', { version: '3.0.0' }),
    worker('d', { program: null }),
    worker('e', { isConnected: false }),
  ];
  expect(planned(workers, { only: new Set(workers.map(({ id }) => id)) }).problems).toEqual([
    'Worker a: There is no program for linux-arm64 here: start the dispatcher with --dist, the directory of a release.',
    'Worker b: It takes no update from its dispatcher: it runs from its sources.',
    'Worker c: It runs 3.0.0 already, which is later than 2.0.0.',
    'Worker d: It runs 1.0.0, which takes no updates from here: update it on that device once.',
    'Worker e is not connected.',
  ]);
  expect(planned([worker('c', { version: '3.0.0' })], { allowDowngrade: true }).problems).toEqual([]);
});

test('planRoll() looks at nobody but those that are meant', () => {
  const workers = [worker('a'), worker('b', { program: null })];
  expect(planned(workers, { only: new Set(['id-a']) })).toEqual({ members: ['a waiting'], problems: [] });
});

test('planRoll() names each worker that takes only what is signed, where nothing here is', () => {
  const workers = ['free', 'kept-apart'].map((name) =>
    worker(name, { program: { target: 'linux-x64', refusal: null, needsSignature: name === 'kept-apart' } }),
  );
  const unsigned = planned(workers);
  expect(unsigned.problems).toHaveLength(1);
  expect(unsigned.problems[0]).toStartWith('Worker kept-apart: It takes only what the key of its release has signed');
  expect(unsigned.problems[0]).toContain('--dist');
  expect(planned(workers, { isSigned: true }).problems).toEqual([]);
});
