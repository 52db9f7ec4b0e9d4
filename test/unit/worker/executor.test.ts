import { expect, test } from 'bun:test';
import type { TaskSpec } from '../../../src/core/task.ts';
import { type Execution, execute, graceMs, type Result } from '../../../src/worker/executor.ts';
import { ManualClock } from '../manual-clock.ts';
import { assignment, bytes, FakeLauncher, type FakeProcess, FakeWorkspace, text } from './fakes.ts';

class Bench {
  readonly clock = new ManualClock();
  readonly launcher = new FakeLauncher();
  readonly workspace = new FakeWorkspace();
  results: Result[] = [];
  outputs = 0;

  run(wanted: Partial<TaskSpec> = {}): Execution {
    const { clock, launcher, workspace } = this;
    const parts = { clock, launcher, workspace, environment: { PATH: '/bin' }, workerName: () => 'attic' };
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

test('execute() launches the shell, or the program itself, in a directory of its own', () => {
  const bench = new Bench();
  bench.run({ command: 'echo hi' });
  expect(bench.process.plan).toMatchObject({
    argv: ['/bin/sh', '-c', 'echo hi'],
    cwd: '/tasks/1',
    marker: 'a.1',
    stdin: { kind: 'closed' },
  });
  expect(bench.process.plan.env).toMatchObject({ PATH: '/bin', TMPDIR: '/tasks/1', OCTASKLY_WORKER: 'attic' });
  const other = new Bench();
  other.run({ command: null, argv: ['ls', '-l'] });
  expect(other.process.plan.argv).toEqual(['ls', '-l']);
});

test.each([
  [null, '/tasks/1'],
  ['sub/dir', '/tasks/1/sub/dir'],
  ['/srv/data', '/srv/data'],
])('execute() with workdir %p runs in %p', (workdir, cwd) => {
  const bench = new Bench();
  bench.run({ workdir });
  expect(bench.process.plan.cwd).toBe(cwd);
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
      usage: { durationMs: 1500, cpuMs: 20, memoryPeakBytes: 4096, stdoutBytes: 0, stderrBytes: 0, discardedBytes: 0 },
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
    usage: { stdoutBytes: 0, discardedBytes: 4 },
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
  expect(bench.results[0]?.usage).toMatchObject({ stdoutBytes: 5, stderrBytes: 3, discardedBytes: 4 });
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
  expect(bench.results[0]).toMatchObject({ outcome: { exitCode: 0 }, usage: { stdoutBytes: 3, discardedBytes: 4 } });
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
