/**
 * `Bun.spawn` and `Bun.spawnSync` for Node, as far as they are used here: what fails to start is thrown at once, streams
 * of the web for what a child writes, a sink for what it reads.
 *
 * Deliberately not here: what a child used (`resourceUsage`), which Node does not tell. With `cgroup` the child is put into
 * the group when it has started: what it starts within that moment is outside.
 */

import { type ChildProcess, spawn as start, spawnSync as startSync } from 'node:child_process';
import { accessSync, constants, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { delimiter, isAbsolute, join } from 'node:path';
import { sinkOf, webStreamOf } from './descriptors.ts';

type Stdio = 'ignore' | 'pipe' | 'inherit' | number;

/** Options of `spawn`, as Bun has them. `timeout` in ms. */
export interface SpawnOptions {
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdio?: readonly Stdio[];
  readonly stdin?: Stdio;
  readonly stdout?: Stdio;
  readonly stderr?: Stdio;
  readonly detached?: boolean;
  readonly uid?: number;
  readonly gid?: number;
  readonly cgroup?: string;
  readonly timeout?: number;
  readonly killSignal?: NodeJS.Signals;
  onExit?(child: Child, code: number | null, signal: string | null): void;
}

export type Child = ReturnType<typeof spawn>;

/** A file to be started under this name; null when there is none. As `Bun.which`. */
export function which(name: string, { PATH = process.env.PATH ?? '' }: { readonly PATH?: string } = {}): string | null {
  const places = name.includes('/') ? [name] : PATH.split(delimiter).map((place) => join(place || '.', name));
  return places.find((place) => mayRun(place)) ?? null;
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Starts a process. Throws what the system says where it can be known at once: `code` ENOENT, EACCES, EAGAIN, EPERM, … */
export function spawn(argv: readonly string[], options: SpawnOptions) {
  const [program = '', ...args] = argv;
  const { cwd, env, detached, uid, gid, timeout, killSignal, onExit } = options;
  const stdio = options.stdio ?? [options.stdin ?? 'ignore', options.stdout ?? 'pipe', options.stderr ?? 'inherit'];
  const exited = Promise.withResolvers<number>();
  const child = start(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(killSignal === undefined ? {} : { killSignal }),
    env: { ...env },
    detached: detached ?? false,
    stdio: [...stdio],
  });
  // It is told once more, a moment later.
  child.on('error', () => undefined);
  const { pid } = child;
  if (pid === undefined) throw notStarted(program, env.PATH);
  if (options.cgroup !== undefined) enterGroup(options.cgroup, pid);
  const handle = {
    pid,
    stdin: child.stdin === null ? undefined : sinkOf(child.stdin),
    stdout: child.stdout === null ? undefined : webStreamOf(child.stdout),
    stderr: child.stderr === null ? undefined : webStreamOf(child.stderr),
    exited: exited.promise,
    get exitCode() {
      return child.exitCode;
    },
    get signalCode() {
      return child.signalCode;
    },
    kill: (signal?: NodeJS.Signals | number) => void child.kill(signal),
    resourceUsage: () => undefined,
    unref: () => unreference(child),
  };
  child.once('exit', (code, signal) => {
    onExit?.(handle, code, signal);
    exited.resolve(code ?? 128);
  });
  return handle;
}

/** Starts a process and waits for it. */
export function spawnSync(argv: readonly string[], options: SpawnOptions = { env: process.env }) {
  const [program = '', ...args] = argv;
  const { env, cwd, timeout, killSignal } = options;
  const stdio = options.stdio ?? [options.stdin ?? 'ignore', options.stdout ?? 'pipe', options.stderr ?? 'pipe'];
  const done = startSync(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(killSignal === undefined ? {} : { killSignal }),
    env: { ...env },
    stdio: [...stdio],
  });
  // One that took too long is no error, but was ended by a signal.
  if (done.error !== undefined && done.signal === null) throw done.error;
  return {
    exitCode: done.status,
    signalCode: done.signal,
    stdout: done.stdout ?? Buffer.alloc(0),
    stderr: done.stderr ?? Buffer.alloc(0),
  };
}

/** Node says why a moment later; whoever starts something wants to know at once. */
function notStarted(program: string, path: string | undefined): Error {
  const found = isAbsolute(program) || path === undefined ? which(program) : which(program, { PATH: path });
  if (found !== null) {
    const reason = 'the system started no process: what the file is run by is missing, or there are too many processes';
    return Object.assign(new Error(reason), { code: 'EAGAIN' });
  }
  const isThere = program.includes('/') && exists(program);
  return Object.assign(new Error(`${program} cannot be started`), { code: isThere ? 'EACCES' : 'ENOENT' });
}

function exists(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

function enterGroup(directory: string, pid: number): void {
  try {
    writeFileSync(join(directory, 'cgroup.procs'), `${pid}`);
  } catch {
    // It has ended already, or the group is not ours: the watcher keeps the limits.
  }
}

/** Neither it nor a pipe to it keeps this process alive. */
function unreference(child: ChildProcess): void {
  child.unref();
  for (const stream of child.stdio) if (stream instanceof Socket) stream.unref();
}
