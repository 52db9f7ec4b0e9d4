import { expect, test } from 'bun:test';
import {
  amountsFree,
  backlogLimit,
  chooseWorker,
  hindrances,
  hold,
  isOpen,
  matches,
  mismatches,
  release,
} from '../../../src/core/placement.ts';
import type { Requirement } from '../../../src/core/task.ts';
import type { Worker, WorkerDeclaration } from '../../../src/core/worker.ts';
import { requirement, spec, task, worker } from './samples.ts';
import { type Draw, pick, seeded } from './seeded.ts';

const anywhere = { closed: new Set<Worker>(), noBacklog: new Set<Worker>() };

/** Gives `count` tasks to a worker's books. */
function load(busy: Worker, count: number, requires: Requirement = requirement()): Worker {
  for (let n = 0; n < count; n++) {
    const given = task(`${busy.id}-${busy.assigned.size}`, { workerId: busy.id, spec: spec({ requires }) });
    hold(busy, given, 0);
  }
  return busy;
}

const matchTable: readonly [string, Partial<Requirement>, Partial<WorkerDeclaration>, string | null][] = [
  ['no demand', {}, {}, null],
  ['as many cores as it has', { cpuCores: 4 }, { cpuCores: 4 }, null],
  ['a core too many', { cpuCores: 5 }, { cpuCores: 4 }, 'it has 4 cores, the task asks for 5'],
  ['a share of a core', { cpuCores: 0.5 }, { cpuCores: 1 }, null],
  ['too much memory', { memoryMb: 9000 }, { memoryMb: 8000 }, 'it has 8000 MB of memory, the task asks for 9000'],
  ['a GPU where there is none', { gpu: 1 }, { gpu: 0 }, 'it has 0 GPUs, the task asks for 1'],
  ['its platform', { platform: 'linux' }, { platform: 'linux' }, null],
  [
    'another platform',
    { platform: 'darwin' },
    { platform: 'linux' },
    'its platform is linux, the task asks for darwin',
  ],
  ['another architecture', { arch: 'arm64' }, { arch: 'x64' }, 'its architecture is x64, the task asks for arm64'],
  ['its label', { labels: { room: 'attic' } }, { labels: { room: 'attic', disk: 'fast' } }, null],
  ['a label it lacks', { labels: { room: 'attic' } }, {}, 'it has no label room, the task asks for room=attic'],
  [
    'another value of a label',
    { labels: { room: 'attic' } },
    { labels: { room: 'cellar' } },
    'its label room is cellar, the task asks for attic',
  ],
];

test.each(matchTable)('matches() and mismatches() agree on %s', (_name, wanted, has, reason) => {
  const candidate = worker('w', has);
  expect(mismatches(candidate, requirement(wanted))).toEqual(reason === null ? [] : [reason]);
  expect(matches(candidate, requirement(wanted))).toBe(reason === null);
});

test('mismatches() says every reason at once', () => {
  const wanted = requirement({ cpuCores: 9, gpu: 1, platform: 'win32' });
  expect(mismatches(worker('w'), wanted)).toHaveLength(3);
});

test('hindrances() names what may pass: connection, drain, slots, amounts', () => {
  expect(hindrances(worker('w'), requirement())).toEqual([]);
  const away = worker('w', {}, { session: null });
  expect(hindrances(away, requirement())).toEqual(['it has no connection to the dispatcher now']);
  expect(hindrances(worker('w', {}, { draining: true }), requirement())).toEqual(['it is draining']);
  expect(hindrances(worker('w', {}, { draining: true, leaving: true }), requirement())).toEqual([
    'it is about to stop',
  ]);
  const busy = load(worker('w', { slots: 1, cpuCores: 4 }), 1, requirement({ cpuCores: 3 }));
  expect(hindrances(busy, requirement({ cpuCores: 2 }))).toEqual([
    'its one slot is taken',
    '1 of its 4 cores are free, the task asks for 2',
  ]);
});

test('hold() and release() undo each other, and shares of a core add up', () => {
  const tenth = requirement({ cpuCores: 0.1, memoryMb: 1, gpu: 1 });
  const shared = load(worker('w', { cpuCores: 1 }), 9, tenth);
  expect(amountsFree(shared, requirement({ cpuCores: 0.1 }))).toBe(true);
  expect(amountsFree(shared, requirement({ cpuCores: 0.11 }))).toBe(false);
  for (let n = 0; n < 9; n++) release(shared, tenth);
  expect(shared.reserved.cpuCores).toBeCloseTo(0, 9);
  expect(shared.reserved.memoryMb).toBe(0);
});

test('amountsFree() ignores what the task does not ask for', () => {
  const full = load(worker('w', { cpuCores: 1 }), 1, requirement({ cpuCores: 1 }));
  expect(amountsFree(full, requirement())).toBe(true);
  expect(amountsFree(full, requirement({ memoryMb: 1 }))).toBe(true);
  expect(amountsFree(full, requirement({ cpuCores: 0.01 }))).toBe(false);
});

test.each([
  [4, null, 1],
  [10, null, 2],
  [4, 1, 80],
  [4, 0, 512],
  [4, 3_600_000, 1],
])('backlogLimit() of %p slots with work of %p ms covers a round trip: %p', (slots, meanMs, limit) => {
  expect(backlogLimit(worker('w', { slots }, { meanDurationMs: meanMs }))).toBe(limit);
});

test('isOpen() is about link, drain and leaving', () => {
  expect(isOpen(worker('w'))).toBe(true);
  expect(isOpen(worker('w', {}, { session: null }))).toBe(false);
  expect(isOpen(worker('w', {}, { draining: true }))).toBe(false);
  expect(isOpen(worker('w', {}, { leaving: true }))).toBe(false);
});

test('hold() keeps a bound on the priorities held, renewed when nothing was', () => {
  const busy = worker('w');
  const held = (id: string, priority: number) => hold(busy, task(id, { spec: spec({ priority }) }), 0);
  held('a', 7);
  expect(busy.lowestPriority).toBe(7);
  held('b', -3);
  held('c', 50);
  expect(busy.lowestPriority).toBe(-3);
  busy.assigned.clear();
  held('d', 9);
  expect(busy.lowestPriority).toBe(9);
});

function choose(workers: readonly Worker[], wanted: Partial<Requirement> = {}, avoid: readonly string[] = []) {
  return chooseWorker(workers, { requires: requirement(wanted), avoid }, anywhere)?.id ?? null;
}

test('chooseWorker() takes the largest free share, not the largest number of free slots', () => {
  expect(choose([load(worker('a', { slots: 8 }), 4), load(worker('b', { slots: 2 }), 0)])).toBe('b');
  expect(choose([load(worker('a', { slots: 8 }), 2), load(worker('b', { slots: 2 }), 1)])).toBe('a');
});

test('chooseWorker() counts the scarcest of slots and amounts', () => {
  const cores = load(worker('a', { slots: 8, cpuCores: 4 }), 1, requirement({ cpuCores: 3 }));
  const slots = load(worker('b', { slots: 8, cpuCores: 4 }), 4);
  expect(choose([cores, slots], { cpuCores: 1 })).toBe('b');
});

test('chooseWorker() breaks ties by id, in whatever order the workers come', () => {
  expect(choose([worker('b'), worker('a'), worker('c')])).toBe('a');
});

test('chooseWorker() takes an avoided worker only when no other can start the task', () => {
  expect(choose([worker('a'), load(worker('b', { slots: 2 }), 1)], {}, ['a'])).toBe('b');
  expect(choose([worker('a')], {}, ['a'])).toBe('a');
});

test('chooseWorker() takes an avoided worker rather than the backlog of another', () => {
  expect(choose([load(worker('a', { slots: 1 }), 1), worker('b')], {}, ['b'])).toBe('b');
});

test('chooseWorker() prefers a free slot of an otherwise reserved worker to an avoided one', () => {
  const reserved = load(worker('b', { slots: 2, cpuCores: 1 }), 1, requirement({ cpuCores: 1 }));
  expect(choose([worker('a'), reserved], {}, ['a'])).toBe('b');
});

test('chooseWorker() sends ahead only what asks for no amounts, and only up to the limit', () => {
  const busy = load(worker('a', { slots: 1 }), 1);
  expect(choose([busy])).toBe('a');
  expect(choose([busy], { memoryMb: 1 })).toBeNull();
  expect(choose([load(busy, 1)])).toBeNull();
});

test('chooseWorker() respects closed workers and those whose backlog must not grow', () => {
  const free = worker('a');
  const wanted = { requires: requirement(), avoid: [] };
  expect(chooseWorker([free], wanted, { closed: new Set([free]), noBacklog: new Set() })).toBeNull();
  expect(chooseWorker([free], wanted, { closed: new Set(), noBacklog: new Set([free]) })).toBe(free);
  const busy = load(worker('b'), 1);
  expect(chooseWorker([busy], wanted, { closed: new Set(), noBacklog: new Set([busy]) })).toBeNull();
});

// ---------------------------------------------------------------------------------------------- the naive twin

/** What a worker would look like with the task on it: written from the contract, without the code under test. */
function naiveChoice(workers: readonly Worker[], requires: Requirement, avoid: readonly string[]): string | null {
  const keys = ['cpuCores', 'memoryMb', 'gpu'] as const;
  const able = workers.filter((candidate) => {
    const has = candidate.declaration;
    if (candidate.session === null || candidate.draining || candidate.leaving) return false;
    if (requires.platform !== null && requires.platform !== has.platform) return false;
    if (Object.entries(requires.labels).some(([label, value]) => has.labels[label] !== value)) return false;
    return keys.every((key) => requires[key] === 0 || candidate.reserved[key] + requires[key] <= has[key] + 1e-9);
  });
  const share = (candidate: Worker): number => {
    const has = candidate.declaration;
    const used = [candidate.assigned.size / has.slots];
    for (const key of keys) if (candidate.reserved[key] > 0) used.push(candidate.reserved[key] / has[key]);
    return 1 - Math.max(...used);
  };
  const byShare = (a: Worker, b: Worker): number => share(b) - share(a) || (a.id < b.id ? -1 : 1);
  const startable = able.filter((candidate) => candidate.assigned.size < candidate.declaration.slots);
  const liked = startable.filter(({ id }) => !avoid.includes(id)).sort(byShare);
  const avoided = startable.filter(({ id }) => avoid.includes(id)).sort((a, b) => (a.id < b.id ? -1 : 1));
  const asks = keys.some((key) => requires[key] > 0);
  const behind = able.filter((candidate) => {
    const ahead = candidate.assigned.size - candidate.declaration.slots;
    return !asks && ahead >= 0 && ahead < backlogLimit(candidate);
  });
  return [...liked, ...avoided, ...behind.sort(byShare)][0]?.id ?? null;
}

function randomWorker(draw: Draw, id: string): Worker {
  const slots = 1 + draw(4);
  const drawn = worker(
    id,
    {
      slots,
      cpuCores: pick(draw, [1, 2, 4, 8]),
      memoryMb: pick(draw, [512, 1024, 4096]),
      gpu: draw(2),
      labels: draw(2) === 0 ? {} : { disk: 'fast' },
      platform: pick(draw, ['linux', 'linux', 'darwin']),
    },
    {
      session: draw(8) === 0 ? null : 1,
      draining: draw(8) === 0,
      leaving: draw(12) === 0,
      meanDurationMs: pick(draw, [null, 5, 1000]),
    },
  );
  for (let n = draw(slots + 3); n > 0; n--) {
    const requires = randomRequirement(draw);
    const startsNow = drawn.assigned.size < slots && matches(drawn, requires) && amountsFree(drawn, requires);
    load(drawn, 1, startsNow ? requires : requirement());
  }
  return drawn;
}

function randomRequirement(draw: Draw): Requirement {
  return requirement({
    cpuCores: pick(draw, [0, 0, 0, 1, 2, 4]),
    memoryMb: pick(draw, [0, 0, 0, 256, 1024]),
    gpu: pick(draw, [0, 0, 0, 1]),
    labels: draw(4) === 0 ? { disk: 'fast' } : {},
    platform: draw(6) === 0 ? 'linux' : null,
  });
}

test.each([1, 2, 3])('chooseWorker() agrees with a naive reading of its contract, seed %p', (seed) => {
  const draw = seeded(seed);
  let placed = 0;
  for (let n = 0; n < 2000; n++) {
    const workers = Array.from({ length: draw(6) }, (_, place) => randomWorker(draw, `w${(place * 7) % 10}`));
    const requires = randomRequirement(draw);
    const avoid = workers.filter(() => draw(4) === 0).map(({ id }) => id);
    const expected = naiveChoice(workers, requires, avoid);
    expect(chooseWorker(workers, { requires, avoid }, anywhere)?.id ?? null).toBe(expected);
    for (const each of workers) expect(matches(each, requires)).toBe(mismatches(each, requires).length === 0);
    if (expected !== null) placed += 1;
  }
  expect(placed).toBeGreaterThan(200);
});
