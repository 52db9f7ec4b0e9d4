/**
 * What the dashboard of the compiled file does to a terminal, and that it gives it back: every kind of terminal, colours,
 * signals, crashes, hostile output. Without tmux these tests are skipped, and say so.
 */

import { afterEach, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { executable } from './executable.ts';
import { closePanes, Pane, startUi, tmux } from './pane.ts';
import { closeSites, openSite, type Site, until } from './site.ts';

if (tmux === null) console.warn('not tested: what the dashboard does to a terminal; tmux is not installed');

afterEach(async () => {
  await closePanes();
  await closeSites();
});

/** Process id of the dashboard at this site. */
function uiPid(site: Site): number {
  const found = site.processes().find(({ command }) => / ui( |$)/.test(command) && !command.startsWith('sh'));
  if (found === undefined) throw new Error('there is no dashboard');
  return found.pid;
}

describe.skipIf(tmux === null)('the terminal of octaskly ui', () => {
  test('draws in as many colours as there are', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('a');
    const pane = new Pane(site);
    // What is sent, rather than what tmux makes of it.
    const sent = site.path('sent');
    for (const [environment, form] of [
      ['COLORTERM=truecolor TERM=xterm-256color', '38;2;'],
      ['TERM=xterm-256color', '38;5;'],
      ['TERM=xterm-16color', '90m'],
      ['TERM=xterm', '36m'],
    ] as const) {
      pane.type(`clear; ${environment} script -qfc '${await executable()} ui' ${sent}; echo "status=$?"\n`);
      await pane.shows(/there +1 online/);
      pane.press('q');
      await pane.shows('status=0');
      expect([environment, readFileSync(sent, 'utf8').includes(form)]).toEqual([environment, true]);
    }
  }, 60_000);

  test('draws on every kind of terminal, in colour unless NO_COLOR is set', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('a');
    const pane = new Pane(site, { columns: 100, rows: 30 });
    const file = await executable();
    const colored = /\[[0-9;]*3[0-7]m/;
    for (const term of ['screen-256color', 'tmux-256color', 'xterm', 'xterm-kitty', 'linux', 'vt100']) {
      pane.type(`clear; TERM=${term} ${file} ui; echo "status=$?"\n`);
      await pane.shows(/there +1 online/);
      expect([term, pane.lines()[2]]).toEqual([term, '─'.repeat(100)]);
      expect([term, colored.test(pane.colors())]).toEqual([term, true]);
      pane.press('q');
      await pane.shows('status=0');
    }
    pane.type(`clear; NO_COLOR=1 ${file} ui --no-mouse; echo "status=$?"\n`);
    await pane.shows(/there +1 online/);
    expect(pane.colors()).not.toMatch(colored);
    expect(pane.ask('mouse_any_flag')).toBe('0');
    pane.press('q');
    await pane.shows('status=0');
    pane.type(`clear; LC_ALL=C ${file} ui; echo "status=$?"\n`);
    await pane.shows(/there +1 online/);
    expect(pane.text()).toMatch(/^[ -~\n]*$/);
    expect(pane.lines()[2]).toBe('-'.repeat(100));
    pane.press('q');
    await pane.shows('status=0');
    pane.type(`clear; TERM=dumb ${file} ui; echo "status=$?"\n`);
    await pane.shows('status=2');
    expect(pane.text()).toContain('TERM is "dumb"');
  }, 90_000);

  test('gives the terminal back on q, Ctrl-C, SIGTERM and SIGHUP, and after a mistake of its own', async () => {
    const site = openSite();
    await site.dispatcher();
    const pane = new Pane(site);
    const before = await pane.state();
    const ends: readonly (readonly [how: string, end: () => void, status: number])[] = [
      ['q', () => pane.press('q'), 0],
      ['Ctrl-C', () => pane.press('C-c'), 0],
      ['SIGTERM', () => process.kill(uiPid(site), 'SIGTERM'), 143],
      ['SIGHUP', () => process.kill(uiPid(site), 'SIGHUP'), 129],
    ];
    for (const [how, end, status] of ends) {
      await startUi(pane);
      expect([how, pane.ask('alternate_on'), pane.ask('cursor_flag'), pane.ask('mouse_any_flag')]).toEqual([
        ...[how, '1', '0', '1'],
      ]);
      end();
      await pane.shows(`status=${status}`);
      // What stood there before stands there again, and nothing else.
      expect(pane.text()).toMatch(new RegExp(`^before\\nstatus=${status}\\n(?:[$#]\\n?)?\\n*$`));
      expect([how, await pane.state()]).toEqual([how, before]);
    }

    // A dispatcher whose answers are nonsense: what follows from them is a mistake in the dashboard itself.
    const stats = await site.stats();
    const nonsense = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: ({ url }) => {
        if (url.endsWith('/whoami')) return Response.json({ name: 'a', role: 'admin' });
        return Response.json(url.endsWith('/stats') ? stats : { workers: 5, approvals: [] });
      },
    });
    try {
      pane.type(`clear; ${await executable()} ui --api ${nonsense.url}; echo "status=$?"\n`);
      await pane.shows('status=1');
      expect(pane.text()).toStartWith('octaskly: Octaskly made a mistake: ');
      expect(await pane.state()).toEqual(before);
    } finally {
      await nonsense.stop(true);
    }
  }, 90_000);

  test('gives the terminal back after SIGKILL and a crash, and to the shell on Ctrl-Z', async () => {
    const site = openSite();
    await site.dispatcher();
    const pane = new Pane(site);
    const before = await pane.state();
    for (const signal of ['SIGKILL', 'SIGSEGV', 'SIGABRT'] as const) {
      await startUi(pane);
      process.kill(uiPid(site), signal);
      await pane.shows('the terminal is as it was');
      expect([signal, await pane.state()]).toEqual([signal, before]);
    }
    pane.type(`clear; set -m; ${await executable()} ui\n`);
    await pane.shows('1 Overview');
    pane.press('C-z');
    await until('the shell has its screen back', () => pane.ask('alternate_on') === '0');
    expect(await pane.state()).toEqual(before);
    pane.type('fg\n');
    await pane.shows('1 Overview');
    pane.press('3');
    await pane.shows('All tasks, newest first');
    pane.press('q');
    await until('it has ended', () => pane.ask('alternate_on') === '0');
    expect(await pane.state()).toEqual(before);
  }, 60_000);

  test('lets no task control the terminal', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('a');
    const pane = new Pane(site);
    const title = pane.ask('pane_title');
    const output = '\\033]2;taken\\007\\033[2J\\033[1;1H\\033[31mred\\033[?1049l \\302\\233H\\342\\200\\256x 漢字 end';
    const command = `printf '${output}\\n'; : '\u001b]2;taken\u0007'`;
    const id = await site.submit({ command, name: '\u001b[2J\u202e漢字\u{1f468}\u200d\u{1f469}\u200d\u{1f467}' });
    await site.reached(id, 'completed');
    await startUi(pane);
    pane.press('3');
    await pane.shows(`completed ${id}    0`);
    const listed = pane.lines().find((line) => line.includes(id));
    expect(listed).toContain('\\x1b[2J\\u{202e}漢字\u{1f468}: p');
    pane.press('Enter');
    await pane.shows(/^ red .*漢字 end$/m);
    expect(pane.lines()[0]).toStartWith(' octaskly');
    expect(pane.lines()[2]).toBe('─'.repeat(80));
    expect(pane.ask('pane_title')).toBe(title);
    expect(pane.ask('alternate_on')).toBe('1');
    pane.press('q');
    await pane.shows('status=0');
  }, 60_000);
});
