import { describe, expect, test } from 'bun:test';
import { distance, nearest } from '../../../src/base/nearest.ts';
import { mapOptions, submitOptions } from '../../../src/cli/client-options.ts';
import { resolveOptions, variableOf } from '../../../src/cli/config.ts';
import { type OptionTable, parseAddress, parseDuration, parseSize } from '../../../src/cli/option.ts';
import { dispatcherOptions, workerOptions } from '../../../src/cli/options.ts';
import { type OptionsEnd, parseLine } from '../../../src/cli/parse.ts';
import { clusterEventsDefault } from '../../../src/core/notification.ts';
import { Shell } from './terminal.ts';

interface Given {
  readonly env?: Record<string, string>;
  readonly file?: Record<string, unknown>;
}

function valuesOf<S extends OptionTable>(table: S, line: readonly string[], { env = {}, file }: Given = {}) {
  const { given } = parseLine(line, table, 'anywhere');
  const config = file === undefined ? null : { path: '/x/config.toml', entries: file };
  return resolveOptions(table, { given, env, file: config, homeDir: '/home/ada' });
}

const dispatcher = (line: string, given?: Given) => valuesOf(dispatcherOptions, line.split(' ').filter(Boolean), given);
const worker = (line: string, given?: Given) => valuesOf(workerOptions, line.split(' ').filter(Boolean), given);

describe('the options', () => {
  test('have the defaults of the contract', () => {
    expect(dispatcher('')).toEqual({
      ...{ port: 7878, bind: '0.0.0.0', apiPort: 3000, apiBind: undefined, maxWorkers: 10, taskTimeoutMs: 3_600_000 },
      ...{ dist: undefined, distUrl: undefined, installListener: true },
      ...{ maxQueueSize: 10_000, requireAuth: 'auto', secret: undefined, secretFile: undefined, dbPath: undefined },
      ...{
        retentionMs: 30 * 86_400_000,
        auditRetentionMs: 365 * 86_400_000,
        heartbeatTimeoutMs: 60_000,
        dataDir: '/home/ada/.octaskly',
        config: undefined,
      },
      ...{ verbose: false, quiet: false, logFile: undefined, logFormat: 'text' },
      ...{ logMaxBytes: 10_485_760, logKeep: 5 },
      ...{ allowHost: [], allowOrigin: [], allowWorker: [], approvals: true, submitRate: 100, denyList: undefined },
      ...{ tls: 'off', tlsCert: undefined, tlsKey: undefined, quic: false, p2pEnabled: true, wake: true },
      ...{ discovery: true, discoveryPort: 5555, interfaces: [], ui: false },
      ...{ notify: [], notifyOn: [...clusterEventsDefault], notifyAllow: [] },
    });
    expect(worker('')).toMatchObject({ port: 7878, maxJobs: 4, dispatcher: [], label: [], gpu: undefined });
  });

  for (const [name, table] of Object.entries({ dispatcherOptions, workerOptions, mapOptions, submitOptions })) {
    test(`of ${name} have flags and letters of their own`, () => {
      const options = Object.values(table);
      const names = options.flatMap((option) => [option.flag, ...option.aliases]);
      const letters = options.flatMap((option) => (option.short === null ? [] : [option.short]));
      expect(new Set(names).size).toBe(names.length);
      expect(new Set(letters).size).toBe(letters.length);
    });
  }

  test('that this version does not have are unknown', () => {
    for (const flag of ['--whence', '--mdns']) {
      expect(() => dispatcher(flag), flag).toThrow(`There is no option ${flag}.`);
      expect(() => worker(flag), flag).toThrow('There is no option');
    }
  });
});

describe('parseLine()', () => {
  test.each([
    ['--port 1', { port: 1 }],
    ['--port=1', { port: 1 }],
    ['-p 1', { port: 1 }],
    ['-p1', { port: 1 }],
    ['-p=1', { port: 1 }],
    ['-p 1 --port 2', { port: 2 }],
    ['-vq', { verbose: true, quiet: true }],
    ['-vp1', { verbose: true, port: 1 }],
    ['--verbose', { verbose: true }],
    ['--verbose true', { verbose: true }],
    ['--verbose=false', { verbose: false }],
    ['--verbose false', { verbose: false }],
    ['--no-verbose', { verbose: false }],
    ['--require-auth', { requireAuth: 'true' }],
    ['--require-auth -v', { requireAuth: 'true', verbose: true }],
    ['--require-auth false', { requireAuth: 'false' }],
    ['--secret-key s', { secret: 's' }],
    ['-t 90', { taskTimeoutMs: 90_000 }],
    ['--retention 2d', { retentionMs: 172_800_000 }],
  ])('reads "%s"', (line, values) => {
    expect(dispatcher(line)).toMatchObject(values);
  });

  test('reads what a worker takes', () => {
    const values = worker('-d pi --dispatcher-addr 10.0.0.2:99 --dispatcher-port 5 --gpu 2 -m 2G -c 1.5 --label a=b=c');
    expect(values).toMatchObject({ port: 5, gpu: 2, memoryMb: 2048, cpuCores: 1.5, label: [['a', 'b=c']] });
    expect(values.dispatcher).toEqual([
      { host: 'pi', port: null },
      { host: '10.0.0.2', port: 99 },
    ]);
    expect(worker('--gpu').gpu).toBe(1);
    expect(worker('--gpu false').gpu).toBe(0);
  });

  test.each([
    ['--prot 1', 'There is no option --prot. The nearest is --port.'],
    ['-z', 'There is no option -z.'],
    ['-vz', 'There is no option -z (in -vz).'],
    ['--no-port', 'There is no option --no-port.'],
    ['--port', '--port needs a value: --port PORT.'],
    ['--port 1x', '"1x" of --port is not valid: it must be a whole number from 0 to 65535.'],
    ['--verbose=yes', '"yes" of --verbose is not valid: it must be true or false.'],
    ['-t 5y', '"5y" of -t is not valid: it must be a duration'],
    ['--max-workers 0', '"0" of --max-workers is not valid: it must be a whole number from 1 to 100000.'],
    ['--log-format xml', '"xml" of --log-format is not valid: it must be one of text, json.'],
    ['--secret=', 'The value of --secret is not valid'],
  ])('refuses "%s"', (line, message) => {
    expect(() => dispatcher(line)).toThrow(message);
  });

  test('takes a word behind a switch for its value only where none can be meant', () => {
    const read = (line: string[]) => parseLine(line, mapOptions, 'first word', { booleans: 'attached' });
    expect(read(['-k', 'true', 'x']).words).toEqual(['true', 'x']);
    expect(read(['--keep-order', 'false']).words).toEqual(['false']);
    const attached = read(['--keep-order=false', 'true']);
    expect([attached.words, attached.given.get('keepOrder')?.[0]?.text]).toEqual([['true'], 'false']);
    expect(parseLine(['-k', 'true', 'x'], mapOptions, 'first word').words).toEqual(['x']);
  });

  const words = (line: string[], end: OptionsEnd) => parseLine(line, mapOptions, end).words;

  test('ends options where the command says', () => {
    expect(words(['-k', 'ls', '-la', '--', 'x'], 'first word')).toEqual(['ls', '-la', '--', 'x']);
    expect(words(['gzip', '-k'], 'unquoted word')).toEqual(['gzip', '-k']);
    expect(words(['gzip -9', '-k', ':::', '-a', '--x'], 'unquoted word')).toEqual(['gzip -9', ':::', '-a', '--x']);
    expect(words(['a', '-k', '--', '-b'], 'anywhere')).toEqual(['a', '-b']);
  });

  test('gives an option that can stand alone the next word only if it is its value', () => {
    const tags = (line: string[]) =>
      parseLine(line, mapOptions, 'first word')
        .given.get('tag')
        ?.map((one) => one.text);
    expect(tags(['--tag', 'echo', 'a=b'])).toEqual(['']);
    expect(tags(['--tag', 'a=b', 'echo'])).toEqual(['a=b']);
    expect(tags(['--tag=a=b', '--tag', 'A=1 echo'])).toEqual(['a=b', '']);
  });
});

describe('resolveOptions()', () => {
  test('takes command line over environment over file over default', () => {
    const file = { 'max-workers': 3, port: 3, 'api-port': 3, bind: 'f' };
    const env = { OCTASKLY_PORT: '2', OCTASKLY_MAX_WORKERS: '2', OCTASKLY_API_PORT: '' };
    const values = dispatcher('--port 1', { env, file });
    expect([values.port, values.maxWorkers, values.apiPort, values.bind]).toEqual([1, 2, 3, 'f']);
  });

  test('takes of two forms of a secret the one with higher precedence, and refuses both at once', () => {
    const shown = ({ secret, secretFile }: { secret: unknown; secretFile: unknown }) => [secret, secretFile];
    const env = { OCTASKLY_SECRET: 'e' };
    expect(shown(dispatcher('--secret-file /f', { env }))).toEqual([undefined, '/f']);
    expect(shown(dispatcher('', { env, file: { 'secret-file': '/f' } }))).toEqual(['e', undefined]);
    expect(shown(dispatcher('', { env: { OCTASKLY_SECRET_FILE: '/f' }, file: { secret: 'c' } }))).toEqual([
      undefined,
      '/f',
    ]);
    expect(() => dispatcher('--secret a --secret-file /f')).toThrow(
      '--secret-file and --secret say the same thing: give one of them.',
    );
  });

  test('reads every kind from environment and file as from the command line', () => {
    const env = { OCTASKLY_LABEL: 'a=1,b=2', OCTASKLY_GPU: 'true', OCTASKLY_VERBOSE: 'true', OCTASKLY_WORK_DIR: '~/w' };
    const file = { dispatcher: ['x:1', 'y'], memory: '1G', cpu_cores: 2, quiet: true };
    expect(worker('', { env, file })).toMatchObject({
      label: [
        ['a', '1'],
        ['b', '2'],
      ],
      ...{ gpu: 1, verbose: true, workDir: '/home/ada/w', memoryMb: 1024, cpuCores: 2, quiet: true },
      dispatcher: [
        { host: 'x', port: 1 },
        { host: 'y', port: null },
      ],
    });
  });

  test('says where a bad value came from', () => {
    expect(() => dispatcher('', { env: { OCTASKLY_PORT: 'x' } })).toThrow('"x" of OCTASKLY_PORT is not valid');
    expect(() => dispatcher('', { file: { port: 'x' } })).toThrow('"x" of "port" in /x/config.toml is not valid');
    expect(() => dispatcher('', { file: { port: [1] } })).toThrow('"port" in /x/config.toml is a list');
    expect(() => dispatcher('', { file: { port: {} } })).toThrow('must be a text, a number, true or false');
  });

  test('keeps flags of one call out of the environment', () => {
    expect(valuesOf(submitOptions, [], { env: { OCTASKLY_NAME: 'pi', OCTASKLY_TIMEOUT: '5' } }).name).toBeUndefined();
  });
});

describe('values', () => {
  test.each([
    ['30', 30_000],
    ['1.5s', 1500],
    ['500ms', 500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['30d', 2_592_000_000],
  ])('parseDuration("%s")', (text, value) => {
    expect(parseDuration(text)).toEqual({ value });
  });

  test.each(['', 's', '-1', '1 s', '1e3', '5y', '1.2.3'])('parseDuration("%s") refuses', (text) => {
    expect(parseDuration(text)).toHaveProperty('expected');
  });

  test('parseSize() knows its unit for a bare number', () => {
    expect(parseSize('512', 2 ** 20)).toEqual({ value: 512 * 2 ** 20 });
    expect(parseSize('512', 1)).toEqual({ value: 512 });
    expect(parseSize('1.5GiB', 1)).toEqual({ value: 1.5 * 2 ** 30 });
    expect(parseSize('64k', 1)).toEqual({ value: 65_536 });
    expect(parseSize('2P', 1)).toHaveProperty('expected');
  });

  test('parseAddress() reads names, IPv4 and IPv6', () => {
    expect(parseAddress('pi.local:1')).toEqual({ value: { host: 'pi.local', port: 1 } });
    expect(parseAddress('fe80::1')).toEqual({ value: { host: 'fe80::1', port: null } });
    expect(parseAddress('[fe80::1%eth0]:7')).toEqual({ value: { host: 'fe80::1%eth0', port: 7 } });
    for (const bad of ['', 'a:b', 'a:0', 'a:70000', 'http://a']) expect(parseAddress(bad)).toHaveProperty('expected');
  });

  test('nearest() counts a swap as one slip', () => {
    expect(distance('prot', 'port')).toBe(1);
    expect(distance('', 'abc')).toBe(3);
    expect(nearest('wokrers', ['wait', 'workers', 'worker'])).toBe('workers');
  });

  test('variableOf() makes the name of the environment variable', () => {
    expect(variableOf('max-queue-size')).toBe('OCTASKLY_MAX_QUEUE_SIZE');
  });
});

describe('runCli() settles options', () => {
  test('with the config file of the data directory, checked for unknown keys', async () => {
    const shell = new Shell({
      files: { '/d/config.toml': 'port = 9\nmax-jobs = 2' },
      env: { OCTASKLY_DATA_DIR: '/d' },
    });
    expect(await shell.run('dispatcher')).toBe(0);
    expect(shell.roleCalls).toMatchObject([['dispatcher', { port: 9, dataDir: '/d' }]]);
    const typo = new Shell({ files: { '/home/ada/.octaskly/config.toml': 'prot = 9' } });
    expect(await typo.run('worker')).toBe(2);
    expect(typo.stderr.text).toBe(
      'octaskly: "prot" in /home/ada/.octaskly/config.toml is not an option. The nearest is "port". \'octaskly worker --help\' says how.\n',
    );
  });

  test('with --config, which must exist and be TOML', async () => {
    const shell = new Shell({ files: { '/c': 'port = ' } });
    expect(await shell.run('dispatcher', '--config', '/c')).toBe(2);
    expect(shell.stderr.text).toStartWith('octaskly: /c is not valid TOML: ');
    expect(await shell.run('dispatcher', '--config', '/none')).toBe(2);
    expect(shell.stderr.text).toEndWith(
      "octaskly: There is no config file /none. 'octaskly dispatcher --help' says how.\n",
    );
  });

  test('and warns once of a secret among the arguments and of a mistyped variable', async () => {
    const shell = new Shell({ env: { OCTASKLY_MAX_WORKER: '3', OCTASKLY_TASK_ID: 'x' } });
    expect(await shell.run('dispatcher', '--secret', 'abc', '--secret', 'hush')).toBe(0);
    expect(shell.stderr.text.split('\n')).toEqual([
      'octaskly: Everybody on this machine can read what is given with --secret. Use OCTASKLY_SECRET or --secret-file instead.',
      'octaskly: OCTASKLY_MAX_WORKER is not used. The nearest is OCTASKLY_MAX_WORKERS.',
      '',
    ]);
    const quiet = new Shell({ env: { OCTASKLY_SECRET: 'abc' } });
    expect(await quiet.run('dispatcher')).toBe(0);
    expect([quiet.stderr.text, quiet.roleCalls]).toMatchObject(['', [['dispatcher', { secret: 'abc' }]]]);
  });
});
