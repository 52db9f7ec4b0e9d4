/**
 * The two directions of a process's standard streams, with back-pressure and without loss.
 *
 * Real pipes where the system has pipe2 (Linux): a task may open /dev/stdout, and what nobody reads stays in the kernel's
 * 64 KiB, so memory cannot grow. Elsewhere Bun's own stream, which reads ahead without a bound.
 * A process that ends within `quietMs` never gets a stream object: what it wrote is still in the pipe and is read in one go.
 *
 * Deliberately not here: processes. Invariant: whoever makes a descriptor closes it, exactly once, when nothing is pending.
 */

import { closeSync } from 'node:fs';
import { passedThrough } from './garbage.ts';
import type { LinuxCalls } from './libc.ts';

/** Time a pipe is left alone after the start; longer than most short tasks live, shorter than a person notices. */
export const quietMs = 10;

/** After a tree is gone its pipes are at their end; a stranger who holds one open is waited for this long in silence. */
const silenceMs = 250;

const readBytes = 64 * 1024;

const shared = new Uint8Array(readBytes);

/** Takes bytes; while the promise is pending nothing more is read. */
export type Taker = (data: Uint8Array) => Promise<void> | undefined;

/** One stream of output. */
export interface OutputPipe {
  /** What the process gets as its end. */
  readonly theirs: number | 'pipe';
  /** The process has its end now: ours of it is closed. `own` is Bun's stream where `theirs` is 'pipe'. */
  started(own: ReadableStream<Uint8Array> | undefined): void;
  /** Begins to read. Idempotent. */
  follow(): void;
  /** No writer is left: delivers the rest, then closes. Null when that is already done. Rejects with what `take` threw. */
  finish(): Promise<void> | null;
  /** Gives everything up, for a process that was never started. */
  discard(): void;
}

/** Reads a stream into a taker, and can be told that nothing more may come. */
export class Pump {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #done: Promise<void>;
  #chunks = 0;
  #reading = false;

  constructor(stream: ReadableStream<Uint8Array>, take: Taker) {
    this.#reader = stream.getReader();
    this.#done = this.#run(take);
    // Whoever finishes hears of the failure; until then it must not count as unhandled.
    this.#done.catch(() => undefined);
  }

  async finish(): Promise<void> {
    let seen = -1;
    const watch = setInterval(() => {
      if (this.#reading && this.#chunks === seen) void this.#reader.cancel();
      seen = this.#chunks;
    }, silenceMs);
    try {
      await this.#done;
    } finally {
      clearInterval(watch);
    }
  }

  async #run(take: Taker): Promise<void> {
    for (;;) {
      this.#reading = true;
      const { done, value } = await this.#reader.read();
      this.#reading = false;
      if (done) return;
      this.#chunks++;
      passedThrough(value.length);
      const taken = take(value);
      if (taken !== undefined) await taken;
    }
  }
}

/** Output through a pipe of our own. Null when descriptors ran out. */
export function openKernelPipe(calls: LinuxCalls, take: Taker): OutputPipe | null {
  const pipe = calls.openOutputPipe();
  if (pipe === null) return null;
  const { read, write } = pipe;
  let pump: Pump | null = null;

  const drain = (): Promise<void> | null => {
    for (;;) {
      const length = calls.read(read, shared);
      if (length <= 0) return null;
      const taken = take(shared.slice(0, length));
      if (taken !== undefined) return taken.then(() => drain() ?? undefined);
    }
  };

  return {
    theirs: write,
    started: () => closeSync(write),
    follow: () => {
      pump ??= new Pump(Bun.file(read).stream(), take);
    },
    finish: () => {
      const rest = pump === null ? drain() : pump.finish();
      if (rest !== null) return rest.finally(() => closeSync(read));
      closeSync(read);
      return null;
    },
    discard: () => {
      closeSync(write);
      closeSync(read);
    },
  };
}

/** Output through Bun's stream, for systems without pipe2. */
export function openStreamPipe(take: Taker): OutputPipe {
  let pump: Pump | null = null;
  return {
    theirs: 'pipe',
    started: (own) => {
      if (own !== undefined) pump = new Pump(own, take);
    },
    follow: () => undefined,
    finish: () => pump?.finish() ?? null,
    discard: () => undefined,
  };
}

/** Standard input. */
export interface InputPipe {
  readonly theirs: number | 'pipe';
  started(own: Bun.FileSink | undefined): void;
  /** Resolves true when the bytes went into the pipe, false when the process takes no more. Calls keep their order. */
  write(data: Uint8Array): Promise<boolean>;
  /** Ends the input after what was written. Idempotent. */
  close(): void;
}

/** Resolves true when the system took all bytes, false when the other side takes no more. */
export async function writeTo(sink: Bun.FileSink, data: Uint8Array): Promise<boolean> {
  try {
    await Promise.all([sink.write(data), sink.flush()]);
    return true;
  } catch {
    return false;
  }
}

/** Input through a pipe of our own, or Bun's where there is none. */
export function openInputPipe(calls: LinuxCalls | null): InputPipe {
  const pipe = calls?.openInputPipe() ?? null;
  let sink: Bun.FileSink | null = null;
  let refused = false;
  let ended = false;
  return {
    theirs: pipe?.read ?? 'pipe',
    started: (own) => {
      if (pipe !== null) closeSync(pipe.read);
      sink = pipe === null ? (own ?? null) : Bun.file(pipe.write).writer();
    },
    write: async (data) => {
      if (refused || ended || sink === null) return false;
      refused = !(await writeTo(sink, data));
      return !refused;
    },
    close: () => {
      if (ended) return;
      ended = true;
      void (async () => {
        try {
          await sink?.end();
        } catch {
          // The process went away without reading all of it.
        } finally {
          if (pipe !== null) closeSync(pipe.write);
        }
      })();
    },
  };
}
