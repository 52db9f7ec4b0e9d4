/**
 * What waits to leave by one stream: a bounded queue in front of something that takes what it has room for. Writes of a
 * turn leave together, a writer that ignores `congested` is stopped, and so is a peer that takes nothing for too long.
 * Knows no sockets.
 *
 * Invariant: whoever saw `congested` hears `onDrain`, also when a scheduled flush empties the queue before the system ever
 * said that it was full.
 */

export interface OutflowLimits {
  /** Queued bytes from which `congested` is true; at half of it `onDrain` follows. */
  readonly highWaterBytes: number;
  /** Queued bytes at which a writer that ignored `congested` is stopped. */
  readonly queuedBytesMax: number;
  /** Time in which the peer must take at least one byte of what is queued. */
  readonly stallTimeoutMs: number;
}

export interface OutflowSink {
  /** Takes `length` bytes of `buffer` from `start`, or fewer: then `drained` is called later. Negative: it is closed. */
  take(buffer: Uint8Array, start: number, length: number): number;
  /** After `congested`: there is room again. Never called from inside `push`. */
  onDrain(): void;
  /** Once, after `finish`: everything was taken. */
  onFlushed(): void;
  /** A limit is exceeded, `detail` says which; the connection is to be cut. */
  onStall(detail: string): void;
}

const keptBufferBytes = 16 * 1024;
const noBytes = new Uint8Array(0);

export class Outflow {
  readonly #limits: OutflowLimits;
  readonly #sink: OutflowSink;
  #queue: Uint8Array = noBytes;
  #start = 0;
  #end = 0;
  /** The system took less than it was given: `drained` will come. */
  #blocked = false;
  #flushScheduled = false;
  #congested = false;
  #finishing = false;
  #stopped = false;
  #stallTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(limits: OutflowLimits, sink: OutflowSink) {
    this.#limits = limits;
    this.#sink = sink;
  }

  get congested(): boolean {
    return this.#congested;
  }

  get queuedBytes(): number {
    return this.#end - this.#start;
  }

  /** Queues a copy of `bytes`; they leave at the end of this turn. After `finish` or `stop` it does nothing. */
  push(bytes: Uint8Array): void {
    if (this.#stopped || this.#finishing) return;
    this.#makeRoom(bytes.length);
    this.#queue.set(bytes, this.#end);
    this.#end += bytes.length;
    if (this.queuedBytes >= this.#limits.highWaterBytes) this.#congested = true;
    if (this.queuedBytes > this.#limits.queuedBytesMax) {
      this.#sink.onStall(`More than ${this.#limits.queuedBytesMax} bytes wait for the other side.`);
    } else {
      this.#scheduleFlush();
    }
  }

  /** Takes nothing more; `onFlushed` follows when all that is queued has left. Idempotent. */
  finish(): void {
    if (this.#stopped || this.#finishing) return;
    this.#finishing = true;
    this.#scheduleFlush();
  }

  /** The system has room again. */
  drained(): void {
    this.#blocked = false;
    this.#flush();
  }

  /** Drops what is queued; nothing is called any more. Idempotent. */
  stop(): void {
    this.#stopped = true;
    if (this.#stallTimer !== null) clearTimeout(this.#stallTimer);
    this.#queue = noBytes;
    this.#start = 0;
    this.#end = 0;
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
    if (this.#stopped) return;
    if (this.queuedBytes > 0) {
      const taken = this.#sink.take(this.#queue, this.#start, this.queuedBytes);
      // Negative: whoever closed it says why.
      if (taken < 0) return;
      this.#start += taken;
      this.#blocked = this.queuedBytes > 0;
      this.#watchStall(taken);
      if (!this.#blocked) this.#emptied();
    }
    if (this.#finishing) {
      if (this.queuedBytes === 0) this.#sink.onFlushed();
    } else if (this.#congested && this.queuedBytes < this.#limits.highWaterBytes / 2) {
      this.#congested = false;
      this.#sink.onDrain();
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
      this.#sink.onStall(`The other side took nothing for ${stallTimeoutMs / 1000} s.`);
    }, stallTimeoutMs);
  }
}
