import { expect, test } from 'bun:test';
import { noLimits } from '../../../src/core/isolation.ts';
import type { TaskSpec } from '../../../src/core/task.ts';
import { type Execution, execute, graceMs, type Result } from '../../../src/worker/executor.ts';
import { Staging } from '../../../src/worker/staging.ts';
import { blobOf, MemoryBlobs } from '../../memory-blobs.ts';
import { MemoryFiles, plainSandbox } from '../../memory-files.ts';
import { spec } from '../core/samples.ts';
import { ManualClock } from '../manual-clock.ts';
import { assignment, bytes, FakeLauncher, FakeLink, type FakeProcess, FakeWorkspace, text } from './fakes.ts';

class Bench {
  readonly clock = new ManualClock();
  readonly launcher = new FakeLauncher();
  readonly workspace = new FakeWorkspace();
  readonly blobs = new MemoryBlobs();
  readonly files = new MemoryFiles(this.blobs);
  readonly staging = new Staging({ clock: this.clock, blobs: this.blobs, files: this.files, sharing: null });
  sandbox = plainSandbox();
  results: Result[] = [];
  outputs = 0;

  run(wanted: Partial<TaskSpec> = {}): Execution {
    const { clock, launcher, workspace } = this;
    const { sandbox, staging } = this;
    const parts = { clock, launcher, workspace, sandbox, staging, workerName: () => 'attic' };
    return execute(parts, assignment('a', 1, wanted), {
      onOutput: () => {
        this.outputs += 1;
      },
      onResult: (result) => this.results.push(result),
    });
  }

  get process(): FakeProcess {
    return this.launcher.of('a');
  }
}

test('execute() launches what the sandbox plans, in an area of its own', () => {
  const bench = new Bench();
  bench.run({ command: 'echo hi' });
  expect(bench.process.plan).toMatchObject({
    argv: ['/bin/sh', '-c', 'echo hi'],
    cwd: '/tasks/1',
    marker: 'a.1',
    stdin: { kind: 'closed' },
  });
  expect(bench.process.plan.env).toMatchObject({ OCTASKLY_TASK_ID: 'a', OCTASKLY_WORKER: 'attic' });
  const other = new Bench();
  other.run({ command: null, argv: ['ls', '-l'] });
  expect(other.process.plan.argv).toEqual(['ls', '-l']);
});

test('the result has the exit, the time it took and what was measured, and the directory is gone', async () => {
  const bench = new Bench();
  const { startedAt } = bench.run();
  bench.clock.advance(1500);
  await bench.process.exit({ exitCode: 3, cpuMs: 20, memoryPeakBytes: 4096 });
  expect(bench.results).toEqual([
    {
      startedAt,
      outcome: { kind: 'exited', exitCode: 3 },
      usage: {
        durationMs: 1500,
        cpuMs: 20,
        memoryPeakBytes: 4096,
        stdoutBytes: 0,
        stderrBytes: 0,
        discardedBytes: 0,
        writtenBytes: null,
        sandboxLevel: 'basic',
      },
      outputs: [],
      outputProblems: [],
    },
  ]);
  expect(bench.workspace.directories.size).toBe(0);
  expect(bench.clock.pending).toBe(0);
});

test('the result of a signal nobody of ours sent is that signal', async () => {
  const bench = new Bench();
  bench.run();
  await bench.process.exit({ exitCode: null, signal: 'SIGSEGV' });
  expect(bench.results[0]?.outcome).toEqual({ kind: 'signaled', signal: 'SIGSEGV' });
});

test('the time limit asks the tree to end, and ends it after the grace', async () => {
  const bench = new Bench();
  bench.run({ timeoutMs: 1000 });
  bench.clock.advance(999);
  expect(bench.process.asked).toEqual([]);
  bench.clock.advance(1);
  expect(bench.process.asked).toEqual(['terminate']);
  bench.clock.advance(graceMs - 1);
  expect(bench.process.asked).toEqual(['terminate']);
  bench.clock.advance(1);
  expect(bench.process.asked).toEqual(['terminate', 'kill']);
  await bench.process.exit({ exitCode: null, signal: 'SIGKILL' });
  expect(bench.results[0]?.outcome).toEqual({ kind: 'timed_out', limitMs: 1000 });
});

test('whoever asks for the end first names it, whatever the process leaves with', async () => {
  const bench = new Bench();
  const execution = bench.run({ timeoutMs: 1000 });
  execution.cancel();
  bench.clock.advance(2000);
  execution.cancel({ kind: 'lost', why: 'later' });
  await bench.process.exit({ exitCode: 0 });
  expect(bench.results[0]?.outcome).toEqual({ kind: 'cancelled' });
  expect(bench.process.asked).toEqual(['terminate']);
});

test('kill() ends it without grace and keeps nothing it still writes', async () => {
  const bench = new Bench();
  const execution = bench.run();
  execution.kill();
  bench.process.write('stdout', bytes('late'));
  await bench.process.exit({ exitCode: null, signal: 'SIGKILL' });
  expect(bench.process.asked).toEqual(['kill']);
  expect(bench.results[0]).toMatchObject({
    outcome: { kind: 'cancelled' },
    usage: { stdoutBytes: 0, discardedBytes: 4, writtenBytes: null },
  });
});

test('what cannot be started has a result too, later and not within the call', () => {
  const bench = new Bench();
  bench.launcher.refuses = 'No such program.';
  bench.run();
  expect(bench.results).toEqual([]);
  bench.clock.settle();
  expect(bench.results[0]?.outcome).toEqual({ kind: 'spawn_failed', message: 'No such program.' });
  expect(bench.workspace.directories.size).toBe(0);
});

test('output is kept to the byte up to the limit of each stream, then counted', async () => {
  const bench = new Bench();
  const { streams } = bench.run({ maxOutputBytes: 5 });
  bench.process.write('stdout', bytes('abc'));
  bench.process.write('stdout', bytes('defg'));
  bench.process.write('stdout', bytes('hi'));
  bench.process.write('stderr', bytes('err'));
  await bench.process.exit();
  expect(text(streams.stdout.read(0, 100))).toBe('abcde');
  expect(text(streams.stderr.read(0, 100))).toBe('err');
  expect(bench.results[0]?.usage).toMatchObject({
    stdoutBytes: 5,
    stderrBytes: 3,
    discardedBytes: 4,
    writtenBytes: null,
  });
  expect(bench.outputs).toBe(3);
});

test('a full disk neither ends the task nor leaves a hole in its output', async () => {
  const bench = new Bench();
  const { streams } = bench.run();
  const spool = bench.workspace.spools.get('a.1.stdout');
  if (spool !== undefined) spool.room = 4;
  for (const piece of ['abc', 'def', 'g']) bench.process.write('stdout', bytes(piece));
  await bench.process.exit();
  expect(text(streams.stdout.read(0, 100))).toBe('abc');
  expect(bench.results[0]).toMatchObject({
    outcome: { exitCode: 0 },
    usage: { stdoutBytes: 3, discardedBytes: 4, writtenBytes: null },
  });
});

const live = { stdin: { kind: 'stream' } } as const;

test('writeStdin() passes input on, skips what was taken before, and closes at the end', async () => {
  const bench = new Bench();
  const execution = bench.run(live);
  const write = (offset: number, data: string, eof = false) => execution.writeStdin({ offset, data: bytes(data), eof });
  expect(await write(0, 'hello')).toEqual({ offset: 5, open: true });
  expect(await write(3, 'lo w')).toEqual({ offset: 7, open: true });
  expect(await write(0, 'hello')).toEqual({ offset: 7, open: true });
  expect(await write(7, 'orld', true)).toEqual({ offset: 11, open: false });
  expect(bench.process.input).toBe('hello world');
  expect(bench.process.asked).toEqual(['closeStdin']);
});

test('writeStdin() does not pass on what leaves a gap', async () => {
  const bench = new Bench();
  const execution = bench.run(live);
  expect(await execution.writeStdin({ offset: 3, data: bytes('x'), eof: true })).toEqual({ offset: 0, open: true });
  expect(bench.process.input).toBe('');
});

test('writeStdin() says that the process reads no more', async () => {
  const bench = new Bench();
  const execution = bench.run(live);
  bench.process.reads = false;
  expect(await execution.writeStdin({ offset: 0, data: bytes('x'), eof: false })).toEqual({ offset: 0, open: false });
  const closed = new Bench().run({ stdin: { kind: 'closed' } });
  expect(await closed.writeStdin({ offset: 0, data: bytes('x'), eof: false })).toEqual({ offset: 0, open: false });
});

// ---------------------------------------------------------------------------------------------------------- files

const content = bytes('what it needs');
const input = { path: 'in/a', blob: blobOf(content), bytes: content.length, executable: false };

/** Lets promises and what they put off run until nothing moves any more. */
async function rest(bench: Bench): Promise<void> {
  for (let n = 0; n < 40; n++) await Promise.resolve();
  bench.clock.settle();
  for (let n = 0; n < 40; n++) await Promise.resolve();
}

test('inputs are in their places before the command starts, and the time limit starts with it', async () => {
  const bench = new Bench();
  bench.run({ inputs: [input], timeoutMs: 1000 });
  bench.clock.advance(5000);
  await rest(bench);
  expect([bench.launcher.processes.length, bench.results.length]).toEqual([0, 0]);
  const link = new FakeLink();
  bench.staging.attach(link);
  await rest(bench);
  expect(link.take()).toMatchObject([{ kind: 'blobWanted' }]);
  bench.staging.take({ kind: 'blobData', parts: [{ blob: input.blob, offset: 0, data: content }] });
  await rest(bench);
  expect(bench.files.of('/tasks/1').get('in/a')).toEqual(content);
  bench.clock.advance(999);
  expect(bench.process.asked).toEqual([]);
  await bench.process.exit();
  expect(bench.results[0]).toMatchObject({ outcome: { kind: 'exited' }, usage: { durationMs: 999 } });
});

test('an input that cannot be had ends the attempt with its name and the reason, before anything is launched', async () => {
  const bench = new Bench();
  const execution = bench.run({ inputs: [input] });
  bench.staging.attach(new FakeLink());
  await rest(bench);
  bench.staging.take({ kind: 'blobRefused', blob: input.blob, detail: 'There is no such blob.' });
  await rest(bench);
  expect(bench.launcher.processes).toHaveLength(0);
  expect(bench.results).toMatchObject([
    {
      outcome: {
        kind: 'spawn_failed',
        message: 'Cannot fetch the input "in/a": the dispatcher cannot give it: There is no such blob.',
      },
      usage: { sandboxLevel: null },
    },
  ]);
  expect(bench.workspace.directories.size).toBe(0);
  expect(bench.blobs.held.get(input.blob)).toBe(1);
  execution.discard();
  execution.discard();
  expect(bench.blobs.held.size).toBe(0);
});

test('an input damaged in the cache is fetched again and placed', async () => {
  const bench = new Bench();
  bench.blobs.add(content);
  bench.blobs.corrupt(input.blob);
  bench.run({ inputs: [input] });
  const link = new FakeLink();
  bench.staging.attach(link);
  await rest(bench);
  expect(link.take()).toMatchObject([{ kind: 'blobWanted' }]);
  bench.staging.take({ kind: 'blobData', parts: [{ blob: input.blob, offset: 0, data: content }] });
  await rest(bench);
  expect(bench.launcher.processes).toHaveLength(1);
});

test.each(['cancel', 'kill'] as const)('%s() while inputs travel ends the attempt at once', async (how) => {
  const bench = new Bench();
  const execution = bench.run({ inputs: [input] });
  execution[how]();
  await rest(bench);
  expect(bench.results).toMatchObject([{ outcome: { kind: 'cancelled' } }]);
  expect([bench.workspace.directories.size, bench.clock.pending]).toEqual([0, 0]);
  execution.discard();
  expect(bench.blobs.held.size).toBe(0);
});

test('outputs are collected after the end, held until discard(), and the area is gone after that', async () => {
  const bench = new Bench();
  const execution = bench.run({ outputs: ['*.txt'] });
  bench.files.of('/tasks/1').set('a.txt', content).set('b.bin', content);
  await bench.process.exit({ exitCode: 1 });
  await rest(bench);
  expect(bench.results).toMatchObject([
    { outcome: { exitCode: 1 }, outputs: [{ path: 'a.txt', blob: input.blob }], outputProblems: [] },
  ]);
  expect([bench.workspace.directories.size, bench.blobs.held.size]).toEqual([0, 1]);
  execution.discard();
  expect(bench.blobs.held.size).toBe(0);
});

test('of a cancelled attempt nothing is collected', async () => {
  const bench = new Bench();
  bench.run({ outputs: ['*'] }).cancel();
  bench.files.of('/tasks/1').set('a.txt', content);
  await bench.process.exit();
  await rest(bench);
  expect(bench.results).toMatchObject([{ outcome: { kind: 'cancelled' }, outputs: [] }]);
  expect(bench.blobs.held.size).toBe(0);
});

test('a level that the worker cannot give fails the attempt; nothing weaker is tried', () => {
  const bench = new Bench();
  const isolation = { level: 'strict', network: false, limits: noLimits } as const;
  bench.run({ requires: { ...spec().requires, isolation } });
  bench.clock.settle();
  expect(bench.results[0]?.outcome).toEqual({ kind: 'spawn_failed', message: 'There is no level strict here.' });
  expect(bench.launcher.processes).toHaveLength(0);
});

test('a limit names the end, unless somebody asked for the end first', async () => {
  const limitExceeded = { limit: 'memory_limit_mb', limitValue: 64, reached: 65 };
  const bench = new Bench();
  bench.run();
  await bench.process.exit({ exitCode: 137, limitExceeded });
  expect(bench.results[0]?.outcome).toEqual({ kind: 'limit_exceeded', ...limitExceeded });
  const cancelled = new Bench();
  cancelled.run().cancel();
  await cancelled.process.exit({ exitCode: 137, limitExceeded });
  expect(cancelled.results[0]?.outcome).toEqual({ kind: 'cancelled' });
});

test('cancel() while inputs are placed ends the attempt at once, and the area goes when nothing writes to it', async () => {
  const bench = new Bench();
  bench.blobs.add(content);
  const placing = Promise.withResolvers<void>();
  bench.files.place = () => placing.promise;
  const execution = bench.run({ inputs: [input] });
  await rest(bench);
  execution.cancel({ kind: 'lost', why: 'the worker stops' });
  await rest(bench);
  expect(bench.results).toMatchObject([{ outcome: { kind: 'lost' } }]);
  expect(bench.workspace.directories.size).toBe(1);
  placing.resolve();
  await rest(bench);
  expect([bench.workspace.directories.size, bench.launcher.processes.length]).toEqual([0, 0]);
});
