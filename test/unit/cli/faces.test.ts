/** What a person sees before knowing anything: `octaskly` alone, the pages, the stream of events, colours and widths. */

import { describe, expect, test } from 'bun:test';
import { renderTable } from '../../../src/cli/table.ts';
import { wrapped } from '../../../src/cli/wrap.ts';
import { FakeDispatcher, problem } from './dispatcher.ts';
import { Shell } from './terminal.ts';

const statsOf = (more: object = {}) => ({
  ...{ version: '9.9.9', paused: false, uptime_seconds: 5, tasks: { queued: 2, running: 0, completed: 7 } },
  ...{ workers: { online: 1, draining: 0, silent: 0, offline: 0 }, slots: { total: 4, used: 1 } },
  ...{ queue: { size: 2, max: 10 }, stale_reports: 0, links_ended: {}, discovery: {} },
  ...more,
});

const missingToken = 'This call needs a token: send "Authorization: Bearer TOKEN".';

function answering(stats: object | null): FakeDispatcher {
  const dispatcher = new FakeDispatcher();
  dispatcher.intercept = ({ path }) => {
    if (path === '/ready') return Response.json({ status: 'ready' });
    if (stats === null) return problem(401, 'unauthorized', missingToken);
    if (path.endsWith('/stats')) return Response.json(stats);
    return path.endsWith('/approvals') ? Response.json({ approvals: [{}], next_cursor: null }) : null;
  };
  return dispatcher;
}

describe('octaskly alone', () => {
  test('says how the dispatcher is doing, and what to type next', async () => {
    const shell = new Shell({ dispatcher: answering(statsOf()) });
    expect(await shell.run()).toBe(0);
    expect(shell.stdout.text).toContain('2 queued, 7 completed\n');
    expect(shell.stdout.text).toContain('1 of 4 used\n');
    expect(shell.stdout.text).toContain("'octaskly approve' lists the devices that wait.");
    expect(shell.stderr.text).toBe('');
  });

  test('says what is wrong with it', async () => {
    const none = { online: 0, draining: 0, silent: 0, offline: 0 };
    const shell = new Shell({ dispatcher: answering(statsOf({ paused: true, workers: none })) });
    expect(await shell.run()).toBe(0);
    expect(shell.stdout.text).toMatch(/state +paused\n/);
    expect(shell.stdout.text).toContain("'octaskly resume' starts tasks again.");
    expect(shell.stdout.text).toContain("'octaskly worker' starts one here");
  });

  test('needs no token to say that one is needed', async () => {
    const shell = new Shell({ dispatcher: answering(null) });
    expect(await shell.run()).toBe(0);
    expect(shell.stdout.text).toMatch(/state +takes work\n/);
    expect(shell.stdout.text).toContain('OCTASKLY_TOKEN');
  });

  test('says that a token does not hold', async () => {
    const dispatcher = answering(statsOf());
    const { intercept } = dispatcher;
    dispatcher.intercept = (request) =>
      request.path === '/ready' ? intercept(request) : problem(401, 'unauthorized', 'The token has expired.');
    const shell = new Shell({ dispatcher });
    expect(await shell.run()).not.toBe(0);
    expect(shell.stderr.text).toContain('The token has expired.');
    expect(shell.stdout.text).toBe('');
  });

  test('with the address of a dispatcher asks that one, and says when it is away', async () => {
    expect(await new Shell({ dispatcher: answering(statsOf()) }).run('--api', 'http://pi:3000')).toBe(0);
    const shell = new Shell();
    expect(await shell.run('--api', 'http://pi:3000')).toBe(1);
    expect(shell.stderr.text).toContain('Cannot reach a dispatcher at http://pi:3000');
  });

  test('says how to begin where nobody answers; status itself fails then', async () => {
    const shell = new Shell();
    expect(await shell.run()).toBe(0);
    expect(shell.stdout.text).toContain('octaskly up');
    expect(shell.stderr.text).toBe('');
    expect(await shell.run('status')).toBe(1);
  });
});

describe('docs', () => {
  test('lists the pages and shows each', async () => {
    const shell = new Shell();
    expect(await shell.run('docs')).toBe(0);
    for (const name of ['security', 'map', 'command-line', 'json']) {
      expect(shell.stdout.text).toMatch(new RegExp(`^  ${name} `, 'm'));
      expect(await new Shell().run('docs', name)).toBe(0);
    }
  });

  test('finds a page by the names that others have for it', async () => {
    const shell = new Shell();
    expect(await shell.run('docs', 'security')).toBe(0);
    for (const name of ['SECURITY.md', '../SECURITY.md#tokens', 'docs/security.md']) {
      const other = new Shell();
      expect(await other.run('docs', name)).toBe(0);
      expect(other.stdout.text).toBe(shell.stdout.text);
    }
  });

  test('of a command are its help, what the guide says, and its page', async () => {
    const shell = new Shell();
    expect(await shell.run('docs', 'map')).toBe(0);
    for (const part of ['Usage: octaskly map', 'One command for many arguments', 'What goes in']) {
      expect(shell.stdout.text).toContain(part);
    }
    expect(shell.stdout.text).not.toContain('\u001b');
  });

  test('name the nearest', async () => {
    const shell = new Shell();
    expect(await shell.run('docs', 'secruity')).toBe(2);
    expect(shell.stderr.text).toContain('The nearest is "security"');
  });
});

describe('watch', () => {
  test.each([
    [
      ['watch'],
      '2026-01-01T00:00:00.000Z  task        failed     t1\n2026-01-01T00:00:00.000Z  worker      online     w1\n',
    ],
    [['watch', '-o', 'quiet', '--kind', 'worker'], 'w1\n'],
  ])('%j prints a line for each event until it is interrupted', async (line, expected) => {
    const dispatcher = wellDispatcher();
    const shell = new Shell({ dispatcher });
    const running = shell.run(...line);
    await until(() => dispatcher.requests.some(({ path }) => path.endsWith('/events')));
    dispatcher.publish({ kind: 'task', id: 't1', status: 'failed' });
    dispatcher.publish({ kind: 'worker', id: 'w1', status: 'online' });
    await until(() => shell.stdout.text === expected);
    shell.signal('SIGINT');
    expect(await running).toBe(130);
    expect(shell.stderr.text).toBe('');
  });

  test('goes on behind a lost dispatcher, and says where events may be missing', async () => {
    const dispatcher = wellDispatcher();
    const shell = new Shell({ dispatcher });
    const running = shell.run('watch', '-o', 'json');
    const asked = () => dispatcher.requests.filter(({ path }) => path.endsWith('/events')).length;
    await until(() => asked() === 1);
    dispatcher.publish({ kind: 'task', id: 't1', status: 'queued' });
    await until(() => shell.stdout.text !== '');
    dispatcher.hangUp();
    await until(() => asked() === 2);
    dispatcher.send('id: f1\nevent: reset\ndata: {}\n\n');
    dispatcher.publish({ kind: 'task', id: 't1', status: 'running' });
    await until(() => shell.stdout.text.split('\n').length === 3);
    shell.signal('SIGTERM');
    expect(await running).toBe(143);
    const events = shell.stdout.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events).toMatchObject([{ status: 'queued' }, { status: 'running' }]);
    expect(shell.stderr.text).toContain('events may be missing');
  });
});

function wellDispatcher(): FakeDispatcher {
  const dispatcher = new FakeDispatcher();
  dispatcher.intercept = ({ path }) => (path === '/health' ? Response.json({ status: 'ok' }) : null);
  return dispatcher;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(1);
}

describe('colours', () => {
  const green = '\u001b[32mcompleted';
  test.each([
    [{}, 80, true],
    [{}, null, false],
    [{ NO_COLOR: '1' }, 80, false],
    [{ NO_COLOR: '' }, 80, true],
    [{ TERM: 'dumb' }, 80, false],
    [{ CLICOLOR: '0' }, 80, false],
    [{ FORCE_COLOR: '1' }, null, true],
    [{ FORCE_COLOR: '0' }, 80, false],
    [{ CLICOLOR_FORCE: '1' }, null, true],
    [{ CLICOLOR_FORCE: '0' }, null, false],
    [{ NO_COLOR: '1', FORCE_COLOR: '1' }, 80, false],
  ])('with %j on %p columns: %p', async (env, columns, isColored) => {
    const dispatcher = new FakeDispatcher();
    dispatcher.end(dispatcher.submit({ command: 'x' }).id, {});
    const shell = new Shell({ dispatcher, env, ...(columns === null ? {} : { columns }) });
    expect(await shell.run('ps')).toBe(0);
    expect(shell.stdout.text.includes(green)).toBe(isColored);
  });
});

describe('widths', () => {
  const textWidth = (text: string): number => Bun.stringWidth(text);
  const columns = [
    ...[{ title: 'ID' }, { title: 'NAME', flexible: true }, { title: 'AGE', spare: 1 }],
    ...[
      { title: 'PLATFORM', spare: 2 },
      { title: 'COMMAND', flexible: true },
    ],
  ];
  const row = ['01hq3v5k9m2x', 'a-rather-long-name-日本', '3m05s', 'linux/x64', 'x'.repeat(200)];

  test('renderTable() leaves columns out, the most spare first, and is never wider than the terminal', () => {
    const titles = (width: number | null) => renderTable(columns, [row], { width, textWidth }).split('\n')[0] ?? '';
    expect(titles(null)).toMatch(/PLATFORM +COMMAND$/);
    expect(titles(80)).toContain('PLATFORM');
    expect(titles(55)).not.toContain('PLATFORM');
    expect(titles(55)).toContain('AGE');
    expect(titles(44)).not.toContain('AGE');
    for (let width = 1; width <= 120; width++) {
      for (const line of renderTable(columns, [row], { width, textWidth }).split('\n')) {
        expect(textWidth(line)).toBeLessThanOrEqual(width);
      }
    }
  });

  test('wrapped() breaks at spaces and indents what follows', () => {
    expect(wrapped('aa bb ccc d', { width: 8, first: '> ' })).toBe('> aa bb\n  ccc d\n');
    expect(wrapped('aaaaaaaaaaaa b', { width: 8 })).toBe('aaaaaaaaaaaa\nb\n');
  });

  test('help keeps to the width of the terminal', async () => {
    const shell = new Shell({ columns: 60 });
    await shell.run('--help');
    for (const line of shell.stdout.text.split('\n')) expect(line.length).toBeLessThanOrEqual(60);
  });
});
