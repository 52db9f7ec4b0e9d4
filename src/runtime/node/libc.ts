/**
 * Twin of `../libc.ts` for Node, which calls no C library: what programs of the system (coreutils, util-linux) and /proc
 * can do instead. Pipes are made by perl, and opened here through its /proc/PID/fd; limits are set by prlimit(1); locks are
 * taken by flock(1), which locks the open file we hand it and so locks it for us (flock(2): locks belong to the open file
 * description). Where there is no perl there are no calls at all, and tasks get what Node makes: pairs of sockets, which
 * cannot be opened by name. Named pipes would not do: whoever opens one whose writer has gone waits for ever.
 *
 * What none of them can do is not there, and said so by its absence: no subreaper, so that `linux-trees.ts` looks for
 * what has left its tree among all processes; no protection of memory; no limit on core dumps and processes of what is
 * started; no urgency; no files in memory. What a call would do at once costs a process here: a few milliseconds.
 * Invariant, as there: descriptors are close-on-exec, as all that Node opens are.
 */

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import type * as foreign from '../libc.ts';
import { readText } from '../procfs.ts';

const { O_RDONLY, O_RDWR, O_WRONLY, O_NONBLOCK, O_NOFOLLOW, O_DIRECTORY } = constants;

/** Pipes made at a time: starting perl costs more than what it does. */
const pipesAtOnce = 24;
/** Makes pipes and holds them until it is killed. */
const pipeMaker = `my @ends = map { pipe(my $r, my $w) or exit 1; ($r, $w) } 1..${pipesAtOnce}; sysread(STDIN, my $byte, 1)`;
/** How long that may take, ms. */
const makingMsMax = 3000;
const unlimited = 2n ** 64n - 1n;

/** No library is opened here. */
export const linuxNames: typeof foreign.linuxNames = [];

export const goesWithout: typeof foreign.goesWithout =
  'This is the file for 32-bit ARM, run by Node, which cannot call the C library. Tasks have no terminals (run -t), and ' +
  'the levels strict and above need bubblewrap. The CPU time of tasks is known as far as it was seen, what they wrote ' +
  'is not. There is no QUIC and no dispatcher. Other programs of this account can read the memory of this worker.';

function plainEnvironment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' };
}

/** Runs a program of the system to its end; true when it says that all went well. */
function does(program: string, args: readonly string[], descriptor?: number): boolean {
  const stdio = ['ignore', 'ignore', 'ignore', ...(descriptor === undefined ? [] : [descriptor])] as const;
  return spawnSync(program, [...args], { env: plainEnvironment(), stdio: [...stdio] }).status === 0;
}

export const openFlock: typeof foreign.openFlock = () => {
  if (!does('flock', ['--version']) && !does('flock', ['-h'])) return null;
  return (fd) => does('flock', ['-x', '-n', '3'], fd);
};

export const openOpenAt: typeof foreign.openOpenAt = () => (directory, name, wanted) => {
  try {
    const flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | (wanted === 'directory' ? O_DIRECTORY : 0);
    return openSync(`/proc/self/fd/${directory}/${name}`, flags);
  } catch {
    return -1;
  }
};

/**
 * No program takes this one's place. What is to be shown of it is: the title lies where the arguments lay (`ps`,
 * `/proc/PID/cmdline`), in as much room.
 */
export const become: typeof foreign.become = ({ argv }) => {
  process.title = argv.join(' ');
};

/** Pipes, each held open by one descriptor for both ends. */
class PipeStock {
  readonly #held: number[] = [];

  /** False when there are none, and no more can be made. */
  fill(): boolean {
    if (this.#held.length === 0) this.#held.push(...makePipes());
    return this.#held.length > 0;
  }

  /** One whose named end blocks, and whose other does not. Null when descriptors ran out. */
  take(blocking: 'read' | 'write'): { readonly read: number; readonly write: number } | null {
    if (!this.fill()) return null;
    const both = this.#held.pop() ?? -1;
    const path = `/proc/self/fd/${both}`;
    let read = -1;
    try {
      read = openSync(path, O_RDONLY | (blocking === 'read' ? 0 : O_NONBLOCK));
      return { read, write: openSync(path, O_WRONLY | (blocking === 'write' ? 0 : O_NONBLOCK)) };
    } catch {
      if (read >= 0) closeSync(read);
      return null;
    } finally {
      closeSync(both);
    }
  }
}

/** Descriptors of new pipes, as many as can be had. Waits for them, as who asks has to have them now. */
function makePipes(): number[] {
  const maker = spawn('perl', ['-e', pipeMaker], { env: plainEnvironment(), stdio: ['pipe', 'ignore', 'ignore'] });
  maker.on('error', () => undefined);
  const { pid } = maker;
  if (pid === undefined) return [];
  maker.unref();
  try {
    // It may have inherited some of whoever started this process.
    const others = pipesOf('self');
    const until = performance.now() + makingMsMax;
    let found: string[] = [];
    while (found.length < pipesAtOnce && performance.now() < until) {
      found = [...pipesOf(`${pid}`)].filter(([name]) => !others.has(name)).map(([, path]) => path);
    }
    return found.map((path) => openSync(path, O_RDWR | O_NONBLOCK));
  } catch {
    // Descriptors ran out, or it has ended.
    return [];
  } finally {
    maker.kill('SIGKILL');
    maker.stdin?.destroy();
  }
}

/** What the process holds, by the name the system gives each pipe. */
function pipesOf(pid: string): Map<string, string> {
  const paths = readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
  const named = paths.map((path) => [nameOf(path), path] as const);
  return new Map(named.filter(([name]) => name.startsWith('pipe:')));
}

function nameOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** Of this process, as /proc shows it. */
function ownLimit(name: string): foreign.Limit | null {
  const [, soft = '', hard = ''] =
    new RegExp(`^${name} +(\\S+) +(\\S+)`, 'm').exec(readText('/proc/self/limits')) ?? [];
  const value = (text: string): bigint => (text === 'unlimited' ? unlimited : BigInt(text));
  return soft === '' || hard === '' ? null : { soft: value(soft), hard: value(hard) };
}

export const openLinuxCalls: typeof foreign.openLinuxCalls = () => {
  const stock = new PipeStock();
  if (process.platform !== 'linux' || !stock.fill()) return null;
  const text = (value: bigint): string => (value === unlimited ? 'unlimited' : `${value}`);
  return {
    openOutputPipe: () => stock.take('write'),
    openInputPipe: () => stock.take('read'),
    read: (fd, buffer) => {
      try {
        return readSync(fd, buffer);
      } catch {
        return -1;
      }
    },
    reap: () => true,
    setSubreaper: () => false,
    protectMemory: () => undefined,
    queueLimit: () => ownLimit('Max msgqueue size'),
    setQueueLimit: ({ soft, hard }) =>
      does('prlimit', ['--pid', `${process.pid}`, `--msgqueue=${text(soft)}:${text(hard)}`]),
    coreLimit: () => null,
    setCoreLimit: () => false,
    processLimit: () => null,
    setProcessLimit: () => false,
    limitProcessesOf: (pid, limit) => does('prlimit', ['--pid', `${pid}`, `--nproc=${limit}`]),
    setGroupNiceness: () => false,
    setUrgent: () => undefined,
    attribute: () => null,
    openMemoryFile: () => null,
  };
};
