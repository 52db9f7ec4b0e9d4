/**
 * `run` as ssh has it: the compiled file in a terminal of its own, with keys pressed and the window resized; and what
 * becomes of a task when the local side is killed. The terminal is the runtime's, so nothing has to be installed.
 */

import { afterEach, describe, expect, test } from 'bun:test';
import { executable } from './executable.ts';
import { closeSites, openSite, type Site, until } from './site.ts';

const terminals: Bun.Terminal[] = [];

afterEach(async () => {
  for (const terminal of terminals.splice(0)) terminal.close();
  await closeSites();
});

/** `octaskly ARGS...` in a terminal of 100x30, begun by a shell that says afterwards what it left. */
async function inTerminal(site: Site, ...args: readonly string[]) {
  let shown = '';
  const decoder = new TextDecoder();
  const terminal = new Bun.Terminal({
    cols: 100,
    rows: 30,
    data: (_terminal, data) => {
      shown += decoder.decode(data, { stream: true });
    },
  });
  terminals.push(terminal);
  const script = 'before=$(stty -g); "$@"; echo "status=$?"; test "$(stty -g)" = "$before" && echo settings are back';
  const child = Bun.spawn(['/bin/sh', '-c', script, 'sh', await executable(), ...args], {
    terminal,
    env: {
      ...{ PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: site.home, OCTASKLY_API: site.url, TERM: 'xterm-256color' },
      OCTASKLY_DISCOVERY: 'false',
    },
  });
  return {
    terminal,
    ended: child.exited,
    text: () => shown,
    shows: (part: string) => until(`it shows ${part}`, () => shown.includes(part), { details: () => `\n${shown}` }),
  };
}

/** Sends a signal to the one `run -t` of this site. */
async function signal(site: Site, name: NodeJS.Signals): Promise<void> {
  const begin = `${await executable()} run -t`;
  const runs = site.processes().filter(({ command }) => command.startsWith(begin));
  expect(runs).toHaveLength(1);
  for (const { pid } of runs) process.kill(pid, name);
}

async function withWorker(): Promise<Site> {
  const site = openSite();
  await site.dispatcher();
  await site.worker('w');
  return site;
}

describe.skipIf(process.platform !== 'linux')('run -t', () => {
  test('is the terminal of the task: size, keys, Ctrl-C, exit code; and gives this one back', async () => {
    const site = await withWorker();
    const command = 'trap "echo caught; exit 7" INT; stty size; echo $TERM; while read x; do stty size; done';
    const { terminal, text, shows, ended } = await inTerminal(site, 'run', '-t', command);
    await shows('30 100\r\nxterm-256color\r\n');
    terminal.resize(77, 33);
    // Bun 1.4.5 tells nobody of it.
    await signal(site, 'SIGWINCH');
    await until('it has the new size', async () => {
      terminal.write('\r');
      await Bun.sleep(20);
      return text().includes('33 77\r\n');
    });
    terminal.write('\u0003');
    await ended;
    await shows('status=7');
    expect(text()).toContain('^Ccaught\r\n');
    await shows('settings are back');
  }, 30_000);

  test('leaves by ~. and cancels; a shell at prompt ends too', async () => {
    const site = await withWorker();
    const { terminal, shows, ended } = await inTerminal(site, 'run', '-t', 'PS1="prompt> " exec sh -i');
    await shows('prompt> ');
    terminal.write('echo $((6 * 7))\r');
    await shows('\r\n42\r\n');
    terminal.write('~.');
    await ended;
    await shows('status=129');
    await shows('settings are back');
    await site.until('it was cancelled', async () => (await site.stats()).tasks.cancelled === 1);
  }, 30_000);

  test('gives the terminal back when it is ended from outside', async () => {
    const site = await withWorker();
    const { shows, ended } = await inTerminal(site, 'run', '-t', 'echo ready; sleep 600');
    await shows('ready');
    await signal(site, 'SIGTERM');
    await ended;
    await shows('status=143');
    await shows('settings are back');
  }, 30_000);
});

describe('run', () => {
  test('takes its task along when it is killed and can say nothing, as map does, but not when it is stopped', async () => {
    const site = await withWorker();
    const killed = [
      await site.start(['run', 'echo begun; sleep 600']),
      await site.start(['map', 'sleep', ':::', '600', '601', '602', '603', '604', '605']),
    ];
    await site.until('they run', async () => (await site.stats()).tasks.running >= 2);
    const stopped = await site.open([
      'run',
      '--priority',
      'critical',
      'until [ -e ../go ]; do sleep 0.1; done; echo on',
    ]);
    await site.until('all are there', async () => (await site.allTasks()).length === 8);
    for (const one of killed) one.kill('SIGKILL');
    stopped.kill('SIGTSTP');
    await site.until('nobody holds on to them', async () => (await site.stats()).tasks.cancelled === 7);
    const tasks = await site.allTasks();
    const reasons = tasks.filter(({ status }) => status === 'cancelled').map(({ reason }) => reason);
    expect(new Set(reasons)).toEqual(new Set(['cancelled: whoever ran it is gone']));
    // Longer than the others were given: it was told of.
    const left = tasks.find(({ command }) => command?.startsWith('until'));
    await Bun.sleep(2000);
    expect((await site.task(left?.id ?? '')).status).toBe('running');
    stopped.kill('SIGCONT');
    stopped.kill('SIGTERM');
    expect(await stopped.exited).toBe(143);
  }, 60_000);
});
