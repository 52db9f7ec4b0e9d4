/**
 * One TCP connection as a byte stream with a bounded queue: writes of a turn are merged into one system call, what the
 * kernel does not take waits here, and a peer that takes nothing for too long is cut off. Knows no frames and no Noise.
 *
 * Traps of Bun's sockets that this file exists to hide:
 * - `write` takes what fits and returns how much; the rest is ours to keep. `drain` fires only after such a partial write,
 *   so a sender that waits for room must also be woken when a scheduled flush empties the queue.
 * - `end` closes at once; bytes of the peer that arrive afterwards are answered with a reset, which may destroy what the
 *   peer has not read yet. So a good end is: flush, `shutdown`, wait for the peer's end or `lingerMs`, then cut.
 * - What a handler throws lands in the socket's `error` handler. It is our own mistake and is thrown again, outside.
 */

import type { Socket, SocketHandler } from 'bun';
import { reasonOf } from '../base/errors.ts';

export interface StreamLimits {
  /** Queued bytes from which `congested` is true; at half of it `onDrain` follows. */
  readonly highWaterBytes: number;
  /** Queued bytes at which a writer that ignored `congested` is cut off. */
  readonly queuedBytesMax: number;
  /** Time in which the peer must take at least one byte of what is queued. */
  readonly stallTimeoutMs: number;
  /** Time the peer has to end its side after we ended ours. */
  readonly lingerMs: number;
}

/** How a connection closed. `finished`: we ended it in good order and everything was handed to the kernel. */
export interface StreamEnd {
  readonly cause: 'finished' | 'ended_by_peer' | 'lost' | 'stalled';
  readonly detail: string;
}

export interface StreamHandlers {
  /** `chunk` is the handler's to keep. Not called after `finish` or `cut`. */
  onData(chunk: Uint8Array): void;
  /** After `congested`: there is room again. Never called from inside `write`. */
  onDrain(): void;
  /** Exactly once, last. */
  onClose(end: StreamEnd): void;
}

/** A connection as Bun knows it; its `data` is the stream, once there is one. */
export type StreamSocket = Socket<{ stream: TcpStream | null }>;

const keptBufferBytes = 16 * 1024;
const noBytes = new Uint8Array(0);

export class TcpStream {
  readonly #socket: StreamSocket;
  readonly #limits: StreamLimits;
  readonly #handlers: StreamHandlers;
  #queue: Uint8Array = noBytes;
  #start = 0;
  #end = 0;
  /** The kernel took less than it was given: `drain` will come. */
  #blocked = false;
  #flushScheduled = false;
  #congested = false;
  #finishing = false;
  #closed = false;
  #outcome: StreamEnd | null = null;
  #stallTimer: ReturnType<typeof setTimeout> | null = null;
  #lingerTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(socket: StreamSocket, limits: StreamLimits, handlers: StreamHandlers) {
    this.#socket = socket;
    this.#limits = limits;
    this.#handlers = handlers;
    socket.data = { stream: this };
    socket.setNoDelay(true);
  }

  get congested(): boolean {
    return this.#congested;
  }

  get queuedBytes(): number {
    return this.#end - this.#start;
  }

  /** Queues a copy of `bytes`; they leave at the end of this turn. After `finish` or the end it does nothing. */
  write(bytes: Uint8Array): void {
    if (this.#closed || this.#finishing) return;
    this.#makeRoom(bytes.length);
    this.#queue.set(bytes, this.#end);
    this.#end += bytes.length;
    if (this.queuedBytes >= this.#limits.highWaterBytes) this.#congested = true;
    if (this.queuedBytes > this.#limits.queuedBytesMax) {
      this.cut({ cause: 'stalled', detail: `More than ${this.#limits.queuedBytesMax} bytes wait for the other side.` });
    } else {
      this.#scheduleFlush();
    }
  }

  /** Sends what is queued, then ends the connection in good order; `onClose` follows. Idempotent. */
  finish(): void {
    if (this.#closed || this.#finishing) return;
    this.#finishing = true;
    this.#scheduleFlush();
  }

  /** Ends the connection at once; what is queued is lost. `onClose` follows from inside this call. Idempotent. */
  cut(end: StreamEnd): void {
    this.#outcome ??= end;
    this.#socket.terminate();
    this.closed(undefined);
  }

  /** For the socket's handlers only, as the following three. */
  received(chunk: Uint8Array): void {
    if (!this.#finishing && !this.#closed) this.#handlers.onData(chunk);
  }

  drained(): void {
    this.#blocked = false;
    this.#flush();
  }

  endedByPeer(): void {
    this.#outcome ??= this.#finishedEnd() ?? { cause: 'ended_by_peer', detail: 'The other side hung up.' };
  }

  closed(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#stallTimer !== null) clearTimeout(this.#stallTimer);
    if (this.#lingerTimer !== null) clearTimeout(this.#lingerTimer);
    const end = this.#outcome ?? this.#finishedEnd() ?? { cause: 'lost' as const, detail: lossDetail(error) };
    this.#queue = noBytes;
    this.#start = 0;
    this.#end = 0;
    this.#handlers.onClose(end);
  }

  #finishedEnd(): StreamEnd | null {
    if (!this.#finishing || this.queuedBytes > 0) return null;
    return { cause: 'finished', detail: 'Ended from this side.' };
  }

  #makeRoom(bytes: number): void {
    if (this.#end + bytes <= this.#queue.length) return;
    const needed = this.queuedBytes + bytes;
    const queued = this.#queue.subarray(this.#start, this.#end);
    // Moved to the front of the same buffer when that leaves it at most half full, else to one twice as large: either way
    // a byte is moved a constant number of times on average.
    if (needed <= this.#queue.length >> 1) {
      this.#queue.copyWithin(0, this.#start, this.#end);
    } else {
      const grown = new Uint8Array(Math.max(needed, this.#queue.length * 2, keptBufferBytes));
      grown.set(queued);
      this.#queue = grown;
    }
    this.#end -= this.#start;
    this.#start = 0;
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#blocked) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#closed) return;
    if (this.queuedBytes > 0) {
      const taken = this.#socket.write(this.#queue, this.#start, this.queuedBytes);
      // Negative: the socket has closed, its close handler says why.
      if (taken < 0) return;
      this.#start += taken;
      this.#blocked = this.queuedBytes > 0;
      this.#watchStall(taken);
      if (!this.#blocked) this.#emptied();
    }
    if (this.#finishing) {
      if (this.queuedBytes === 0) this.#shutdown();
    } else if (this.#congested && this.queuedBytes < this.#limits.highWaterBytes / 2) {
      this.#congested = false;
      this.#handlers.onDrain();
    }
  }

  #emptied(): void {
    this.#start = 0;
    this.#end = 0;
    if (this.#queue.length > this.#limits.highWaterBytes) this.#queue = noBytes;
  }

  /** The clock of a stall runs while something is queued, and starts again with every byte taken. */
  #watchStall(taken: number): void {
    if (this.#stallTimer !== null && (taken > 0 || !this.#blocked)) {
      clearTimeout(this.#stallTimer);
      this.#stallTimer = null;
    }
    if (!this.#blocked || this.#stallTimer !== null) return;
    const { stallTimeoutMs } = this.#limits;
    this.#stallTimer = setTimeout(() => {
      this.cut({ cause: 'stalled', detail: `The other side took nothing for ${stallTimeoutMs / 1000} s.` });
    }, stallTimeoutMs);
  }

  #shutdown(): void {
    if (this.#lingerTimer !== null) return;
    this.#lingerTimer = setTimeout(() => {
      this.cut({ cause: 'finished', detail: 'Ended from this side.' });
    }, this.#limits.lingerMs);
    this.#socket.shutdown();
  }
}

/** Handlers for `Bun.listen` and `Bun.connect`; `open` makes the stream of a new socket. */
export function socketHandlers(open: (socket: StreamSocket) => void): SocketHandler<{ stream: TcpStream | null }> {
  return {
    binaryType: 'uint8array',
    open,
    data: (socket, chunk) => socket.data.stream?.received(chunk),
    drain: (socket) => socket.data.stream?.drained(),
    end: (socket) => socket.data.stream?.endedByPeer(),
    close: (socket, error) => socket.data?.stream?.closed(error),
    error: (_socket, error) => {
      queueMicrotask(() => {
        throw error;
      });
    },
  };
}

function lossDetail(error: Error | undefined): string {
  return error === undefined ? 'The connection was lost.' : `The connection was lost: ${reasonOf(error)}.`;
}
