import { expect, test } from 'bun:test';
import { explain } from '../../../src/core/explain.ts';
import { noDemand } from '../../../src/core/isolation.ts';
import { hold } from '../../../src/core/placement.ts';
import { emptyState } from '../../../src/core/state.ts';
import type { AttemptOutcome, Task } from '../../../src/core/task.ts';
import type { Worker } from '../../../src/core/worker.ts';
import { policy, requirement, spec, task, worker } from './samples.ts';

const id = '000000000001';

function stateOf(...workers: Worker[]) {
  const state = emptyState(policy);
  for (const each of workers) state.workers.set(each.id, each);
  return state;
}

function endedAs(status: Task['status'], outcome: AttemptOutcome, wanted: Partial<Task> = {}) {
  return explain(stateOf(), task(id, { status, outcome, attempt: 1, ...wanted }), { at: 0 });
}

test('explain() of a waiting task says what is missing altogether', () => {
  expect(explain(stateOf(), task(id), { at: 0 })).toEqual({
    summary: 'No worker is connected.',
    workers: [],
    advice: ['Start one on any device with: octaskly worker --dispatcher HOST'],
  });
});

test('explain() gives each worker its reasons, from the placement code', () => {
  const busy = worker('busy');
  hold(busy, task('000000000009'), 0);
  const large = task(id, { spec: spec({ requires: requirement({ cpuCores: 4 }) }) });
  const { summary, workers } = explain(stateOf(busy, worker('tiny', { cpuCores: 1 })), large, { at: 0 });
  expect(summary).toBe('It waits for room: 1 of 2 workers could run it, and it has none now.');
  expect(workers).toEqual([
    { id: 'busy', name: 'busy', fits: true, reasons: ['its one slot is taken'] },
    { id: 'tiny', name: 'tiny', fits: false, reasons: ['it has 1 cores, the task asks for 4'] },
  ]);
});

test('explain() names a full backlog where that is what keeps a task from being sent ahead', () => {
  const busy = worker('w');
  hold(busy, task('000000000008'), 0);
  hold(busy, task('000000000009'), 0);
  const { workers } = explain(stateOf(busy), task(id), { at: 0 });
  expect(workers[0]?.reasons).toEqual(['its one slot is taken', 'its backlog is full']);
});

test('explain() says so when no worker is made for the task', () => {
  const odd = task(id, { spec: spec({ requires: requirement({ platform: 'plan9' }) }) });
  expect(explain(stateOf(worker('w')), odd, { at: 0 }).summary).toBe('The only connected worker is not made for it.');
});

test('explain() puts pause and closing before everything a worker could say', () => {
  const state = stateOf(worker('w'));
  state.paused = true;
  expect(explain(state, task(id), { at: 0 }).summary).toBe('Dispatching is paused.');
  state.closing = true;
  expect(explain(state, task(id), { at: 0 }).summary).toBe(
    'The dispatcher is going down; it goes on after the restart.',
  );
});

test('explain() counts down a backoff, and names at most five dependencies', () => {
  const delayed = task(id, { notBefore: 12_340, reason: 'attempt 1 failed' });
  expect(explain(stateOf(), delayed, { at: 10_000 }).summary).toBe('It is tried again in 2.3 s: attempt 1 failed.');
  const waitingFor = new Set(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  const blocked = task(id, { status: 'blocked', waitingFor });
  expect(explain(stateOf(), blocked, { at: 0 }).summary).toBe(
    'It waits for 7 of its dependencies to end: a, b, c, d, e and 2 more.',
  );
});

test('explain() says where a handed-out task is, by the name of its worker', () => {
  const known = stateOf(worker('w', {}, { name: 'attic' }));
  const handed = { workerId: 'w', attempt: 2 };
  expect(explain(known, task(id, { ...handed, phase: 'assigned' }), { at: 0 }).summary).toBe(
    'It was handed to worker attic and starts there when a slot is free.',
  );
  const running = task(id, { ...handed, phase: 'started', status: 'running' });
  expect(explain(known, running, { at: 0 }).summary).toBe('It is running on worker attic, attempt 2.');
  expect(explain(stateOf(), running, { at: 0 }).summary).toBe('It is running on worker w, attempt 2.');
});

test('explain() of a completed task gives no advice', () => {
  const { summary, advice } = endedAs('completed', { kind: 'exited', exitCode: 0 });
  expect(summary).toBe('It completed after 1 attempt.');
  expect(advice).toEqual([]);
});

const logs = `Read what it wrote with: octaskly logs --stderr ${id}`;

test.each([
  ['status 127', { kind: 'exited', exitCode: 127 }, /command was not found/, 2],
  ['status 126', { kind: 'exited', exitCode: 126 }, /may not be executed/, 2],
  ['status 137', { kind: 'exited', exitCode: 137 }, /128\+9/, 2],
  ['another status', { kind: 'exited', exitCode: 3 }, /octaskly logs/, 1],
  ['SIGKILL', { kind: 'signaled', signal: 'SIGKILL' }, /want of memory/, 2],
  ['SIGSEGV', { kind: 'signaled', signal: 'SIGSEGV' }, /octaskly logs/, 1],
  ['its time limit', { kind: 'timed_out', limitMs: 1500 }, /it had 1\.5 s/, 2],
  [
    'its memory limit',
    { kind: 'limit_exceeded', limit: 'memory_limit_mb', limitValue: 1, reached: 2 },
    /--mem-limit/,
    2,
  ],
  [
    'its processor time',
    { kind: 'limit_exceeded', limit: 'cpu_time_limit', limitValue: 1, reached: 2 },
    /--cpu-time/,
    2,
  ],
  ['a limit of a newer worker', { kind: 'limit_exceeded', limit: 'max_x', limitValue: 1, reached: 2 }, /max_x/, 2],
  ['no room', { kind: 'spawn_failed', message: 'Cannot place input "b": no space left.' }, /disks .* have room/, 1],
  ['no program', { kind: 'spawn_failed', message: 'm' }, /exist on the worker/, 1],
  ['loss', { kind: 'lost', why: 'w' }, /brings them down/, 1],
] as [string, AttemptOutcome, RegExp, number][])('explain() advises on %s', (_name, outcome, first, count) => {
  const { advice } = endedAs('failed', outcome);
  expect(advice).toHaveLength(count);
  expect(advice[0]).toMatch(first);
  if (outcome.kind !== 'spawn_failed' && outcome.kind !== 'lost') expect(advice.at(-1)).toBe(logs);
});

test('explain() of an end uses the reason on record, else describes the outcome', () => {
  const full = endedAs('failed', { kind: 'spawn_failed', message: 'Cannot place input "b": no space left.' });
  expect(full.summary).toEndWith('no space left.');
  expect(full.summary).not.toEndWith('..');
  expect(endedAs('failed', { kind: 'exited', exitCode: 3 }).summary).toBe(
    'It ended as failed after 1 attempt: exited with status 3.',
  );
  const cancelled = task(id, { status: 'cancelled', reason: 'its dependency x ended as failed' });
  expect(explain(stateOf(), cancelled, { at: 0 }).summary).toBe(
    'It ended as cancelled after 0 attempts: its dependency x ended as failed.',
  );
});

test('explain() names who could not isolate it, and where to read how to change that', () => {
  const lacking = {
    least: 'basic',
    levels: [],
    missing: [{ level: 'strict', reason: 'no bubblewrap', remedy: 'r' }],
  } as const;
  const requires = requirement({ isolation: { ...noDemand, level: 'strict' } });
  const waiting = task(id, { spec: spec({ requires }) });
  const { workers, advice } = explain(stateOf(worker('w', { isolation: lacking })), waiting, { at: 0 });
  expect(workers[0]?.reasons).toEqual(['it cannot give sandbox level strict: no bubblewrap']);
  expect(advice[0]).toContain('octaskly doctor sandbox (on w)');
  const { advice: other } = explain(
    stateOf(worker('w')),
    task(id, { spec: spec({ requires: requirement({ gpu: 1 }) }) }),
    { at: 0 },
  );
  expect(other.join()).not.toContain('sandbox');
});

test('explain() names sleepers that are made for the task, and says so where nobody else is', () => {
  const large = task(id, { spec: spec({ requires: requirement({ cpuCores: 8 }) }) });
  const sleepers = [{ id: 's', name: 'office-pc', state: 'it is asleep, and was called once, the last time 5 s ago' }];
  const alone = explain(stateOf(worker('w')), large, { at: 0, sleepers });
  expect(alone.summary).toBe('It waits for a worker that is asleep or switched off, and is being woken: office-pc.');
  expect(alone.advice).toEqual(['Call one at once with: octaskly wake office-pc']);
  expect(alone.workers.at(-1)).toEqual({ id: 's', name: 'office-pc', fits: true, reasons: [sleepers[0]?.state ?? ''] });
  const busy = worker('busy', { cpuCores: 8 }, { reserved: { cpuCores: 8, memoryMb: 0, gpu: 0 } });
  const beside = explain(stateOf(busy), large, { at: 0, sleepers });
  expect(beside.summary).toStartWith('It waits for room: the only connected worker');
  expect(beside.workers.length).toBe(2);
});

test('explain() says so when all that could run the task rest', () => {
  const resting = worker('w', {}, { resting: 'it runs on battery' });
  const { summary, workers } = explain(stateOf(resting, worker('tiny', { cpuCores: 1 })), needing(2), { at: 0 });
  expect(summary).toBe('1 of 2 workers could run it, and it takes no work for the time being (--when).');
  expect(workers[0]?.reasons).toEqual(['it takes no work now: it runs on battery']);
  expect(explain(stateOf(resting, worker('busy', {}, { draining: true })), needing(2), { at: 0 }).summary).toStartWith(
    'It waits for room: 2 of 2 workers could run it, and none of them has any now.',
  );
  const another = worker('v', {}, { resting: 'it is too hot' });
  const all = explain(stateOf(resting, another), needing(2), { at: 0 }).summary;
  expect(all).toBe('2 of 2 workers could run it, and they take no work for the time being (--when).');
  const drained = stateOf(worker('d', {}, { draining: true }), worker('e', { cpuCores: 1 }));
  expect(explain(drained, needing(2), { at: 0 }).summary).toBe('1 of 2 workers could run it, and it is drained.');
});

function needing(cpuCores: number): Task {
  return task(id, { spec: spec({ requires: requirement({ cpuCores }) }) });
}
