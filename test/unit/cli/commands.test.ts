import { describe, expect, test } from 'bun:test';
import { commands } from '../../../src/cli/commands.ts';
import { parseSelector } from '../../../src/cli/selectors.ts';
import { FakeDispatcher, problem } from './dispatcher.ts';
import { Shell } from './terminal.ts';

describe('help', () => {
  for (const command of commands) {
    test(`of ${command.name} has an example, its options and its exit statuses`, async () => {
      const shell = new Shell();
      expect(await shell.run(command.name, '--help')).toBe(0);
      const text = shell.stdout.text;
      expect(text).toContain(`octaskly ${command.examples[0]}`);
      expect(text).toContain('Exit status:');
      for (const option of Object.values(command.options)) {
        expect(text).toContain(`--${option.boolean && option.default === true ? 'no-' : ''}${option.flag}`);
      }
      for (const example of command.examples) expect(example).toStartWith(command.name);
      for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    });
  }

  test('lists all commands by group; alone, three to begin with', async () => {
    const shell = new Shell();
    expect(await shell.run('--help')).toBe(0);
    for (const command of commands) expect(shell.stdout.text).toMatch(new RegExp(`^  ${command.name}[ ,]`, 'm'));
    const alone = new Shell();
    expect(await alone.run()).toBe(0);
    expect(alone.stdout.text.match(/^ {2}octaskly/gm)).toHaveLength(3);
  });

  test('shows a default and a variable', async () => {
    const shell = new Shell();
    await shell.run('help', 'dispatcher');
    expect(shell.stdout.text).toContain('(default: 7878; env: OCTASKLY_PORT)');
  });

  test('says of an option that is on what it does, and how it is turned off', async () => {
    const shell = new Shell();
    await shell.run('help', 'dispatcher');
    expect(shell.stdout.text).toContain(
      '      --approvals, --no-approvals\n        Let devices ask to be approved. (default: on;',
    );
  });
});

describe('runCli()', () => {
  test.each([
    [['wokrers'], 'There is no command "wokrers". The nearest is "workers". \'octaskly --help\' lists all.'],
    [['--api'], '--api needs a value: --api URL.'],
    [['show'], 'Something is missing: octaskly show ID.'],
    [['show', 'a', 'b'], '"b" is too much: octaskly show ID.'],
    [
      ['ps', '#', 'all'],
      '"#" is too much: octaskly ps. Leave out the comment; zsh does so after: setopt interactive_comments.',
    ],
    [['submit', 'ls', '-la'], 'There is no option -l (in -la). See --help for all.'],
    [
      ['ps', '-o', 'xml'],
      '"xml" of -o is not valid: it must be one of table, json, quiet. \'octaskly ps --help\' says how.',
    ],
    [
      ['ps', '--status', 'runing'],
      '"runing" is not a state of tasks. The nearest is "running". \'octaskly ps --help\' says how.',
    ],
    [['ps', '--since', 'soon'], '"soon" of --since is neither an age such as 2h nor an ISO 8601 instant.'],
    [['run', '--nope', 'x'], 'There is no option --nope. See --help for all.'],
    [['ps', '--api', 'ftp://x'], '"ftp://x" is not an address like http://host:3000. \'octaskly ps --help\' says how.'],
    [['retry'], 'Something is missing: octaskly retry SELECTOR... or --failed.'],
  ])('ends with 2 for %j', async (argv, message) => {
    const shell = new Shell({ dispatcher: new FakeDispatcher() });
    expect(await shell.run(...argv)).toBe(2);
    expect([shell.stderr.text, shell.stdout.text]).toEqual([`octaskly: ${message}\n`, '']);
  });

  test('says which address was tried and what to do when no dispatcher answers', async () => {
    const shell = new Shell();
    expect(await shell.run('ps', '--api', 'pi:3000')).toBe(1);
    expect(shell.stderr.text).toBe(
      "octaskly: Cannot reach a dispatcher at http://pi:3000: the connection was refused. Start one with 'octaskly dispatcher', or say where it is with --api URL or OCTASKLY_API.\n",
    );
  });

  test('ends quietly when the reader of its output is gone', async () => {
    const dispatcher = new FakeDispatcher();
    for (let i = 0; i < 50; i++) dispatcher.submit({ command: 'x' });
    const shell = new Shell({ dispatcher });
    shell.stdout.bytesMax = 10;
    expect(await shell.run('ps', '-o', 'quiet')).toBe(0);
    expect(shell.stderr.text).toBe('');
  });

  test('takes the options of the way to the dispatcher before the command too', async () => {
    const shell = new Shell({ dispatcher: new FakeDispatcher() });
    expect(await shell.run('--api', 'http://x', 'ps')).toBe(0);
    expect([await shell.run('--verison'), await shell.run('')]).toEqual([2, 2]);
    expect(shell.stderr.text).toContain('The nearest is --version.');
    expect(shell.stderr.text).toContain('There is no command "". \'octaskly');
    expect(await shell.run('--version')).toBe(0);
    expect(shell.stdout.text).toEndWith('octaskly 9.9.9\n');
  });

  test('sends the named token, else one of this machine, but that never to another machine', async () => {
    const sent = async (argv: readonly string[], env: Record<string, string> = {}) => {
      const dispatcher = new FakeDispatcher();
      await new Shell({ dispatcher, env, files: { '/t': 'of-file\n' } }).run('ps', '-o', 'quiet', ...argv);
      return dispatcher.requests[0]?.headers.get('authorization') ?? null;
    };
    expect(await sent([])).toBe('Bearer token-of-/home/ada/.octaskly');
    expect(await sent(['--token-file', '/t'], { OCTASKLY_DATA_DIR: '/d' })).toBe('Bearer of-file');
    expect(await sent([], { OCTASKLY_TOKEN: 'of-env' })).toBe('Bearer of-env');
    expect(await sent(['--api', 'http://[::1]:3000'], { OCTASKLY_DATA_DIR: '/d' })).toBe('Bearer token-of-/d');
    expect(await sent(['--api', 'http://pi:3000'])).toBeNull();
    expect(await sent(['--api', 'http://127.0.0.1.evil:3000'])).toBeNull();
    expect(await sent(['--api', 'http://pi:3000'], { OCTASKLY_SECRET: 's' })).toBe(
      'Bearer token-of-/home/ada/.octaskly',
    );
  });

  test('hands backup and restore their file', async () => {
    const shell = new Shell();
    expect(await shell.run('backup', '/nas/b.db', '--data-dir', '~/d')).toBe(0);
    expect(await shell.run('restore', '/nas/b.tar', '--force')).toBe(0);
    expect(shell.roleCalls).toMatchObject([
      ['backup', { dataDir: '/home/ada/d', force: false }, '/nas/b.db'],
      ['restore', { dataDir: '/home/ada/.octaskly', force: true }, '/nas/b.tar'],
    ]);
  });
});

describe('selectors', () => {
  test.each([
    ['last', { kind: 'last' }],
    ['all', { kind: 'all' }],
    ['batch:b1', { kind: 'batch', id: 'b1' }],
    ['tag:a=b:c', { kind: 'tag', tag: 'a=b:c' }],
    ['status:failed', { kind: 'status', status: 'failed' }],
    ['01HQ', { kind: 'id', prefix: '01hq' }],
  ] as const)('parseSelector("%s")', (word, selector) => {
    expect(parseSelector(word)).toEqual(selector);
  });

  test.each(['', 'tag:a', 'batch:', 'owner:me', 'a/b', 'ilo', '0123456789abc'])(
    'parseSelector("%s") refuses',
    (word) => {
      expect(() => parseSelector(word)).toThrow('does not name tasks');
    },
  );

  test('a prefix of several ids is an error that lists them', async () => {
    const dispatcher = new FakeDispatcher();
    const ids = ['a', 'b'].map((command) => dispatcher.submit({ command }).id).reverse();
    const shell = new Shell({ dispatcher });
    expect(await shell.run('cancel', '01hq')).toBe(1);
    expect(shell.stderr.text).toBe(
      `octaskly: "01hq" is the beginning of several ids: ${ids.join(', ')}. 'octaskly ps' lists tasks.\n`,
    );
    expect(await shell.run('show', '9')).toBe(1);
    expect(shell.stderr.text).toEndWith('There is no task whose id begins with "9". \'octaskly ps\' lists tasks.\n');
  });

  test('cancel asks for tasks that have not ended, each once', async () => {
    const dispatcher = new FakeDispatcher();
    const [a = '', b = '', c = ''] = ['a', 'b', 'c'].map((command) => dispatcher.submit({ command }).id);
    dispatcher.end(a, { exit_code: 0 });
    const shell = new Shell({ dispatcher });
    expect(await shell.run('cancel', 'all', 'last', a)).toBe(0);
    expect(dispatcher.cancelled.toSorted()).toEqual([b, c]);
    expect(shell.stdout.text.split('\n').filter(Boolean).toSorted()).toEqual([b, c]);
    expect(shell.stderr.text).toBe(`octaskly: Task ${a} has ended already: completed.\n`);
  });
});

describe('submit', () => {
  test('sends what the flags say and prints the id', async () => {
    const dispatcher = new FakeDispatcher();
    const before = dispatcher.submit({ command: 'before' });
    const shell = new Shell({ dispatcher });
    const flags = '--timeout 5m --retries 2 --priority -5 --cpus 0.5 --mem 1G --gpus 1 --label a=b --require c=d';
    const more = '--env X=1 --workdir /w --after last --name n --tag t=1 --max-output 1K';
    expect(await shell.run('submit', 'echo', 'hi', ...flags.split(' '), ...more.split(' '))).toBe(0);
    const [id, task] = [...dispatcher.tasks].at(-1) ?? [];
    expect(shell.stdout.text).toBe(`${id}\n`);
    expect(task?.request).toEqual({
      ...{ command: 'echo hi', timeout: 300, retry_count: 2, priority: -5, env: { X: '1' }, workdir: '/w', name: 'n' },
      requires: { cpu_cores: 0.5, memory_mb: 1024, gpu: 1, labels: { a: 'b', c: 'd' } },
      ...{ depends_on: [before.id], tags: { t: '1' }, max_output: 1024 },
    });
  });

  test('--wait shows the output and exits as the task did; Ctrl-C leaves the task alone', async () => {
    const dispatcher = new FakeDispatcher();
    dispatcher.onSubmit = (id) => {
      dispatcher.write(id, 'stdout', 'out');
      dispatcher.end(id, { status: 'failed', exit_code: 9 });
    };
    const shell = new Shell({ dispatcher });
    expect(await shell.run('submit', '--wait', 'x')).toBe(9);
    expect(shell.stdout.text).toBe('out');
    dispatcher.onSubmit = () => {};
    dispatcher.intercept = ({ path }) => {
      if (path.endsWith('/output')) queueMicrotask(() => shell.signal('SIGINT'));
      return null;
    };
    expect(await shell.run('submit', '--wait', 'x')).toBe(130);
    expect(dispatcher.cancelled).toEqual([]);
  });

  test('cancel batch:ID cancels the batch as a whole, so that nothing joins it any more', async () => {
    const dispatcher = new FakeDispatcher();
    const { id } = dispatcher.submit({ command: 'x' }, 'b1');
    dispatcher.intercept = ({ method, path }) => {
      return method === 'GET' && path.endsWith('/batches/b1') ? Response.json({ id: 'b1' }) : null;
    };
    const shell = new Shell({ dispatcher });
    expect([await shell.run('cancel', 'batch:b1'), shell.stdout.text]).toEqual([0, `${id}\n`]);
    expect(dispatcher.cancelled).toContain('b1');
  });

  test('--wait ends as by SIGPIPE when nobody reads, and says that the task goes on', async () => {
    const dispatcher = new FakeDispatcher();
    dispatcher.onSubmit = (id) => dispatcher.write(id, 'stdout', 'y\ny\n');
    const shell = new Shell({ dispatcher });
    shell.stdout.bytesMax = 1;
    expect(await shell.run('submit', '--wait', 'yes')).toBe(141);
    expect(dispatcher.cancelled).toEqual([]);
    expect(shell.stderr.text).toMatch(/Nobody reads the output any more. Task \S+ goes on: octaskly wait /);
  });

  test('tells which field the API refused', async () => {
    const dispatcher = new FakeDispatcher();
    const body = {
      type: 'urn:octaskly:problem:invalid',
      detail: 'Not valid.',
      errors: [{ path: 'name', message: 'long' }],
    };
    dispatcher.intercept = () => Response.json(body, { status: 422 });
    const shell = new Shell({ dispatcher });
    expect(await shell.run('submit', 'x')).toBe(2);
    expect(shell.stderr.text).toBe("octaskly: Not valid (name: long). 'octaskly submit --help' says how.\n");
  });
});

describe('looking', () => {
  test('ps prints a table, the JSON of the API, or ids', async () => {
    const dispatcher = new FakeDispatcher();
    dispatcher.intercept = ({ path }) =>
      path === '/api/v1/workers' ? Response.json({ workers: [{ id: 'w1', name: 'attic' }], next_cursor: null }) : null;
    const { id } = dispatcher.submit({ command: 'echo \u001b[31m', name: 'n' });
    dispatcher.end(id, { exit_code: 0, duration_ms: 1500, worker_id: 'w1' });
    const shell = new Shell({ dispatcher });
    expect(await shell.run('ps')).toBe(0);
    expect(shell.stdout.text).toBe(
      `ID            STATUS     EXIT  TIME    AGE  WORKER  NAME  COMMAND\n${id}  completed     0  1.5s  1h00m  attic   n     echo \\x1b[31m\n`,
    );
    const json = new Shell({ dispatcher });
    await json.run('ps', '-o', 'json');
    expect(JSON.parse(json.stdout.text)).toEqual({
      tasks: [dispatcher.find(id).view],
      next_cursor: null,
      worker_names: { w1: 'attic' },
    });
  });

  test('colours states only on a terminal, and not against NO_COLOR', async () => {
    const colored = async (env: Record<string, string>, columns?: number) => {
      const dispatcher = new FakeDispatcher();
      dispatcher.end(dispatcher.submit({ command: 'x'.repeat(200) }).id, {});
      const shell = new Shell({ dispatcher, env, ...(columns === undefined ? {} : { columns }) });
      await shell.run('wait', 'last');
      return shell.stdout.text;
    };
    expect(await colored({}, 80)).toContain('\u001b[32mcompleted');
    for (const line of (await colored({}, 80)).split('\n')) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
    expect(await colored({ NO_COLOR: '1' }, 80)).not.toContain('\u001b');
    expect(await colored({})).not.toContain('\u001b');
  });

  test('logs keeps the streams apart, --stderr prints one on standard output', async () => {
    const dispatcher = new FakeDispatcher();
    const { id } = dispatcher.submit({ command: 'x' });
    dispatcher.write(id, 'stdout', 'o');
    dispatcher.write(id, 'stderr', 'e');
    const both = new Shell({ dispatcher });
    expect(await both.run('logs', 'last')).toBe(0);
    expect([both.stdout.text, both.stderr.text]).toEqual(['o', 'e']);
    const one = new Shell({ dispatcher });
    dispatcher.end(id, {});
    expect(await one.run('logs', '-f', '--stderr', id)).toBe(0);
    expect([one.stdout.text, one.stderr.text]).toEqual(['e', '']);
  });

  test('export writes CSV with a title line, or JSONL', async () => {
    const dispatcher = new FakeDispatcher();
    const { id } = dispatcher.submit({ command: 'echo "a", b' });
    const shell = new Shell({ dispatcher });
    expect(await shell.run('export')).toBe(0);
    const [title = '', line = ''] = shell.stdout.text.split('\r\n');
    expect(title).toStartWith('id,name,command,status,exit_code,');
    expect(line).toStartWith(`${id},,"echo ""a"", b",queued,,`);
    const lines = new Shell({ dispatcher });
    await lines.run('export', '--format', 'jsonl');
    expect(JSON.parse(lines.stdout.text)).toEqual(dispatcher.find(id).view);
  });

  test('drain names the nearest worker when there is no such', async () => {
    const dispatcher = new FakeDispatcher();
    const posts: string[] = [];
    dispatcher.intercept = ({ method, path }) => {
      if (method === 'POST') posts.push(path);
      return Response.json({ workers: [{ id: 'w1', name: 'attic' }], next_cursor: null });
    };
    const shell = new Shell({ dispatcher });
    expect(await shell.run('drain', 'atic')).toBe(1);
    expect(shell.stderr.text).toBe(
      'octaskly: There is no worker "atic". The nearest is "attic". \'octaskly workers\' lists workers.\n',
    );
    expect(await shell.run('undrain', 'attic')).toBe(0);
    expect(posts).toEqual(['/api/v1/workers/w1/undrain']);
  });

  test('batch submits a manifest; with --wait its status tells whether all completed', async () => {
    const dispatcher = new FakeDispatcher();
    dispatcher.intercept = ({ method, path }) =>
      method === 'GET' && path.startsWith('/api/v1/batches') ? problem(404, 'not_found', 'no') : null;
    dispatcher.onSubmit = (id) => dispatcher.end(id, id.endsWith('2') ? { status: 'failed', exit_code: 1 } : {});
    const files = { 'f.yaml': 'name: n\ntasks:\n  - command: a\n  - command: b\n' };
    const shell = new Shell({ dispatcher, files });
    expect(await shell.run('batch', 'f.yaml', '--wait', '-o', 'quiet')).toBe(1);
    expect(shell.stdout.text).toBe(`${[...dispatcher.tasks.keys()].join('\n')}\n`);
    expect(await shell.run('batch', 'none.json')).toBe(2);
  });
});
