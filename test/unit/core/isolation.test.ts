import { expect, test } from 'bun:test';
import {
  type Enforcement,
  effectiveLevel,
  type Isolation,
  type IsolationDemand,
  isAtLeast,
  isolationMismatches,
  keepsDemand,
  type LevelOffer,
  limitNames,
  limitsAsked,
  noDemand,
  noLimits,
  offerFor,
  sandboxLevels,
  unknownIsolation,
} from '../../../src/core/isolation.ts';
import { chooseWorker, matches, mismatches } from '../../../src/core/placement.ts';
import { ReadyQueue } from '../../../src/core/queue.ts';
import { requirement, spec, task, worker } from './samples.ts';

/** An offer where every limit is `watched` but those named. */
function offer(
  level: LevelOffer['level'],
  named: Partial<Record<string, Enforcement>> = {},
  network = true,
): LevelOffer {
  const limits = limitNames.map((name) => [name, { enforcement: named[name] ?? 'watched', mechanism: 'test' }]);
  return { level, mechanism: 'test', network, limits: Object.fromEntries(limits) as LevelOffer['limits'] };
}

const pi: Isolation = {
  least: 'basic',
  levels: [offer('basic'), offer('strict', { memory_limit_mb: 'none' }), offer('very-strict', {}, false)],
  missing: [],
};

function demand(wanted: Partial<IsolationDemand> = {}): IsolationDemand {
  return { ...noDemand, ...wanted };
}

test('isAtLeast() orders the levels as they are listed', () => {
  for (const [a, one] of sandboxLevels.entries()) {
    for (const [b, other] of sandboxLevels.entries()) expect(isAtLeast(one, other)).toBe(a >= b);
  }
});

test('effectiveLevel() is the stricter of what is asked and what the worker gives at least', () => {
  expect(effectiveLevel(null, 'strict')).toBe('strict');
  expect(effectiveLevel('none', 'basic')).toBe('basic');
  expect(effectiveLevel('very-strict', 'basic')).toBe('very-strict');
  expect(offerFor(pi, demand({ level: 'none' }))?.level).toBe('basic');
});

const memory = { ...noLimits, memoryMb: 64 };
const cases: readonly [string, Isolation, IsolationDemand, readonly string[]][] = [
  ['nothing asked', pi, demand(), []],
  ['a level it gives', pi, demand({ level: 'very-strict' }), []],
  ['a limit it keeps', pi, demand({ limits: memory }), []],
  [
    'a limit it does not keep at that level',
    pi,
    demand({ level: 'strict', limits: memory }),
    ['it cannot keep memory_limit_mb at sandbox level strict'],
  ],
  [
    'a network where there is none',
    pi,
    demand({ level: 'very-strict', network: true }),
    ['at sandbox level very-strict it gives no network, the task asks for it'],
  ],
  [
    'a level it lacks, with its reason',
    {
      ...pi,
      levels: [offer('basic')],
      missing: [{ level: 'strict', reason: 'bwrap is missing', remedy: 'install it' }],
    },
    demand({ level: 'strict' }),
    ['it cannot give sandbox level strict: bwrap is missing'],
  ],
  ['nothing asked of one that never said', unknownIsolation, demand(), []],
  [
    'a limit asked of one that never said',
    unknownIsolation,
    demand({ limits: memory }),
    ['it cannot give sandbox level basic'],
  ],
];

test.each(cases)('isolationMismatches() and keepsDemand() agree on %s', (_name, isolation, wanted, reasons) => {
  expect(isolationMismatches(isolation, wanted)).toEqual([...reasons]);
  expect(keepsDemand(isolation, wanted)).toBe(reasons.length === 0);
});

test('a task is never placed where its level or limit is not kept, however free that worker is', () => {
  const weak = worker('weak', { slots: 8, isolation: { ...pi, levels: [offer('basic')] } });
  const strong = worker('strong', { slots: 1, isolation: { ...pi, levels: [offer('strict')] } });
  const requires = requirement({ isolation: demand({ level: 'strict' }) });
  expect(matches(weak, requires)).toBe(false);
  expect(mismatches(weak, requires)).toEqual(['it cannot give sandbox level strict']);
  const scope = { closed: new Set<typeof weak>(), noBacklog: new Set<typeof weak>() };
  expect(chooseWorker([weak, strong], { requires, avoid: [] }, scope)).toBe(strong);
  expect(chooseWorker([weak], { requires, avoid: [] }, scope)).toBeNull();
});

test('limitsAsked() names what is limited, and tasks with the same demands share a class however tight they are', () => {
  expect(limitsAsked({ cpuTimeMs: 1, memoryMb: 1, diskMb: 1, openFiles: 8, processes: 1 })).toEqual(
    limitNames.slice(2),
  );
  const queue = new ReadyQueue();
  const wanted = (memoryMb: number | null, level: IsolationDemand['level'] = null) =>
    spec({ requires: requirement({ isolation: demand({ level, limits: { ...noLimits, memoryMb } }) }) });
  queue.add(task('000000000001', { spec: wanted(64) }), 0);
  queue.add(task('000000000002', { spec: wanted(128) }), 0);
  queue.add(task('000000000003', { spec: wanted(null, 'strict') }), 0);
  const classes = [queue.take(), queue.take(), queue.take()].map((head) => head?.entry.id ?? null);
  expect(classes).toEqual(['000000000001', '000000000003', null]);
});
