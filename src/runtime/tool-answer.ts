/**
 * Asks a tool of the system something: starts it, reads what it writes, and ends it when that takes too long.
 *
 * Invariants: the answer is there soon after the tool's end, also where something it started holds its output open; what it
 * writes beyond a limit is read and dropped. A tool that takes too long is ended with what it started, which for many is what
 * hangs: those of Termux are scripts around a program that waits for an app. So is one that is asked when this process exits.
 */

import { delimiter } from 'node:path';

/** Tools for administrators are outside of most users' search path. */
const moreDirectories = ['/usr/sbin', '/sbin', '/usr/libexec/ApplicationFirewall'];

/** Kept of a tool's output, and of its errors, bytes: the longest listings of processes and of packet rules take some. */
const writtenBytesMax = 16 * 1024 * 1024;
/** How long output may stay open behind the tool's end, ms. */
const heldMs = 500;

const hasGroups = process.platform !== 'win32';

/** What a tool wrote (output, then errors) and how it ended; status null = it was ended from here. */
export interface Answered {
  readonly status: number | null;
  readonly text: string;
}

/** Null when there is no such tool. Runs without input, in English, with nothing of our environment but the path, and `more`. */
export async function askTool(
  argv: readonly [string, ...string[]],
  timeoutMs: number,
  more: Readonly<Record<string, string>> = {},
): Promise<Answered | null> {
  const path = [process.env.PATH ?? '', ...moreDirectories].join(delimiter);
  const program = Bun.which(argv[0], { PATH: path });
  if (program === null) return null;
  const systemRoot = process.env.SystemRoot;
  try {
    const child = Bun.spawn([program, ...argv.slice(1)], {
      env: { ...more, PATH: path, LC_ALL: 'C', ...(systemRoot === undefined ? {} : { SystemRoot: systemRoot }) },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      // A group of its own, so that it can be ended as one.
      detached: hasGroups,
    });
    const { pid } = child;
    if (asked.size === 0) process.once('exit', endAll);
    asked.add(pid);
    const overdue = setTimeout(() => end(pid), timeoutMs);
    const written = [child.stdout, child.stderr].map(read);
    await child.exited;
    clearTimeout(overdue);
    asked.delete(pid);
    if (asked.size === 0) process.off('exit', endAll);
    const patience = setTimeout(() => {
      for (const { stop } of written) stop();
    }, heldMs);
    const texts = await Promise.all(written.map(({ text }) => text));
    clearTimeout(patience);
    return { status: child.signalCode === null ? child.exitCode : null, text: texts.join('') };
  } catch {
    return null;
  }
}

/** Tools that have not been seen to end, by their process ids. */
const asked = new Set<number>();

function endAll(): void {
  for (const pid of asked) end(pid);
}

/** Ends a tool that has not been seen to end, and what it started. */
function end(pid: number): void {
  try {
    process.kill(hasGroups ? -pid : pid, 'SIGKILL');
  } catch {
    // It has ended just now.
  }
}

/** Reads a stream from now on; `text` resolves at its end, or when it is told to stop. */
function read(stream: ReadableStream<Uint8Array>): { readonly text: Promise<string>; stop(): void } {
  const reader = stream.getReader();
  const all = async (): Promise<string> => {
    const pieces: Uint8Array[] = [];
    for (let left = writtenBytesMax; ; ) {
      const { done, value } = await reader.read();
      if (done) return Buffer.concat(pieces).toString();
      const kept = value.subarray(0, left);
      if (kept.length > 0) pieces.push(kept);
      left -= kept.length;
    }
  };
  return { text: all(), stop: () => void reader.cancel().catch(() => undefined) };
}

/** What programs of Termux need of our environment to reach Android. */
const termuxNames =
  /^(ANDROID_|TERMUX|BOOTCLASSPATH$|DEX2OATBOOTCLASSPATH$|PREFIX$|HOME$|TMPDIR$|LD_PRELOAD$|EXTERNAL_STORAGE$)/;

/** As `askTool`, of a program of Termux:API. */
export function askTermux(argv: readonly [string, ...string[]], timeoutMs: number): Promise<Answered | null> {
  const own = Object.entries(process.env).filter(([name, value]) => value !== undefined && termuxNames.test(name));
  return askTool(argv, timeoutMs, Object.fromEntries(own.map(([name, value]) => [name, value ?? ''])));
}
