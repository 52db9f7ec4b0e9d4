/**
 * The real terminal of the command line: standard streams, signals and files of this process.
 * Written for pipes as much as for people: a write resolves when the system took the bytes, a reader that is gone is
 * `BrokenPipe`, and nothing is buffered here that an exit could lose.
 */

import { promises as files, fstatSync, statSync, write } from 'node:fs';
import { homedir } from 'node:os';
import { isatty } from 'node:tty';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { InterruptSignal, Sink, Source, Suspension, Terminal } from '../cli/context.ts';
import { BrokenPipe } from '../cli/context.ts';
import { canSuspendOn } from '../core/platform/signals.ts';
import { notifyDesktop } from './desktop.ts';
import { createKeyboard, isRaw } from './keyboard.ts';
import { givenEnvironment } from './own-secrets.ts';
import { guardTerminal } from './terminal-guard.ts';

/** Pause before another try on a descriptor that somebody set to non-blocking. */
const busyDelayMs = 5;

/** Longest wait before a process that is to stop does. */
const suspendMaxMs = 1000;

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '');
const pause = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

function writeSome(descriptor: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, 0, bytes.length, null, (error, written) => (error ? reject(error) : resolve(written)));
  });
}

async function writeAll(descriptor: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += await writeSome(descriptor, bytes.subarray(at));
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EPIPE' || code === 'ECONNRESET') throw new BrokenPipe('the reader is gone');
      if (code !== 'EAGAIN') {
        const name = descriptor === 1 ? 'standard output' : 'standard error';
        throw new OctasklyError('io', `Cannot write to ${name}: ${reasonOf(error)}.`, { cause: error });
      }
      await pause(busyDelayMs);
    }
  }
}

function createSink(descriptor: 1 | 2): Sink {
  const isTTY = isatty(descriptor);
  const encoder = new TextEncoder();
  // One write at a time: two in flight could change places or interleave.
  let turn: Promise<void> = Promise.resolve();
  return {
    isTTY,
    get columns() {
      return isTTY ? ((descriptor === 1 ? process.stdout : process.stderr).columns ?? null) : null;
    },
    write(data) {
      const bytes =
        typeof data === 'string' ? encoder.encode(isTTY && isRaw() ? data.replaceAll('\n', '\r\n') : data) : data;
      const done = turn.then(() => writeAll(descriptor, bytes));
      turn = done.catch(() => {});
      return done;
    },
  };
}

/** Nothing to read: descriptor 0 is closed or the null device. */
function isEmptyInput(): boolean {
  try {
    const stat = fstatSync(0);
    return stat.isCharacterDevice() && stat.rdev === statSync('/dev/null').rdev;
  } catch {
    return true;
  }
}

async function* stdinChunks(signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined> {
  const { stdin } = process;
  const stop = (): void => {
    stdin.destroy();
  };
  if (signal?.aborted) return;
  signal?.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of stdin) yield chunk as Uint8Array;
  } catch (error) {
    // Destroying the stream is how reading is given up; it reports that as an error.
    if (!signal?.aborted) throw new OctasklyError('io', `Cannot read standard input: ${reasonOf(error)}.`);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function createSource(): Source {
  return { isTTY: isatty(0), isEmpty: isEmptyInput(), chunks: stdinChunks };
}

function onSignal(listener: (signal: InterruptSignal) => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const stops = signals.map((signal) => {
    const handler = (): void => listener(signal);
    process.on(signal, handler);
    return () => {
      process.off(signal, handler);
    };
  });
  return () => {
    for (const stop of stops) stop();
  };
}

function onSuspend({ before, after }: Suspension): () => void {
  const stop = async (): Promise<void> => {
    await Promise.race([before().catch(() => undefined), pause(suspendMaxMs)]);
    // By this signal, since the one that came does no more than call this. The process goes on at the next line.
    process.kill(process.pid, 'SIGSTOP');
    after();
  };
  process.on('SIGTSTP', stop);
  return () => {
    process.off('SIGTSTP', stop);
  };
}

async function onFile<T>(path: string, action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new OctasklyError('io', `Cannot ${action} ${path}: ${reasonOf(error)}.`, { cause: error });
  }
}

/** Null when there is no such file. */
function readBytes(path: string): Promise<Buffer | null> {
  return onFile(path, 'read', async () => {
    try {
      return await files.readFile(path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    }
  });
}

/** The terminal this process was started in. To be made once: standard input can be read only once. */
export function createTerminal(): Terminal {
  return {
    stdout: createSink(1),
    stderr: createSink(2),
    stdin: createSource(),
    keyboard: createKeyboard(),
    env: givenEnvironment(),
    homeDir: homedir(),
    notifyDesktop,
    guard: guardTerminal,
    textWidth: (text) => Bun.stringWidth(text),
    now: () => Date.now(),
    onSignal,
    ...(canSuspendOn(process.platform) ? { onSuspend } : {}),
    readText: async (path) => (await readBytes(path))?.toString('utf8') ?? null,
    readBytes,
    writeText: (path, text) => onFile(path, 'write', () => files.writeFile(path, text)),
    appendText: (path, text) => onFile(path, 'write', () => files.appendFile(path, text)),
  };
}
