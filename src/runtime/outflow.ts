/**
 * What waits to leave by one stream: a bounded queue in front of something that takes what it has room for. Writes of a
 * turn leave together, a writer that ignores `congested` is stopped, and so is a peer that takes nothing for too long.
 * Knows no sockets.
 *
 * Small writes are merged, by copying them into blocks; a large one is a block by itself, and not copied.
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
  /** Of a sink that copies what it takes: all of these bytes, which were pushed as they are, were taken. */
  onTaken?(bytes: Uint8Array): void;
  /** After `congested`: there is room again. Never called from inside `push`. */
  onDrain(): void;
  /** Once, after `finish`: everything was taken. */
  onFlushed(): void;
  /** A limit is exceeded, `detail` says which; the connection is to be cut. */
  onStall(detail: string): void;
}

/** A write of so many bytes is large. */
const largeBytesMin = 16 * 1024;
/** Block that is kept while nothing is queued: enough for a link that is not busy. */
const keptBlockBytes = 16 * 1024;
/** Block for small writes behind others. */
const blockBytes = 64 * 1024;

/** Bytes that leave in a row: those of `buffer` between `start` and `end`; behind `end` is room, unless it is `full`. */
interface Block {
  readonly buffer: Uint8Array;
  readonly full: boolean;
  start: number;
  end: number;
}

export class Outflow {
  readonly #limits: OutflowLimits;
  readonly #sink: OutflowSink;
  /** Oldest first. */
  readonly #blocks: Block[] = [];
  #spare: Block | null = null;
  #queuedBytes = 0;
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
    return this.#queuedBytes;
  }

  /** Queues `bytes`, which are its own from now on; they leave at the end of this turn. After `finish` or `stop` nothing happens. */
  push(bytes: Uint8Array): void {
    if (this.#stopped || this.#finishing) return;
    if (bytes.length >= largeBytesMin) {
      this.#blocks.push({ buffer: bytes, full: true, start: 0, end: bytes.length });
    } else {
      const block = this.#blockWithRoom(bytes.length);
      block.buffer.set(bytes, block.end);
      block.end += bytes.length;
    }
    this.#queuedBytes += bytes.length;
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
    this.#blocks.length = 0;
    this.#spare = null;
    this.#queuedBytes = 0;
  }

  #blockWithRoom(bytes: number): Block {
    const last = this.#blocks.at(-1);
    if (last !== undefined && !last.full && last.end + bytes <= last.buffer.length) return last;
    let block: Block;
    if (last === undefined) block = this.#spare ??= newBlock(keptBlockBytes);
    else block = newBlock(last.full ? keptBlockBytes : blockBytes);
    this.#blocks.push(block);
    return block;
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
      const before = this.queuedBytes;
      // Closed: whoever closed it says why.
      if (!this.#hand()) return;
      this.#blocked = this.queuedBytes > 0;
      this.#watchStall(before - this.queuedBytes);
    }
    if (this.#finishing) {
      if (this.queuedBytes === 0) this.#sink.onFlushed();
    } else if (this.#congested && this.queuedBytes < this.#limits.highWaterBytes / 2) {
      this.#congested = false;
      this.#sink.onDrain();
    }
  }

  /** Hands over block by block until one is not taken whole; false when it is closed. */
  #hand(): boolean {
    for (let block = this.#blocks[0]; block !== undefined; block = this.#blocks[0]) {
      const taken = this.#sink.take(block.buffer, block.start, block.end - block.start);
      if (taken < 0 || this.#stopped) return false;
      this.#queuedBytes -= taken;
      block.start += taken;
      if (block.start < block.end) return true;
      this.#blocks.shift();
      if (block.full) this.#sink.onTaken?.(block.buffer);
      if (block === this.#spare) [block.start, block.end] = [0, 0];
    }
    return true;
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

function newBlock(bytes: number): Block {
  return { buffer: new Uint8Array(bytes), full: false, start: 0, end: 0 };
}
