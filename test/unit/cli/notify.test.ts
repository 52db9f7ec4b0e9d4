import { describe, expect, test } from 'bun:test';
import { announceMap, announceTask, parseNotify, ring } from '../../../src/cli/notify.ts';

/** A terminal whose standard error is `isTTY`, on a desktop that shows what it is told, or not. */
function desk({ isTTY = true, shows = false, env = {} }: { isTTY?: boolean; shows?: boolean; env?: object } = {}) {
  const written: string[] = [];
  const shown: string[] = [];
  const stderr = { isTTY, columns: 80, write: async (text: string) => void written.push(text) };
  const notifyDesktop = async (title: string, text: string): Promise<boolean> => {
    shown.push(`${title}|${text}`);
    return shows;
  };
  return {
    context: { terminal: { stderr, env, notifyDesktop, textWidth: (text: string) => text.length } } as never,
    written,
    shown,
  };
}

describe('ring()', () => {
  test('shows it by the desktop, and rings the terminal', async () => {
    const { context, written, shown } = desk({ shows: true });
    await ring(context, 'done');
    expect({ written, shown }).toEqual({ written: ['\x07'], shown: ['Octaskly|done'] });
  });

  test.each([
    [{ TERM: 'xterm-256color' }, '\x1b]9;Octaskly: a;b\x1b\\\x07'],
    [{ TERM: 'foot' }, '\x1b]777;notify;Octaskly;a,b\x1b\\\x07'],
    [{ TERM: 'xterm-256color', VTE_VERSION: '7600' }, '\x1b]777;notify;Octaskly;a,b\x1b\\\x07'],
    [{ TERM: 'dumb' }, '\x07'],
  ])('else by the terminal, as %j knows it', async (env, expected) => {
    const { context, written } = desk({ env });
    await ring(context, 'a;b');
    expect(written).toEqual([expected]);
  });

  test('writes nothing where there is no terminal', async () => {
    const { context, written, shown } = desk({ isTTY: false });
    await ring(context, 'done');
    expect({ written, shown }).toEqual({ written: [], shown: ['Octaskly|done'] });
  });

  test('lets no stranger steer the terminal', async () => {
    const { context, written, shown } = desk({ env: { TERM: 'xterm' } });
    await ring(context, '\x1b\\\x1b]0;owned\x07\u202e\n'.padEnd(5000, 'x'));
    const [message = ''] = written;
    expect(message.slice(0, 60)).toStartWith('\x1b]9;Octaskly: \\x1b\\\\x1b]0;owned\\x07\\u{202e}\\nxxx');
    expect(message.split('\x1b').length).toBe(3);
    expect(message).toEndWith('x\x1b\\\x07');
    expect(shown[0]?.length).toBeLessThan(300);
  });
});

test('parseNotify() takes a destination or "here"', () => {
  expect(parseNotify('here')).toEqual({ value: { url: null } });
  expect(parseNotify('ntfy:http://a.home/x')).toEqual({ value: { url: 'ntfy:http://a.home/x' } });
  for (const word of ['make', 'https://', 'ftp://x/']) expect(parseNotify(word)).toHaveProperty('expected');
});

test('announceTask() is silent unless it was asked to ring here', async () => {
  const { context, shown } = desk();
  const task = { id: 't1', name: null, command: 'make', status: 'timed_out' } as const;
  await announceTask(context, undefined, task);
  await announceTask(context, { url: 'https://a.home/' }, task);
  expect(shown).toEqual([]);
  await announceTask(context, { url: null }, task);
  expect(shown).toEqual(['Octaskly|Task t1 (make) timed out']);
});

test('announceMap() has a destination told, and only says when that fails', async () => {
  const { context, written, shown } = desk();
  const sent: unknown[] = [];
  const told = (fails: boolean) => {
    const notifications = {
      send: async (request: unknown): Promise<void> => {
        if (fails) throw new Error('no');
        sent.push(request);
      },
    };
    return { ...(context as object), client: { notifications } } as never;
  };
  const ended = { name: 'gzip {}', ended: 3, failed: 1 };
  await announceMap(told(false), { url: 'https://a.home/' }, ended);
  const text = 'Map ended: 2 of 3 jobs completed, 1 failed (gzip {})';
  expect(sent).toEqual([{ url: 'https://a.home/', event: 'map_ended', text }]);
  await announceMap(told(true), { url: 'https://a.home/' }, ended);
  expect(written).toEqual(['octaskly: Cannot tell of the end: no\n']);
  await announceMap(context, { url: null }, ended);
  await announceMap(context, undefined, ended);
  expect(shown).toEqual([`Octaskly|${text}`]);
});

test('announceMap() of an interrupted one counts no jobs that were yet to come, and cuts through no character', async () => {
  const { context, shown } = desk();
  const sent: { text: string }[] = [];
  const client = { notifications: { send: async (request: { text: string }) => void sent.push(request) } };
  const ended = { name: `x${'🚀'.repeat(200)}`, ended: 3, failed: 1, interrupted: true };
  await announceMap({ ...(context as object), client } as never, { url: 'https://a.home/' }, ended);
  expect(sent[0]?.text).toStartWith('Map interrupted: 2 jobs completed, 1 failed (x🚀');
  expect(sent[0]?.text.isWellFormed()).toBe(true);
  await announceMap(context, { url: null }, ended);
  expect(shown).toEqual([]);
});
