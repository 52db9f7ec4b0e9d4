import { describe, expect, test } from 'bun:test';
import { FakeDispatcher } from '../dispatcher.ts';
import { MemoryFiles } from '../files.ts';
import { Shell, type ShellOptions } from '../terminal.ts';

/** A dispatcher that ends each task by itself; `most`: tasks that were open at the same time. */
function start(options: Omit<ShellOptions, 'dispatcher'> = {}) {
  const dispatcher = new FakeDispatcher();
  const local = new MemoryFiles({});
  const shell = new Shell({ env: { OCTASKLY_API: 'http://127.0.0.1:3000' }, local, ...options, dispatcher });
  const seen = { open: 0, most: 0 };
  dispatcher.onSubmit = (id) => {
    seen.open += 1;
    seen.most = Math.max(seen.most, seen.open);
    setTimeout(() => {
      const command = dispatcher.find(id).request.command ?? '';
      dispatcher.write(id, 'stdout', `<${command}>`);
      seen.open -= 1;
      dispatcher.end(id, command.includes('bad') ? { status: 'failed', exit_code: 7 } : { exit_code: 0 });
    }, 1);
  };
  return { dispatcher, shell, local, seen };
}

const commands = (dispatcher: FakeDispatcher) => [...dispatcher.tasks.values()].map(({ request }) => request.command);

describe('map', () => {
  test('-j is never exceeded, and its slots are used again', async () => {
    const { dispatcher, shell, seen } = start();
    expect(await shell.run('map', '-j', '2', 'x {%}', ':::', ...'abcdefgh')).toBe(0);
    expect([seen.most, dispatcher.tasks.size]).toEqual([2, 8]);
    expect(new Set(commands(dispatcher))).toEqual(new Set(['x 1', 'x 2']));
  });

  test('all jobs are of one batch, and of another one when the first is gone', async () => {
    const { dispatcher, shell } = start();
    expect(await shell.run('map', '-j2', 'x', ':::', ...'abcdef')).toBe(0);
    const batches = () => new Set([...dispatcher.tasks.values()].map(({ view }) => view.batch_id));
    expect([dispatcher.tasks.size, batches().size]).toEqual([6, 1]);
    dispatcher.onJoin = () => 'not_found';
    expect(await shell.run('map', '-j1', 'x', ':::', ...'ghi')).toBe(0);
    expect([dispatcher.tasks.size, batches().size]).toEqual([9, 4]);
  });

  test('a batch that somebody cancelled gets no further jobs', async () => {
    const { dispatcher, shell } = start();
    dispatcher.onJoin = () => 'conflict';
    expect(await shell.run('map', '-j1', 'x', ':::', ...'abc')).toBe(125);
    expect(shell.stderr.text).toMatch(/^octaskly: The batch of this map was cancelled.*--resume goes on.*\n$/);
    expect(commands(dispatcher)).toEqual(['x a']);
  });

  test('ends as SIGPIPE ends a program when nobody reads what it prints', async () => {
    const { dispatcher, shell } = start();
    shell.stdout.bytesMax = 3;
    expect(await shell.run('map', '-j1', 'x', ':::', ...'abcd')).toBe(141);
    expect([dispatcher.tasks.size < 4, shell.stderr.text]).toEqual([true, '']);
  });

  test('--halt now,fail=1 submits nothing more and exits as the job did', async () => {
    const { dispatcher, shell } = start();
    expect(await shell.run('map', '-j1', '--halt', 'now,fail=1', 'x', ':::', 'a', 'bad', 'c')).toBe(7);
    expect(commands(dispatcher)).toEqual(['x a', 'x bad']);
    expect(shell.stderr.text).toBe('octaskly: This job failed: x bad\n');
  });

  test('--results writes files and prints nothing; --resume leaves out what is there', async () => {
    const { dispatcher, shell, local } = start({ files: { 'r/1/a/seq': '1' } });
    expect(await shell.run('map', '--results', 'r', '--resume', 'x', ':::', 'a', 'b')).toBe(0);
    expect(commands(dispatcher)).toEqual(['x b']);
    expect(shell.stdout.text).toBe('');
    expect([local.created.get('r/1/b/stdout'), local.created.get('r/1/b/seq')]).toEqual(['<x b>', '2']);
  });

  test('starts with the first line of standard input, before the others are there', async () => {
    const { dispatcher, shell } = start({ stdin: ['a\n', 'b'] });
    expect(await shell.run('map', '-k', 'x')).toBe(0);
    expect(commands(dispatcher)).toEqual(['x a', 'x b']);
    const waiting = start({ stdin: 'never' });
    const ended = waiting.shell.run('map', 'x');
    await Bun.sleep(0);
    waiting.shell.signal('SIGINT');
    waiting.shell.signal('SIGINT');
    expect(await ended).toBe(130);
  });

  test('--bar says at the end how it went, where no terminal is', async () => {
    const { shell } = start();
    expect(await shell.run('map', '--bar', 'x', ':::', 'a', 'bad')).toBe(1);
    expect(shell.stderr.text).toMatch(/100% {2}2 of 2 jobs {2}1 failed/);
  });

  test('a job whose output was cut off counts as failed, and says how much is lost', async () => {
    const { dispatcher, shell } = start();
    dispatcher.onSubmit = (id) =>
      dispatcher.end(id, { exit_code: 0, discarded_bytes: 7, stdout_bytes: 10, max_output: 10 });
    expect(await shell.run('map', '--joblog', 'log', 'x', ':::', 'a')).toBe(1);
    expect(shell.stderr.text).toContain('Job 1 (x a): 7 bytes of standard output beyond --max-output (10 bytes)');
    expect(shell.files.get('log')).toContain('\t125\t0\tx a\n');
  });

  test('a torn joblog is mended, and its job is run again', async () => {
    const title = 'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n';
    const first = '1\tw\t1.0\t0.1\t0\t0\t0\t0\tx a\n';
    const { dispatcher, shell } = start({ files: { log: `${title}${first}2\tw\t1.0\t0` } });
    expect(await shell.run('map', '--resume', '--joblog', 'log', 'x', ':::', 'a', 'b')).toBe(0);
    expect(commands(dispatcher)).toEqual(['x b']);
    expect(shell.files.get('log')).toStartWith(`${title}${first}2\t`);
    expect(shell.files.get('log')?.split('\n')).toHaveLength(4);
  });

  test('--resume says once when a number of the joblog was another command', async () => {
    const { dispatcher, shell } = start({ files: {} });
    expect(await shell.run('map', '--joblog', 'log', 'x', ':::', 'a', ':::', '1', '2')).toBe(0);
    expect(await shell.run('map', '--resume', '--joblog', 'log', 'x', ':::', 'a', 'b', ':::', '1', '2')).toBe(0);
    expect(shell.stderr.text).toBe('');
    expect(await shell.run('map', '--resume', '--joblog', 'log', 'x', ':::', '0', 'a', ':::', '1', '2')).toBe(0);
    expect(shell.stderr.text).toMatch(/^octaskly: Job 1 was "x a 1" when .* is "x 0 1" now\..*left out\..*\n$/);
    expect(commands(dispatcher)).toEqual(['x a 1', 'x a 2', 'x b 1', 'x b 2']);
  });

  test('refuses arguments that are no text, and commands that nobody could start, before anything runs', async () => {
    const bytes = { list: new Uint8Array([0x61, 0x0a, 0x63, 0xe9, 0x0a]) };
    const odd = start({ files: { list: '' }, bytes });
    expect(await odd.shell.run('map', 'x', '::::', 'list')).toBe(2);
    expect(odd.shell.stderr.text).toContain('Record 2 of list, "c\ufffd", is not UTF-8');
    const long = start();
    expect(await long.shell.run('map', 'x', ':::', 'a', 'b'.repeat(140_000))).toBe(2);
    expect(long.shell.stderr.text).toContain('The command of job 2 has 140002 bytes, with an argument of 140000');
    expect([odd.dispatcher.tasks.size, long.dispatcher.tasks.size]).toEqual([0, 0]);
  });

  test('names what to do instead of what only GNU parallel has', async () => {
    const { shell } = start();
    for (const option of ['--pipe', '-X', '--arg-sep', '--csv', '--color', '--files', '--number-of-cores', '-V']) {
      expect(await shell.run('map', option, 'x', ':::', 'a')).toBe(2);
    }
    expect(shell.stderr.text).not.toContain('See --help for all');
  });

  test("takes GNU parallel's -P, -t, -v, --wd ... and --tagstring with a tab", async () => {
    const { dispatcher, shell, seen } = start();
    const line = ['-P1', '-t', '-v', '-k', '--wd', '...', '--will-cite', '--tagstring', 'n\\t{}'];
    expect(await shell.run('map', ...line, 'x', ':::', 'a', 'b')).toBe(0);
    expect([seen.most, [...dispatcher.tasks.values()][0]?.request.workdir]).toEqual([1, undefined]);
    expect(shell.stderr.text).toBe('x a\nx b\n');
    expect(shell.stdout.text).toBe('n\ta\tx a\nn\ta\t<x a>n\tb\tx b\nn\tb\t<x b>');
  });

  test.each([
    [['--in', '{9}', 'x', ':::', 'a'], '--in {9} is empty for job 1'],
    [['echo {..}', ':::', 'a'], '{..} is not replaced here'],
    [['--pipe', 'x'], 'There is no option --pipe: split the input'],
    [['--resume', 'x', ':::', 'a'], '--resume goes by what an earlier call left'],
    [['--results', 'x.csv', 'x', ':::', 'a'], 'only directories are written'],
    [['x', '::::', '-', '-'], 'Standard input can be one source'],
    [['x', '::::', 'none'], 'There is no file none'],
    [['x'], 'Arguments are missing'],
  ])('refuses %j with what to do instead', async (line, message) => {
    const { shell } = start();
    expect(await shell.run('map', ...line)).toBe(2);
    expect(shell.stderr.text).toContain(message);
  });
});
