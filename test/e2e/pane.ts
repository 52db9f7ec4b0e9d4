/**
 * A terminal for tests: tmux, which is told which keys to press and asked what stands on its screen.
 *
 * Invariant: after `closePanes` no tmux that was started here is left.
 */

import { readFileSync } from 'node:fs';
import { executable } from './executable.ts';
import { type Site, until } from './site.ts';

/** Path of tmux; null where it is not installed. */
export const tmux = Bun.which('tmux');
const panes: Pane[] = [];

/** For `afterEach`: ends every terminal. */
export async function closePanes(): Promise<void> {
  for (const pane of panes.splice(0)) await pane.close();
}

interface PaneOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A terminal of 80x24 with a shell in it, at this site. */
export class Pane {
  readonly #socket: string;
  readonly #serverPid: number;

  constructor(site: Site, { columns = 80, rows = 24, env = {} }: PaneOptions = {}) {
    this.#socket = site.path(`tmux-${panes.length}`);
    const own = { PS1: '$ ', HOME: site.home, OCTASKLY_API: site.url, LANG: 'C.UTF-8', ...env };
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

  /** Text from the clipboard, marked as such where the program asked for that. */
  paste(text: string): void {
    this.#tmux('set-buffer', '--', text);
    this.#tmux('paste-buffer', '-p');
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
export async function startUi(pane: Pane, args = ''): Promise<void> {
  pane.type(`clear; echo before; ${await executable()} ui ${args}; echo "status=$?"\n`);
  await pane.shows('1 Overview');
}
