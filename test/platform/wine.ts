/**
 * Wine: what runs files for Windows here. Its Windows (the prefix) takes seconds to make, so it is kept in
 * `~/.cache/octaskly-platform`, and made anew when that is removed. Under it programs are processes of this machine, which
 * can be looked for and killed like any other.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { acquireLock, type Lock } from '../../src/runtime/lock.ts';
import { until } from '../e2e/site.ts';
import { lacking } from './notices.ts';

/** Of wine64 and gcc-mingw-w64-x86-64. Debian's package has no `wine64` on the path. */
const wine = '/usr/lib/wine/wine64';
const server = '/usr/lib/wine/wineserver64';
const compiler = 'x86_64-w64-mingw32-gcc';
/** Longest another run of these tests is waited for. */
const lockMsMax = 100_000;
const prefix = join(homedir(), '.cache', 'octaskly-platform', 'wine');

/** Why there is none here; null when there is. */
export function whyNoWine(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'it runs on Linux x64';
  const compilers = Bun.which(compiler) === null ? [compiler] : [];
  return lacking([...(existsSync(wine) ? [] : [wine]), ...compilers]);
}

/** What of a file for Windows cannot be tested under it: `docs/PLATFORMS.md` says why. */
export const notUnderWine =
  'limits of memory and processes by job objects and what tasks used, access lists, Ctrl-C and the terminal dashboard, services, the firewall, power';

const environment = {
  // What the words that it is given are encoded in.
  LANG: 'C.UTF-8',
  ...{ PATH: '/usr/bin:/bin', HOME: prefix, WINEPREFIX: prefix, DISPLAY: '' },
  // No messages of Wine's own, and neither .NET nor a browser to be installed first.
  ...{ WINEDEBUG: '-all', WINEDLLOVERRIDES: 'mscoree,mshtml=' },
};

export interface Wine {
  /** How a program is started, and in what environment beside the usual. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The path of a file as Windows has it. */
  path(path: string): string;
  /** Ends whatever still runs in it. */
  close(): void;
}

/** Waits for others here that use it: whoever is done ends all that runs in it. Rejects when that takes too long. */
export async function openWine(): Promise<Wine> {
  mkdirSync(dirname(prefix), { recursive: true });
  let lock: Lock | null = null;
  const take = () => {
    lock = acquireLock(`${prefix}.lock`);
    return lock !== null;
  };
  await until('Wine is free', take, { withinMs: lockMsMax });
  if (!existsSync(prefix)) makePrefix();
  return {
    command: [wine],
    env: environment,
    path: (path) => `Z:${path.replaceAll('/', '\\')}`,
    close: () => {
      run([server, '-k', '-w'], environment);
      lock?.release();
    },
  };
}

function makePrefix(): void {
  const made = `${prefix}.${process.pid}`;
  const env = { ...environment, HOME: made, WINEPREFIX: made };
  mkdirSync(made, { recursive: true });
  try {
    run([wine, 'wineboot', '--init'], env);
    run([server, '-w'], env);
    const library = join(made, 'drive_c/windows/system32/bcryptprimitives.dll');
    const source = join(import.meta.dir, 'bcryptprimitives.c');
    if (!existsSync(library)) run([compiler, '-O2', '-shared', '-o', library, source, '-ladvapi32'], env);
    if (!existsSync(library)) throw new Error(`${compiler} made no ${library}`);
    renameSync(made, prefix);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** What cannot be done shows in what is missing afterwards. */
function run(command: string[], env: Record<string, string>): void {
  Bun.spawnSync(command, { env, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore', timeout: 60_000 });
}

/** Processes here that ping, or are to, as many times as a number says that begins so. */
export function pings(number: string): number {
  const form = new RegExp(`\\bping\\W+-n\\W+${number}`, 'i');
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return form.test(words) && !words.includes('octaskly.exe');
    } catch {
      return false;
    }
  }).length;
}
