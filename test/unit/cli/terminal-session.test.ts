import { describe, expect, test } from 'bun:test';
import { ttyWanted } from '../../../src/cli/terminal-session.ts';
import { FakeDispatcher } from './dispatcher.ts';
import { Shell } from './terminal.ts';

async function request(...flags: readonly string[]) {
  const dispatcher = new FakeDispatcher();
  dispatcher.onSubmit = (id) => dispatcher.end(id, { exit_code: 0 });
  const shell = new Shell({ dispatcher, stdin: ['x'], env: { TERM: '../evil' } });
  const status = await shell.run('run', ...flags, 'vi');
  return { status, asked: [...dispatcher.tasks.values()][0]?.request, stderr: shell.stderr.text };
}

describe('run -t', () => {
  test('ttyWanted() counts, and --no-tty takes back', () => {
    expect([[], [true], [true, true], [true, false], [false, true]].map(ttyWanted)).toEqual([0, 1, 2, 0, 1]);
  });

  test('without a terminal here goes on without one, and says how to get one', async () => {
    const { status, asked, stderr } = await request('-t');
    expect(status).toBe(0);
    expect(asked).not.toHaveProperty('terminal');
    expect(stderr).toContain('with -tt it gets one all the same');
  });

  test('given twice makes one all the same; its name is none that leads elsewhere', async () => {
    for (const flags of [['-tt'], ['-t', '-t'], ['--tty', '--tty']]) {
      const { asked } = await request(...flags);
      expect(asked).toMatchObject({
        stdin: { stream: true },
        terminal: { columns: 80, rows: 24, term: 'dumb' },
        attached: true,
      });
    }
  });

  test('takes no value: what follows is the command', async () => {
    expect((await request('-t', 'true')).asked).toMatchObject({ command: 'true vi' });
  });
});
