import { describe, expect, test } from 'bun:test';
import { FakeDispatcher, problem } from './dispatcher.ts';
import { Shell, type ShellOptions } from './terminal.ts';

const hush = 'hush-0123456789abcdef';

describe('a secret on the command line', () => {
  const warned = /Everybody on this machine can read what is given with/g;

  test.each([
    [['dispatcher', '--secret', hush]],
    [['dispatcher', `--secret=${hush}`]],
    [['worker', '--secret-key', hush]],
    [['up', '--secret', 'other', `--secret=${hush}`]],
    [['ps', '--token', hush]],
    [['ps', `--token=${hush}`]],
    [['--token', hush, 'ps']],
  ])('%j works and is warned about once', async (argv) => {
    const shell = new Shell({ dispatcher: new FakeDispatcher() });
    expect(await shell.run(...argv)).toBe(0);
    expect(shell.stderr.text.match(warned)).toHaveLength(1);
    expect(shell.stderr.text).not.toContain(hush);
  });

  test.each([
    [['dispatcher', '--secrt', hush], 'There is no option --secrt. The nearest is --secret.'],
    [['dispatcher', `--secrt=${hush}`], 'There is no option --secrt.'],
    [['dispatcher', `-secret=${hush}`], 'There is no option -secret. The nearest is --secret.'],
    [['dispatcher', `-s${hush}`], 'There is no option -s.'],
    [['dispatcher', '--secret', ''], 'The value of --secret is not valid: it must be a text that is not empty.'],
    [['dispatcher', '--secret='], 'The value of --secret is not valid'],
    [['dispatcher', '--secret', 'two', 'words'], 'A word is too much: octaskly dispatcher.'],
    [['dispatcher', hush], 'A word is too much: octaskly dispatcher.'],
    [['dispatcher', '--secret', hush, '--secret-file', '/f'], 'say the same thing'],
    [['worker', `--no-secret=${hush}`], 'There is no option --no-secret.'],
    [[hush], 'There is no such command.'],
    [['--secret', hush, 'worker'], 'There is no option --secret.'],
    [['ps', '--token', `${hush}\n`], 'The access token is not valid'],
    [['ps', '--token', `${hush} x`], 'The access token is not valid'],
    [['ps', '--token', `${hush}é`], 'The access token is not valid'],
    [['ps', '--tokn', hush], 'There is no option --tokn. The nearest is --token.'],
    [['ps', '--api', `ftp://ada:${hush}@pi`], '"ftp://…@pi" is not an address'],
    [['secret', 'rotate', hush], 'A word is too much: octaskly secret [rotate].'],
    [['secret', hush], "'octaskly secret' does not do that"],
  ])('%j ends with 2 and an error without it', async (argv, message) => {
    const shell = new Shell({ dispatcher: new FakeDispatcher() });
    expect(await shell.run(...argv)).toBe(2);
    expect(shell.stderr.text).toContain(message);
    for (const part of [hush, 'words']) expect(shell.stderr.text + shell.stdout.text).not.toContain(part);
  });

  test('is not repeated from a config file that is not TOML', async () => {
    for (const text of [`secret = ${hush}`, `secret = "${hush}`, `secret "${hush}"`, `"${hush}"`]) {
      const shell = new Shell({ files: { '/c': text } });
      expect(await shell.run('dispatcher', '--config', '/c')).toBe(2);
      expect(shell.stderr.text).toStartWith('octaskly: /c is not valid TOML: ');
      expect(shell.stderr.text).not.toContain(hush);
    }
  });

  test('has other ways, which the help names', async () => {
    const shell = new Shell();
    await shell.run('dispatcher', '--help');
    await shell.run('ps', '--help');
    for (const name of ['SECRET', 'SECRET_FILE', 'TOKEN', 'TOKEN_FILE']) {
      expect(shell.stdout.text).toContain(`env: OCTASKLY_${name})`);
    }
  });
});

test('--token-file that others can read is refused before anything is sent', async () => {
  const dispatcher = new FakeDispatcher();
  const shell = new Shell({ dispatcher, files: { '/open': 'a.b.c' } });
  expect(await shell.run('ps', '--token-file', '/open')).toBe(2);
  expect(shell.stderr.text).toBe('octaskly: "/open" can be read by others; chmod 600\n');
  expect(await shell.run('ps', '--token-file', '/none')).toBe(2);
  expect(shell.stderr.text).toEndWith("octaskly: There is no token in /none. 'octaskly ps --help' says how.\n");
  expect(dispatcher.requests).toHaveLength(0);
});

describe('--tls-fingerprint', () => {
  const pinned = async (...argv: string[]): Promise<unknown> => {
    const shell = new Shell({ dispatcher: new FakeDispatcher() });
    const status = await shell.run('ps', '-o', 'quiet', ...argv);
    return status === 0 ? shell.pins : shell.stderr.text;
  };

  test('goes with address and data directory to where connections are made', async () => {
    const dataDir = '/home/ada/.octaskly';
    expect(await pinned('--api', 'https://pi:3000', '--tls-fingerprint', 'AB')).toEqual([
      { baseUrl: 'https://pi:3000', fingerprint: 'AB', dataDir },
    ]);
    expect(await pinned('--api', 'https://pi:3000')).toEqual([
      { baseUrl: 'https://pi:3000', fingerprint: null, dataDir },
    ]);
  });

  test('means HTTPS, and is never dropped in silence', async () => {
    expect(await pinned('--api', 'pi:3000', '--tls-fingerprint', 'AB')).toMatchObject([{ baseUrl: 'https://pi:3000' }]);
    expect(await pinned('--api', 'http://pi:3000', '--tls-fingerprint', 'AB')).toBe(
      'octaskly: A certificate is expected (--tls-fingerprint), but http://pi:3000 has none: say --api https://HOST:PORT.\n',
    );
  });
});

test('a dispatcher is found by --api, else by what the one of the data directory left, else at the default port', async () => {
  const reached = async (announced: string | undefined, ...argv: string[]): Promise<unknown> => {
    const shell = new Shell({ dispatcher: new FakeDispatcher(), ...(announced === undefined ? {} : { announced }) });
    await shell.run('ps', '-o', 'quiet', ...argv);
    return shell.pins.map((pin) => pin.baseUrl);
  };
  expect(await reached(undefined)).toEqual(['http://127.0.0.1:3000']);
  expect(await reached('https://127.0.0.1:4000')).toEqual(['https://127.0.0.1:4000']);
  expect(await reached('https://127.0.0.1:4000', '--api', 'http://pi:3000')).toEqual(['http://pi:3000']);
});

describe('what to do next', () => {
  const failing = async (answer: Response, argv: readonly string[], options: ShellOptions = {}) => {
    const dispatcher = new FakeDispatcher();
    dispatcher.intercept = () => answer.clone();
    const shell = new Shell({ ...options, dispatcher });
    return [await shell.run(...argv), shell.stderr.text];
  };
  const env = { OCTASKLY_TOKEN: 'a.b.c' };

  test('without a valid token: how to get one', async () => {
    const [status, text] = await failing(problem(401, 'unauthorized', 'No.'), ['ps'], {
      env,
    });
    expect(status).toBe(2);
    expect(text).toBe(
      "octaskly: No. Give a token with --token-file or OCTASKLY_TOKEN; 'octaskly token create --name NAME' on the dispatcher's machine makes one.\n",
    );
  });

  test.each([
    ['token list', 'admin', 'admin'],
    ['approve', 'dispatcher or admin', 'dispatcher'],
    ['drain x', 'dispatcher or admin', 'dispatcher'],
    ['ps', 'client, dispatcher or admin', 'client'],
  ])('%s with a role that does not suffice: which does', async (line, roles, role) => {
    const detail = 'The role "worker" may not do this: x.';
    const [status, text] = await failing(problem(403, 'forbidden', detail), line.split(' '), { env });
    expect(status).toBe(2);
    expect(text).toContain(`${detail} 'octaskly ${line.split(' ')[0]}' needs a token of the role ${roles}:`);
    expect(text).toContain(`'octaskly token create --role ${role} --name NAME'`);
  });

  test('a foreign host name is no matter of roles', async () => {
    const [, text] = await failing(problem(403, 'forbidden', 'Not for that host.'), ['ps'], { env });
    expect(text).toBe('octaskly: Not for that host.\n');
  });

  test('too many calls: to wait, unless the dispatcher says how long', async () => {
    const [status, text] = await failing(problem(429, 'rate_limited', 'Slow.'), ['ps']);
    expect([status, text]).toEqual([1, 'octaskly: Slow. Wait a few seconds and try again.\n']);
    const [, told] = await failing(problem(429, 'rate_limited', 'Slow: try again in 3 s.'), ['ps']);
    expect(told).toBe('octaskly: Slow: try again in 3 s.\n');
    const [, full] = await failing(problem(429, 'queue_full', 'Full.'), ['submit', 'x']);
    expect(full).toContain('--max-queue-size');
  });
});

test('ps shows tasks to a role that may not see workers', async () => {
  const dispatcher = new FakeDispatcher();
  const { id } = dispatcher.submit({ command: 'x' });
  dispatcher.end(id, { worker_id: 'w1' });
  dispatcher.intercept = ({ path }) => (path === '/api/v1/workers' ? problem(403, 'forbidden', 'No.') : null);
  const shell = new Shell({ dispatcher });
  expect(await shell.run('ps')).toBe(0);
  expect(shell.stdout.text).toMatch(new RegExp(`^${id} .* w1 `, 'm'));
});

test('ps and show give workers by name to a role that may not see workers', async () => {
  const dispatcher = new FakeDispatcher();
  const { id } = dispatcher.submit({ command: 'x' });
  dispatcher.end(id, { worker_id: 'w1' });
  const { view } = dispatcher.find(id);
  const worker_names = { w1: 'attic' };
  dispatcher.intercept = ({ path }) => {
    if (path === '/api/v1/tasks') return Response.json({ tasks: [view], next_cursor: null, worker_names });
    if (path === `/api/v1/tasks/${id}`) return Response.json({ ...view, attempts: [], worker_names });
    return path === '/api/v1/workers' ? problem(403, 'forbidden', 'No.') : null;
  };
  const told = async (...argv: readonly string[]): Promise<string> => {
    const shell = new Shell({ dispatcher });
    expect(await shell.run(...argv)).toBe(0);
    return shell.stdout.text;
  };
  expect(await told('ps')).toMatch(new RegExp(`^${id} .* attic `, 'm'));
  expect(JSON.parse(await told('ps', '-o', 'json')).worker_names).toEqual(worker_names);
  expect(await told('show', id)).toContain('attic (w1)');
});

test('map waits out a limit of submissions', async () => {
  const dispatcher = new FakeDispatcher();
  let refused = 0;
  dispatcher.onSubmit = (id) => dispatcher.end(id, { exit_code: 0 });
  dispatcher.intercept = ({ method, path }) => {
    if (method !== 'POST' || path !== '/api/v1/batches' || refused++ > 0) return null;
    return problem(429, 'rate_limited', 'Slow.');
  };
  const shell = new Shell({ dispatcher });
  expect(await shell.run('map', 'x', ':::', 'a', 'b')).toBe(0);
  expect(dispatcher.tasks.size).toBe(2);
});
