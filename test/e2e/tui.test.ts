/**
 * The dashboard of the compiled file in a real terminal emulator: tmux, which is told which keys to press and asked what
 * stands on its screen. Without tmux these tests are skipped, and say so.
 */

import { afterEach, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { executable } from './executable.ts';
import { closeSites, openSite, type Site, until } from './site.ts';

const tmux = Bun.which('tmux');
if (tmux === null) console.log('tui.test.ts: tmux is not installed; the dashboard is not tested in a terminal');

const panes: Pane[] = [];

afterEach(async () => {
  for (const pane of panes.splice(0)) await pane.close();
  await closeSites();
});

interface PaneOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A terminal of 80x24 with a shell in it, at this site. */
class Pane {
  readonly #socket: string;
  readonly #serverPid: number;

  constructor(site: Site, { columns = 80, rows = 24, env = {} }: PaneOptions = {}) {
    this.#socket = site.path(`tmux-${panes.length}`);
    const own = { PS1: '$ ', HOME: site.home, OCTASKLY_API: site.url, ...env };
    const set = Object.entries(own).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', `${columns}`, '-y', `${rows}`, ...set, 'sh');
    // The whole pane for the program, and no wait for what might follow an Escape.
    this.#tmux('set', '-g', 'status', 'off');
    this.#tmux('set', '-s', 'escape-time', '0');
    this.#serverPid = Number(this.ask('pid'));
    panes.push(this);
  }

  #tmux(...args: readonly string[]): string {
    const { PATH = '/usr/bin:/bin' } = process.env;
    const env = { PATH, TERM: 'xterm-256color', LANG: 'C.UTF-8' };
    const { exitCode, stdout, stderr } = Bun.spawnSync([tmux ?? '', '-S', this.#socket, ...args], { env });
    if (exitCode !== 0) throw new Error(`tmux ${args.join(' ')}: ${stderr}`);
    return stdout.toString();
  }

  /** A variable of tmux's formats. */
  ask(name: string): string {
    return this.#tmux('display', '-p', `#{${name}}`).trimEnd();
  }

  /** Keys by tmux's names: `Enter`, `C-c`, `j`. */
  press(...keys: readonly string[]): void {
    this.#tmux('send-keys', ...keys);
  }

  /** Bytes as the terminal would send them. */
  type(text: string): void {
    this.#tmux('send-keys', '-l', text);
  }

  /** Clicks, each with its release, all at once; `column` and `row` from 0. */
  click(column: number, row: number, times = 1): void {
    const place = `${column + 1};${row + 1}`;
    this.type(`\u001b[<0;${place}M\u001b[<0;${place}m`.repeat(times));
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`);
  }

  /** What stands on the screen. */
  text(): string {
    return this.#tmux('capture-pane', '-p');
  }

  /** Likewise with its colours. */
  colors(): string {
    return this.#tmux('capture-pane', '-e', '-p');
  }

  lines(): string[] {
    return this.text().split('\n');
  }

  /** Waits until the screen holds this. */
  async shows(part: string | RegExp): Promise<void> {
    const holds = (): boolean => (typeof part === 'string' ? this.text().includes(part) : part.test(this.text()));
    await until(`the screen shows ${part}`, holds, { withinMs: 20_000, details: () => `\n${this.text()}` });
  }

  /** What a program must give back: line settings, screen, cursor, mouse, keypad, scroll region, title. */
  async state(): Promise<Record<string, string>> {
    this.type(`clear; stty -g >'${this.#socket}.stty'; echo "stty=$?"\n`);
    await this.shows('stty=0');
    const names = ['alternate_on', 'cursor_flag', 'mouse_any_flag', 'keypad_cursor_flag', 'scroll_region_lower'];
    return {
      ...Object.fromEntries([...names, 'pane_title'].map((name) => [name, this.ask(name)])),
      settings: readFileSync(`${this.#socket}.stty`, 'utf8'),
    };
  }

  async close(): Promise<void> {
    this.#tmux('kill-server');
    await until('tmux has ended', () => {
      try {
        process.kill(this.#serverPid, 0);
        return false;
      } catch {
        return true;
      }
    });
  }
}

/** Starts the dashboard in the pane; its exit status will be printed. */
async function startUi(pane: Pane, args = ''): Promise<void> {
  pane.type(`clear; echo before; ${await executable()} ui ${args}; echo "status=$?"\n`);
  await pane.shows('1 Overview');
}

/** Process id of the dashboard at this site. */
function uiPid(site: Site): number {
  const found = site.processes().find(({ command }) => / ui( |$)/.test(command) && !command.startsWith('sh'));
  if (found === undefined) throw new Error('there is no dashboard');
  return found.pid;
}

/** From the list of tasks: narrows it to the cancelled one, goes elsewhere and back by mouse, opens the failed one. */
async function filterAndClick(pane: Pane, { failed, endless }: { failed: string; endless: string }): Promise<void> {
  pane.press('/');
  pane.type('cancelled');
  await pane.shows('Filter: cancelled');
  pane.press('Enter');
  await pane.shows(endless);
  await until('only the cancelled one is left', () => !pane.text().includes('broken'));

  pane.click(pane.lines()[1]?.indexOf('Workers') ?? 0, 1);
  await pane.shows('1 of 1');
  pane.press('3');
  await pane.shows('Filter: cancelled');
  pane.press('Escape');
  await pane.shows('broken');
  const row = pane.lines().findIndex((line) => line.includes(failed));
  pane.click(20, row, 2);
  await pane.shows(`Task ${failed}  failed`);
  await pane.shows(/^ err$/m);
}

/** Makes the window larger while a task is open, and goes back to the list. */
async function resize(pane: Pane): Promise<void> {
  pane.resize(132, 43);
  await until('the rule is as wide as the window', () => pane.lines()[2] === '─'.repeat(132));
  pane.press('Escape');
  await pane.shows(/WORKER +NAME +COMMAND/);
}

describe.skipIf(tmux === null)('octaskly ui in a terminal', () => {
  test('shows workers and tasks as they change, and obeys keys, mouse and window', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('attic-pi', ['--max-jobs', '2']);
    const pane = new Pane(site);
    await startUi(pane);
    await pane.shows(/workers +1 online/);
    expect(pane.lines()[0]).toMatch(new RegExp(`^ octaskly  ${site.url} +up \\d+s  v\\d`));
    expect(pane.lines()[1]).toBe(' 1 Overview  2 Workers  3 Tasks');

    const failed = await site.submit({ command: 'echo out; echo err >&2; exit 3', name: 'broken' });
    await pane.shows(/failed +1$/m);
    const endless = await site.submit({ command: 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.1; done' });
    await pane.shows(/running +1$/m);
    await pane.shows('1 of 2 used');

    pane.press('2');
    await pane.shows(/attic-pi +online +████░░░░ 1\/2/);
    pane.press('Tab');
    await pane.shows(new RegExp(`failed +${failed} +3 .* attic-pi +broken: echo out`));

    // The newest is selected; Enter opens it, and its output comes as it is written.
    pane.press('Enter');
    await pane.shows(`Task ${endless}  running  attempt 1`);
    await pane.shows(/line 20$/m);
    pane.press('Escape');
    await pane.shows('All tasks, newest first');

    pane.press('c');
    await pane.shows(`Cancel task ${endless}? y/n`);
    pane.press('n');
    pane.press('c', 'y');
    await pane.shows(new RegExp(`cancelled +${endless}`));
    await site.reached(endless, 'cancelled');

    pane.press('j', 'e');
    await pane.shows(`Task ${failed} is failed`);
    // A key right behind an Escape would be taken for the same key with Alt.
    pane.press('Escape');
    await pane.shows('All tasks, newest first');
    pane.press('r');
    await pane.shows(/Submitted again as task \w+/);
    await site.until('the task ran again', async () => (await site.stats()).tasks.failed === 2);

    await filterAndClick(pane, { failed, endless });
    await resize(pane);
    pane.press('?');
    await pane.shows('Ctrl-C');
    pane.press('x', 'q');
    await pane.shows('status=0');
  }, 90_000);

  test('gives the terminal back on q, Ctrl-C, SIGTERM and SIGHUP, and after a mistake of its own', async () => {
    const site = openSite();
    await site.dispatcher();
    const pane = new Pane(site);
    const before = await pane.state();
    const ends: readonly (readonly [how: string, end: () => void])[] = [
      ['q', () => pane.press('q')],
      ['Ctrl-C', () => pane.press('C-c')],
      ['SIGTERM', () => process.kill(uiPid(site), 'SIGTERM')],
      ['SIGHUP', () => process.kill(uiPid(site), 'SIGHUP')],
    ];
    for (const [how, end] of ends) {
      await startUi(pane);
      expect([how, pane.ask('alternate_on'), pane.ask('cursor_flag'), pane.ask('mouse_any_flag')]).toEqual([
        ...[how, '1', '0', '1'],
      ]);
      end();
      await pane.shows('status=0');
      // What stood there before stands there again, and nothing else.
      expect(pane.text()).toMatch(/^before\nstatus=0\n(?:[$#]\n?)?\n*$/);
      expect([how, await pane.state()]).toEqual([how, before]);
    }

    // A dispatcher whose answers are nonsense: what follows from them is a mistake in the dashboard itself.
    const stats = await site.stats();
    const nonsense = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: ({ url }) => Response.json(url.endsWith('/stats') ? stats : { workers: 5 }),
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

  test('says that the dispatcher is lost, and goes on when it is back', async () => {
    const site = openSite();
    const first = await site.dispatcher();
    const pane = new Pane(site);
    await startUi(pane);
    await pane.shows(/up \d+s/);
    first.kill('SIGKILL');
    await pane.shows('No dispatcher for ');
    expect(pane.lines()[0]).toEndWith('disconnected');
    await pane.shows(/No dispatcher for [2-9]s; trying again/);
    await site.dispatcher();
    await pane.shows('The dispatcher is back.');
    await site.submit({ command: 'true' });
    await pane.shows(/queued +1$/m);
    expect(pane.lines()[0]).toMatch(/up \d+s/);
    pane.press('q');
    await pane.shows('status=0');
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

  test('draws on every kind of terminal, in colour unless NO_COLOR is set', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('a');
    const pane = new Pane(site, { columns: 100, rows: 30 });
    const file = await executable();
    const colored = /\[[0-9;]*3[0-7]m/;
    for (const term of ['screen-256color', 'tmux-256color', 'xterm', 'xterm-kitty', 'linux', 'vt100']) {
      pane.type(`clear; TERM=${term} ${file} ui; echo "status=$?"\n`);
      await pane.shows(/workers +1 online/);
      expect([term, pane.lines()[2]]).toEqual([term, '─'.repeat(100)]);
      expect([term, colored.test(pane.colors())]).toEqual([term, true]);
      pane.press('q');
      await pane.shows('status=0');
    }
    pane.type(`clear; NO_COLOR=1 ${file} ui --no-mouse; echo "status=$?"\n`);
    await pane.shows(/workers +1 online/);
    expect(pane.colors()).not.toMatch(colored);
    expect(pane.ask('mouse_any_flag')).toBe('0');
    pane.press('q');
    await pane.shows('status=0');
    pane.type(`clear; LC_ALL=C ${file} ui; echo "status=$?"\n`);
    await pane.shows(/workers +1 online/);
    expect(pane.text()).toMatch(/^[ -~\n]*$/);
    expect(pane.lines()[2]).toBe('-'.repeat(100));
    pane.press('q');
    await pane.shows('status=0');
    pane.type(`clear; TERM=dumb ${file} ui; echo "status=$?"\n`);
    await pane.shows('status=2');
    expect(pane.text()).toContain('TERM is "dumb"');
  }, 90_000);
});

test('octaskly ui is refused without a terminal, and without a dispatcher', async () => {
  const site = openSite();
  const { status, stdout, stderr } = await site.run(['ui']);
  expect([status, stdout.toString()]).toEqual([2, '']);
  expect(stderr).toMatch(/^octaskly: The dashboard needs a terminal, and standard output is none\. .*\n$/);
  if (tmux === null) return;
  const pane = new Pane(site);
  pane.type(`clear; ${await executable()} ui; echo "status=$?"\n`);
  await pane.shows('status=1');
  expect(pane.text().replaceAll('\n', '')).toContain('Cannot reach a dispatcher');
  pane.type(`clear; ${await executable()} ui </dev/null; echo "status=$?"\n`);
  await pane.shows('status=2');
  expect(pane.text().replaceAll('\n', '')).toContain('standard input is none');
}, 30_000);
