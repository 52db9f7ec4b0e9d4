/** Tasks in a terminal: a real one, made by the launcher, with what a person at it would see and press. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { tmpdir } from 'node:os';
import { createLauncher } from '../../src/runtime/launcher.ts';
import { inTerminalOfLeader } from '../../src/worker/sandbox-terminal.ts';
import { unconfined } from '../unconfined.ts';
import { silentLog, until } from './processes.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

let launcher: ReturnType<typeof createLauncher>;
let serial = 0;

beforeAll(() => {
  launcher = createLauncher({ log: silentLog });
});
afterAll(() => launcher.close());

/** Starts `command` in a terminal of 100x30. */
function inTerminal(command: string) {
  let shown = '';
  const decoder = new TextDecoder();
  const plan = {
    argv: inTerminalOfLeader(['/bin/sh', '-c', command]),
    env: { PATH: '/usr/bin:/bin', TERM: 'xterm' },
    cwd: tmpdir(),
    stdin: { kind: 'terminal', columns: 100, rows: 30, term: 'xterm' } as const,
    marker: `terminal-${serial++}`,
    ...unconfined,
  };
  const launched = launcher.launch(plan, (stream, data) => {
    shown += stream === 'stdout' ? decoder.decode(data, { stream: true }) : '<stderr>';
    return undefined;
  });
  const text = (): string => shown;
  return { launched, text, shows: (part: string) => until(`it shows ${part}`, () => text().includes(part)) };
}

describe.skipIf(process.platform !== 'linux')('a task in a terminal', () => {
  test('has it as its own, all output in one stream, its size, and hears of a new one', async () => {
    const { launched, text, shows } = inTerminal(
      'test -t 0 && test -t 1 && test -t 2 && stty size; echo e >&2; echo t >/dev/tty; trap "stty size; exit 6" WINCH; echo ready; while :; do sleep 0.05; done',
    );
    await shows('ready');
    launched.resize({ columns: 77, rows: 33 });
    const end = await launched.ended;
    expect([end.exitCode, text()]).toEqual([6, '30 100\r\ne\r\nt\r\nready\r\n33 77\r\n']);
    // Nobody is there any more to be told.
    launched.resize({ columns: 1, rows: 1 });
    expect(await launched.writeStdin(bytes('x'))).toBe(false);
  });

  test('reads what is typed, echoed and edited, and its end', async () => {
    const { launched, text, shows } = inTerminal('read x; echo "<$x>"; cat; echo over');
    await launched.writeStdin(bytes('hellp\u007fo\r'));
    await shows('<hello>');
    await launched.writeStdin(bytes('no line'));
    launched.closeStdin();
    expect((await launched.ended).exitCode).toBe(0);
    expect(text()).toEndWith('no lineno lineover\r\n');
  });

  test('gets Ctrl-C as its foreground does', async () => {
    const { launched, shows } = inTerminal('trap "exit 9" INT; echo ready; sleep 60 & wait');
    await shows('ready');
    await launched.writeStdin(bytes('\u0003'));
    expect((await launched.ended).exitCode).toBe(9);
  });

  test('is hung up where a shell would not end by TERM', async () => {
    const { launched, shows } = inTerminal('trap "" TERM; trap "exit 3" HUP; echo ready; while :; do sleep 0.05; done');
    await shows('ready');
    launched.terminate();
    expect((await launched.ended).exitCode).toBe(3);
  });

  test('loses nothing of what it wrote last, and nothing keeps it open', async () => {
    const { launched, text } = inTerminal('stty -opost; seq 100000; (trap "" HUP; sleep 60) & exit 4');
    expect((await launched.ended).exitCode).toBe(4);
    expect(text().length).toBe(588_895);
    expect(text()).toEndWith('\n100000\n');
  });
});
