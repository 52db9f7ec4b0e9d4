import { describe, expect, test } from 'bun:test';
import { commands } from '../../../src/cli/commands.ts';
import { FakeDispatcher, problem } from './dispatcher.ts';
import { Shell } from './terminal.ts';

/** What the shells are told; without what stands behind the candidates. */
async function complete(dispatcher: FakeDispatcher, ...words: string[]): Promise<string[]> {
  const shell = new Shell({ dispatcher });
  expect(await shell.run('__complete', '--', ...words)).toBe(0);
  expect(shell.stderr.text).toBe('');
  const lines = shell.stdout.text.split('\n').slice(0, -1);
  return lines.map((line) => line.replace(/\t.*/, ''));
}

const nobody = new FakeDispatcher();

describe('__complete', () => {
  test('offers every command, and those that begin so', async () => {
    const all = await complete(nobody, '');
    for (const { name } of commands) expect(all).toContain(name);
    expect(await complete(nobody, 'un')).toEqual(['undrain']);
    expect(await complete(nobody, 'help', 'undr')).toEqual(['undrain']);
  });

  test.each([
    [['ps', '--stat'], ['--status']],
    [['ps', '--no-dis'], ['--no-discovery']],
    [['--ap'], ['--api']],
    [['ps', '--status', 'qu'], ['queued']],
    [['ps', '--status=qu'], ['--status=queued']],
    [['ps', '-l', '5', '-o', 'j'], ['json']],
    [['--api', 'http://x', 'ps', '-o', 'q'], ['quiet']],
    [['submit', '--priority', 'h'], ['high']],
    [['token', 'r'], ['revoke']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['docs', 'terminal'], ['terminal-dashboard']],
    [['run', '--in', ''], [':file']],
    [['run', 'x', '--na'], [':file']],
    [['worker', '--data-dir', ''], [':directory']],
    [['batch', 'x'], [':file']],
    [['cancel', 'status:t'], ['status:timed_out']],
    [['ps', ''], []],
    [['nothing', ''], expect.arrayContaining(['ps'])],
    [[], expect.arrayContaining(['ps'])],
  ])('of %j is %j', async (words, expected) => {
    expect(await complete(nobody, ...words)).toEqual(expected);
  });

  test('offers tasks, batches and tags of the dispatcher', async () => {
    const dispatcher = new FakeDispatcher();
    const one = dispatcher.submit({ command: 'a', tags: { project: 'film' } }, 'b1').id;
    const two = dispatcher.submit({ command: 'b' }).id;
    expect(await complete(dispatcher, 'show', '')).toEqual([two, one, 'last']);
    expect(await complete(dispatcher, 'show', one)).toEqual([one]);
    expect(await complete(dispatcher, 'submit', '--after', two)).toEqual([two]);
    expect(await complete(dispatcher, 'ps', '--batch', '')).toEqual(['b1']);
    expect(await complete(dispatcher, 'cancel', 'tag:')).toEqual(['tag:project=film']);
    expect(await complete(dispatcher, 'cancel', 'b')).toEqual(['batch:']);
  });

  test('leaves out what a shell would understand', async () => {
    const dispatcher = new FakeDispatcher();
    for (const name of ['$(reboot)', 'a b', 'a;b', '-rf', '`x`', 'a\u001b[31m', '~/x', 'vm-1']) {
      dispatcher.submit({ command: 'x', tags: { k: name } });
    }
    expect(await complete(dispatcher, 'ps', '--tag', '')).toEqual(['k=vm-1', 'k=-rf']);
  });

  test('is silent when the dispatcher refuses or is away', async () => {
    const dispatcher = new FakeDispatcher();
    dispatcher.intercept = () => problem(403, 'forbidden', 'No.');
    expect(await complete(dispatcher, 'show', '')).toEqual([]);
    const shell = new Shell();
    expect([await shell.run('__complete', 'drain', ''), shell.stdout.text, shell.stderr.text]).toEqual([0, '', '']);
    const broken = new Shell({ files: { '/home/ada/.octaskly/config.toml': 'prot = ' } });
    expect([await broken.run('__complete', 'drain', ''), broken.stderr.text]).toEqual([0, '']);
  });
});

test('completion names the nearest shell', async () => {
  const shell = new Shell();
  expect(await shell.run('completion', 'bahs')).toBe(2);
  expect(shell.stderr.text).toContain('only for bash, zsh, fish; did you mean "bash"? Try: octaskly completion bash.');
});
