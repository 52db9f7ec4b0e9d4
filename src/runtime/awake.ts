/**
 * Keeps this machine from going to sleep by itself while tasks run on it.
 *
 *   Linux     `systemd-inhibit` around a program that ends when this process does; what a user without the right to keep
 *             it from all sleep may do, is keep it from the sleep of idle machines
 *   macOS     `caffeinate -i`            Android   `termux-wake-lock`            Windows   SetThreadExecutionState
 *
 * Begins when tasks have run for 2 s, ends 30 s after the last: short tasks in a row start it once. Deliberately not here:
 * screens, lids, and waking others (`core/waking.ts`). Invariants: never throws, nobody waits for it, it ends with this
 * process however that ends; where it cannot be done that is said once, as a detail.
 * Reference: systemd-inhibit(1), caffeinate(8).
 */

import type { Launcher } from '../ports/processes.ts';
import type { Clock, Log, Timer } from '../ports/time.ts';
import { isAndroid } from './android.ts';
import { askTermux } from './tool-answer.ts';
import { keepWindowsAwake } from './windows-power.ts';

const beginMs = 2000;
const lingerMs = 30_000;

/** Keeps the machine awake until `release`; `ended` resolves when it does not any more, with why where it never did. */
interface Hold {
  release(): void;
  readonly ended: Promise<string | null>;
}

/** Ways to do it here, tried in turn. */
type Way = () => Hold | null;

/** A launcher that keeps the machine awake while what it started runs. `close` ends that at once, and closes the other. */
export function awakeWhileRunning(
  launcher: Launcher & { close(): void },
  { clock, log, ways = waysHere() }: { readonly clock: Clock; readonly log: Log; readonly ways?: readonly Way[] },
): Launcher & { close(): void } {
  const awake = new Awake({ clock, log, ways });
  return {
    launch: (plan, onOutput) => {
      const launched = launcher.launch(plan, onOutput);
      awake.begun();
      void launched.ended.finally(() => awake.done());
      return launched;
    },
    close: () => {
      awake.close();
      launcher.close();
    },
  };
}

class Awake {
  readonly #clock: Clock;
  readonly #log: Log;
  /** Those that were not found wanting. */
  #ways: readonly Way[];
  #running = 0;
  #hold: Hold | null = null;
  #timer: Timer | null = null;
  #closed = false;

  constructor({ clock, log, ways }: { clock: Clock; log: Log; ways: readonly Way[] }) {
    this.#clock = clock;
    this.#log = log;
    this.#ways = ways;
  }

  begun(): void {
    this.#running += 1;
    if (this.#running > 1) return;
    if (this.#hold === null) this.#timer ??= this.#clock.after(beginMs, () => this.#begin());
    else this.#cancel();
  }

  done(): void {
    this.#running -= 1;
    if (this.#running > 0 || this.#closed || this.#hold === null) return;
    this.#cancel();
    this.#timer = this.#clock.after(lingerMs, () => this.#end());
  }

  close(): void {
    this.#closed = true;
    this.#ways = [];
    this.#end();
  }

  #cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #begin(): void {
    this.#timer = null;
    const [way, ...others] = this.#ways;
    if (this.#running === 0 || way === undefined) return;
    const hold = way();
    const next = (why: string): void => {
      this.#ways = others;
      this.#log.debug('this machine is not kept from sleeping in the best way while tasks run', { reason: why });
      this.#begin();
    };
    if (hold === null) {
      next('a program for it is missing');
      return;
    }
    this.#hold = hold;
    void hold.ended.then((why) => {
      if (this.#hold !== hold) return;
      this.#hold = null;
      next(why ?? 'it was ended');
    });
  }

  #end(): void {
    this.#cancel();
    const hold = this.#hold;
    this.#hold = null;
    hold?.release();
  }
}

function waysHere(): readonly Way[] {
  if (isAndroid()) return [phone];
  switch (process.platform) {
    case 'linux':
      return [() => inhibit('sleep:idle'), () => inhibit('idle')];
    case 'darwin':
      return [() => child(['/usr/bin/caffeinate', '-i', '-w', String(process.pid)])];
    case 'win32':
      return [windows];
    default:
      return [];
  }
}

function inhibit(what: string): Hold | null {
  const why = '--why=A task of another device runs';
  // It holds as long as `cat` runs, and that ends with its input, whose other end is here.
  return child(['systemd-inhibit', `--what=${what}`, '--who=Octaskly', why, '--mode=block', 'cat']);
}

function child(argv: readonly [string, ...string[]]): Hold | null {
  const program = Bun.which(argv[0]);
  if (program === null) return null;
  try {
    const started = Bun.spawn([program, ...argv.slice(1)], {
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' },
      ...{ stdin: 'pipe', stdout: 'ignore', stderr: 'pipe' },
    });
    started.unref();
    const ended = new Response(started.stderr).text().then((text) => text.trim().slice(0, 300) || null);
    const release = (): void => {
      void started.stdin.end();
      started.kill();
    };
    return { release, ended: ended.catch(() => null) };
  } catch {
    return null;
  }
}

function phone(): Hold {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  void askTermux(['termux-wake-lock'], 10_000).then((answer) => {
    if (answer?.status !== 0) resolve('termux-wake-lock did not work');
  });
  return { release: () => void askTermux(['termux-wake-unlock'], 10_000), ended: promise };
}

function windows(): Hold | null {
  if (!keepWindowsAwake(true)) return null;
  return { release: () => void keepWindowsAwake(false), ended: new Promise(() => undefined) };
}
