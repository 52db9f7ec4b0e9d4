import { describe, expect, test } from 'bun:test';
import { FakeDispatcher, problem } from './dispatcher.ts';
import { Shell, type ShellOptions } from './terminal.ts';

function start(options: ShellOptions = {}): { dispatcher: FakeDispatcher; shell: Shell } {
  const dispatcher = new FakeDispatcher();
  return { dispatcher, shell: new Shell({ ...options, dispatcher }) };
}

describe('run', () => {
  test('passes the words on as one command, options and all', async () => {
    const { dispatcher, shell } = start();
    dispatcher.onSubmit = (id) => dispatcher.end(id, { exit_code: 0 });
    expect(await shell.run('run', '--name', 'n', 'ls', '-la', '--name', 'x y', '--', '-h')).toBe(0);
    const [task] = dispatcher.tasks.values();
    expect(task?.request).toEqual({
      ...{ command: 'ls -la --name x y -- -h', name: 'n', attached: true },
      max_output: 2 ** 30,
    });
  });

  test('keeps standard output and error apart, byte for byte', async () => {
    const { dispatcher, shell } = start();
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    dispatcher.onSubmit = (id) => {
      dispatcher.write(id, 'stdout', bytes);
      dispatcher.write(id, 'stderr', 'oops\n');
      dispatcher.write(id, 'stdout', bytes);
      dispatcher.end(id, { exit_code: 0 });
    };
    expect(await shell.run('run', 'x')).toBe(0);
    expect(shell.stdout.bytes).toEqual(Uint8Array.from([...bytes, ...bytes]));
    expect(shell.stderr.text).toBe('oops\n');
  });

  test.each([
    [{ status: 'failed', exit_code: 42 }, 42, ''],
    [{ status: 'timed_out', reason: 'exceeded' }, 124, 'octaskly: Task 01hq3v5k0001 timed out: exceeded\n'],
    [{ status: 'failed', signal: 'SIGKILL', reason: 'r' }, 137, 'octaskly: Task 01hq3v5k0001 failed: r\n'],
    [{ status: 'failed', reason: 'lost' }, 125, 'octaskly: Task 01hq3v5k0001 failed: lost\n'],
    [{ status: 'cancelled' }, 143, 'octaskly: Task 01hq3v5k0001 was cancelled\n'],
  ] as const)('exits for %j as a shell would', async (end, status, message) => {
    const { dispatcher, shell } = start();
    dispatcher.onSubmit = (id) => dispatcher.end(id, end);
    expect(await shell.run('run', 'x')).toBe(status);
    expect(shell.stderr.text).toBe(message);
  });

  test('says that some output is of an attempt before, and that some was discarded', async () => {
    const { dispatcher, shell } = start();
    const outcome = { kind: 'lost', detail: 'worker pi was silent for 3 s' };
    const attempts = [
      { attempt: 1, started_at: null, outcome },
      { attempt: 2, started_at: '2026-01-01T00:00:00.000Z', outcome },
    ];
    dispatcher.intercept = ({ method, path }) =>
      method === 'GET' && path.endsWith('/01hq3v5k0001')
        ? Response.json({ ...dispatcher.find('01hq3v5k0001').view, attempts })
        : null;
    dispatcher.onSubmit = (id) => {
      dispatcher.write(id, 'stdout', 'abc');
      dispatcher.end(id, { exit_code: 0, attempt: 3, max_output: 3, discarded_bytes: 7 });
    };
    expect(await shell.run('run', 'x')).toBe(0);
    const [first, second] = shell.stderr.text.trimEnd().split('\n');
    expect(first).toMatch(/^octaskly: Attempt 2 was lost \(worker pi was silent for 3 s\); .* output follows/);
    expect(second).toMatch(/^octaskly: 7 bytes of standard output beyond --max-output \(3 bytes\) were discarded/);
  });

  test('exits with 125 when it fails itself', async () => {
    const { dispatcher, shell } = start();
    dispatcher.intercept = () => problem(422, 'denied_command', 'No.');
    expect(await shell.run('run', 'x')).toBe(125);
    expect(shell.stderr.text).toBe("octaskly: No. 'octaskly run --help' says how.\n");
  });

  test('passes standard input on, piece by piece, to its end', async () => {
    const { dispatcher, shell } = start({ stdin: ['ab', 'x'.repeat(100_000), 'ä'] });
    const sizes: number[] = [];
    dispatcher.intercept = ({ path, body, query }) => {
      if (path.endsWith('/stdin')) sizes.push(body?.length ?? 0);
      if (query.get('eof') === 'true') queueMicrotask(() => dispatcher.end('01hq3v5k0001', { exit_code: 0 }));
      return null;
    };
    expect(await shell.run('run', 'cat')).toBe(0);
    const [task] = dispatcher.tasks.values();
    expect(task?.request.stdin).toEqual({ stream: true });
    expect([task?.stdin, task?.stdinOpen]).toEqual([`ab${'x'.repeat(100_000)}ä`, false]);
    expect(Math.max(...sizes)).toBe(65_536);
  });

  test('ends with the task, though standard input stays open', async () => {
    const { dispatcher, shell } = start({ stdin: 'never' });
    dispatcher.onSubmit = (id) => dispatcher.end(id, { exit_code: 5, status: 'failed' });
    expect(await shell.run('run', 'true')).toBe(5);
    expect(shell.stderr.text).toBe('');
  });

  test('takes no input from a terminal or with --no-stdin', async () => {
    for (const [stdin, flags] of [[null, []] as const, [['x'], ['--no-stdin']] as const]) {
      const { dispatcher, shell } = start({ stdin });
      dispatcher.onSubmit = (id) => dispatcher.end(id, { exit_code: 0 });
      expect(await shell.run('run', ...flags, 'x')).toBe(0);
      expect([...dispatcher.tasks.values()][0]?.request.stdin).toBeUndefined();
    }
  });

  test('the task that takes no more input is not disturbed by what is left', async () => {
    const { dispatcher, shell } = start({ stdin: ['a', 'b'] });
    dispatcher.intercept = ({ path }) => {
      if (!path.endsWith('/stdin')) return null;
      queueMicrotask(() => dispatcher.end('01hq3v5k0001', { exit_code: 0 }));
      return problem(409, 'conflict', 'closed');
    };
    expect(await shell.run('run', 'head -1')).toBe(0);
    expect(shell.stderr.text).toBe('');
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('the first %s cancels the task and waits for its end', async (signal, status) => {
    const { dispatcher, shell } = start();
    dispatcher.onSubmit = () => shell.signal(signal);
    dispatcher.onCancel = (id) => {
      dispatcher.write(id, 'stdout', 'last words');
      dispatcher.end(id, { status: 'cancelled', signal: 'SIGTERM' });
    };
    expect(await shell.run('run', 'x')).toBe(status);
    expect(dispatcher.cancelled).toEqual(['01hq3v5k0001']);
    expect(shell.stdout.text).toBe('last words');
  });

  test('a task that ends by itself while it is being cancelled keeps its status', async () => {
    const { dispatcher, shell } = start();
    dispatcher.onSubmit = () => shell.signal('SIGINT');
    dispatcher.onCancel = (id) => dispatcher.end(id, { status: 'failed', exit_code: 7 });
    expect(await shell.run('run', 'x')).toBe(7);
  });

  test('the second signal leaves at once', async () => {
    const { dispatcher, shell } = start();
    dispatcher.onSubmit = () => shell.signal('SIGINT');
    dispatcher.onCancel = () => shell.signal('SIGINT');
    expect(await shell.run('run', 'x')).toBe(130);
    expect(dispatcher.cancelled).toHaveLength(1);
  });

  test('a reader that leaves cancels the task', async () => {
    const { dispatcher, shell } = start();
    shell.stdout.bytesMax = 3;
    dispatcher.onSubmit = (id) => dispatcher.write(id, 'stdout', 'yes\nyes\n');
    expect(await shell.run('run', 'yes')).toBe(141);
    expect(dispatcher.cancelled).toEqual(['01hq3v5k0001']);
    expect(shell.stderr.text).toBe('');
  });
});

describe('map', () => {
  const outputs = (dispatcher: FakeDispatcher): void => {
    dispatcher.onSubmit = (id) => {
      const command = dispatcher.find(id).request.command ?? '';
      dispatcher.write(id, 'stdout', `<${command}>\n`);
      dispatcher.end(id, command.includes('bad') ? { status: 'failed', exit_code: 1 } : { exit_code: 0 });
    };
  };

  test('runs the command once for each argument and counts the failed ones', async () => {
    const { dispatcher, shell } = start();
    outputs(dispatcher);
    expect(await shell.run('map', '-k', 'echo {#} {}', ':::', 'a', 'bad', 'c d', 'bad')).toBe(2);
    expect(shell.stdout.text).toBe("<echo 1 a>\n<echo 2 bad>\n<echo 3 'c d'>\n<echo 4 bad>\n");
    expect(dispatcher.requests.filter((request) => request.method === 'POST')).toHaveLength(1);
  });

  test('-k prints in order though they end out of order', async () => {
    const { dispatcher, shell } = start();
    const waiting: string[] = [];
    dispatcher.onSubmit = (id) => {
      waiting.push(id);
      if (waiting.length < 3) return;
      for (const one of waiting.reverse()) {
        dispatcher.write(one, 'stdout', `${dispatcher.find(one).request.command}\n`);
        dispatcher.end(one, { exit_code: 0 });
      }
    };
    expect(await shell.run('map', '-k', 'echo', ':::', 'a', 'b', 'c')).toBe(0);
    expect(shell.stdout.text).toBe('echo a\necho b\necho c\n');
  });

  test('takes arguments from files and standard input, tags lines, writes the joblog', async () => {
    const { dispatcher, shell } = start({ stdin: ['x\n', 'y\n'], files: { f: '1\n2\n' } });
    outputs(dispatcher);
    const flags = ['-k', '--tag', '--tag', 'p=q', '--joblog', 'log', '-a', 'f', '-a', '-'];
    expect(await shell.run('map', ...flags, 'e {2} {1}')).toBe(0);
    expect(shell.stdout.text.split('\n')).toEqual(['1 x\t<e x 1>', '1 y\t<e y 1>', '2 x\t<e x 2>', '2 y\t<e y 2>', '']);
    expect([...dispatcher.tasks.values()][0]?.request.tags).toEqual({ p: 'q' });
    expect(shell.files.get('log')?.split('\n')).toHaveLength(6);
  });

  test('says 101 for more than 100 failed jobs', async () => {
    const { dispatcher, shell } = start({ stdin: ['bad\n'.repeat(150)] });
    outputs(dispatcher);
    expect(await shell.run('map', 'x')).toBe(101);
  });

  test('waits out a full queue with smaller batches', async () => {
    const { dispatcher, shell } = start();
    outputs(dispatcher);
    const sizes: number[] = [];
    dispatcher.intercept = ({ path, method, body }) => {
      if (method !== 'POST' || path !== '/api/v1/batches') return null;
      sizes.push((JSON.parse(String(body)) as { tasks: unknown[] }).tasks.length);
      return (sizes.at(-1) ?? 0) > 2 ? problem(429, 'queue_full', 'full') : null;
    };
    expect(await shell.run('map', '-k', 'x', ':::', 'a', 'b', 'c', 'd', 'e')).toBe(0);
    expect(sizes).toEqual([5, 2, 2, 1]);
    expect(shell.stdout.text).toBe('<x a>\n<x b>\n<x c>\n<x d>\n<x e>\n');
  });

  test('Ctrl-C cancels what has not ended', async () => {
    const { dispatcher, shell } = start();
    dispatcher.onSubmit = () => shell.signal('SIGINT');
    expect(await shell.run('map', 'x', ':::', 'a')).toBe(130);
    expect(dispatcher.cancelled).toEqual(['b0']);
  });

  test('--dry-run prints the commands and submits nothing', async () => {
    const { dispatcher, shell } = start();
    expect(await shell.run('map', '--dry-run', 'gzip', '-k', ':::', 'a b')).toBe(0);
    expect([shell.stdout.text, dispatcher.requests.length]).toEqual(["gzip -k 'a b'\n", 0]);
  });
});

test('run --p2p keeps as much output as run does, unless it is told how much', async () => {
  const { shell } = start();
  expect(await shell.run('run', '--p2p', '-n', 'x')).toBe(0);
  expect(await shell.run('run', '--p2p', '-n', '--max-output', '5', 'x')).toBe(0);
  expect(shell.roleCalls).toMatchObject([
    ['runOnPeer', { maxOutputBytes: 2 ** 30 }],
    ['runOnPeer', { maxOutputBytes: 5 }],
  ]);
});
