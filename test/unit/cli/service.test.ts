/** `octaskly service`: from the words of a line to what is asked for. */

import { expect, test } from 'bun:test';
import { resolveOptions, type Sources } from '../../../src/cli/config.ts';
import { parseLine } from '../../../src/cli/parse.ts';
import { type ServiceRequest, serviceRequest, serviceTable } from '../../../src/cli/service.ts';

function requestOf(line: readonly string[], env: Sources['env'] = {}): ServiceRequest {
  const table = serviceTable(line);
  const { given, words } = parseLine(line, table, 'anywhere');
  const sources: Sources = { given, env, file: null, homeDir: '/home/ann' };
  return serviceRequest(resolveOptions(table, sources), words, sources);
}

function keptOf(line: readonly string[], env: Sources['env'] = {}): readonly string[] {
  const request = requestOf(line, env);
  if (request.action !== 'install') throw new Error('not an installation');
  return request.options.map(({ flag, text }) => `--${flag}=${text}`);
}

test('serviceRequest() keeps options of the role, wherever they stand, and of the environment', () => {
  const line = ['install', '--max-jobs', '2', 'worker', '--label', 'a=1', '--label=b=2', '--user', '--', '--quiet'];
  expect(keptOf(line, { OCTASKLY_DISCOVERY: 'false', OCTASKLY_API: 'http://x' })).toEqual([
    ...['--max-jobs=2', '--label=a=1', '--label=b=2', '--discovery=false', '--quiet=true'],
  ]);
});

test('serviceRequest() prefers the line to the environment', () => {
  expect(keptOf(['install', 'd', '--api-port=1'], { OCTASKLY_API_PORT: '2' })).toEqual(['--api-port=1']);
});

test('serviceRequest() keeps neither secrets, join tokens nor webhooks', () => {
  const line = ['install', 'worker', '--join', 'octa1x', '--secret', 'of the cluster'];
  expect(keptOf(line)).toEqual([]);
  expect(requestOf(line)).toMatchObject({ join: 'octa1x', secret: 'of the cluster' });
  const hook = requestOf(['install', 'dispatcher'], { OCTASKLY_NOTIFY: 'https://x/y' });
  expect(hook).toMatchObject({ options: [], notify: ['https://x/y'] });
  expect(keptOf(['install', 'worker'], { OCTASKLY_SECRET: 's', OCTASKLY_SECRET_FILE: '' })).toEqual([]);
});

test('serviceRequest() tells what the config file names that is to be read, where the line says nothing else', () => {
  const configuredBy = (line: readonly string[], entries: Readonly<Record<string, unknown>>) => {
    const table = serviceTable(line);
    const { given, words } = parseLine(line, table, 'anywhere');
    const sources: Sources = { given, env: {}, file: { path: '/c.toml', entries }, homeDir: '/home/ann' };
    const request = serviceRequest(resolveOptions(table, sources), words, sources);
    return 'configured' in request ? request.configured : null;
  };
  const entries = { dist: '/a', tls_key: '~/k', 'log-file': '/l', port: 1, name: 'x' };
  const dist = { flag: 'dist', text: '/a', isPath: true, isRead: true };
  const key = { flag: 'tls-key', text: '~/k', isPath: true, isRead: true };
  expect(configuredBy(['install', 'dispatcher'], entries)).toEqual({ file: '/c.toml', options: [dist, key] });
  expect(configuredBy(['install', 'dispatcher', '--dist', '/b'], entries)?.options).toEqual([key]);
  expect(configuredBy(['install', 'worker'], entries)?.options).toEqual([]);
});

test('serviceRequest() takes --name for the service and its worker, behind -- for the worker alone', () => {
  expect(requestOf(['install', 'worker', '--name', 'attic'])).toMatchObject({ instance: 'attic', workerName: 'attic' });
  const apart = requestOf(['install', 'worker', '--name', 'night', '--', '--name', 'attic']);
  expect(apart).toMatchObject({ instance: 'night', workerName: 'attic' });
  expect(requestOf(['install', 'dispatcher', '--name', 'two'])).toMatchObject({ instance: 'two', options: [] });
});

test('serviceRequest() says where an option of its own belongs that stands behind --', () => {
  for (const flag of ['--dry-run', '--no-now', '--run-as=me']) {
    const wrong = () => requestOf(['install', 'worker', '--', '--label', 'system=1', flag]);
    expect(wrong).toThrow(
      `${flag.replace('=me', '')} is an option of 'service install' itself and belongs before the "--"`,
    );
  }
  expect(() => requestOf(['install', 'worker', '--', '--no-such'])).toThrow('There is no option --no-such');
});

test('serviceRequest() knows which service and how its log is wanted', () => {
  expect(requestOf(['logs', 'worker', '-f', '-n', '5', '--since', '2h'])).toMatchObject({
    ...{ action: 'logs', role: 'worker', follow: true, lines: 5, sinceMs: 7_200_000 },
  });
  expect(requestOf(['status', '--system', '-o', 'json'])).toMatchObject({
    role: null,
    scope: 'system',
    output: 'json',
  });
});

test.each([
  [[], 'Something is missing'],
  [['instal'], 'does not do that'],
  [['install'], 'Which role?'],
  [['install', 'up'], 'no role'],
  [['install', 'worker', 'x'], 'too much'],
  [['install', 'worker', '--ui'], 'no option --ui'],
  [['install', 'dispatcher', '--max-jobs', '2'], 'no option --max-jobs'],
  [['install', 'worker', '--max-jobs', 'many'], 'not valid'],
  [['install', 'worker', '--', '--max-jobs', 'many'], 'not valid'],
  [['install', 'worker', '--name', '../x'], 'not a name'],
  [['status', '--user', '--system'], 'contradict'],
  [['status', 'worker', 'x'], 'too much'],
])('serviceRequest() refuses %j', (line, message) => {
  expect(() => requestOf(line)).toThrow(message);
});
