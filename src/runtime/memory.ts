/**
 * Large memory that is used again. The collector comes by only after many megabytes of large arrays, and until then each
 * new one is memory that no processor has in its caches and the system has yet to hand out: for bytes that only pass
 * through, that costs more than sealing them.
 *
 * Two ways: what was borrowed is lent again to the next; what is of somebody else's making (a chunk of a socket, what a
 * cipher gave) is handed back to the allocator at once. Whoever forgets either loses nothing: the collector finds it.
 *
 * Invariants: nothing is lent to two at a time; at most `shelfBytesMax` wait for somebody to borrow them.
 */

const halfPageBytes = 2048;
/** Smaller memory is left to the collector. */
const largeBytesMin = 16 * 1024;
/** Frames of files have half a MiB, and about one MiB of them waits in front of a socket. */
const shelfBytesMax = 4 * 1024 * 1024;

/** Memory to borrow. */
export class Shelf {
  /** Waiting to be lent; given back last, last. */
  readonly #free: ArrayBufferLike[] = [];
  #freeBytes = 0;
  readonly #lent = new WeakSet<ArrayBufferLike>();

  /**
   * So many bytes, in which anything may stand. Large memory begins half a page into its first one: what the runtime seals
   * and opens begins a page, and some processors copy at a third of the speed to where a page begins but a few bytes later.
   */
  borrow(bytes: number): Uint8Array {
    if (bytes < largeBytesMin) return new Uint8Array(bytes);
    const neededBytes = halfPageBytes + bytes;
    const buffer = this.#take(neededBytes) ?? Buffer.allocUnsafeSlow(neededBytes).buffer;
    this.#lent.add(buffer);
    return new Uint8Array(buffer, halfPageBytes, bytes);
  }

  /** Gives back what `borrow` gave; nobody may use it any more. True if it was that; else nothing happens. */
  giveBack({ buffer }: Uint8Array): boolean {
    if (!this.#lent.delete(buffer)) return false;
    if (this.#freeBytes + buffer.byteLength <= shelfBytesMax) {
      this.#free.push(buffer);
      this.#freeBytes += buffer.byteLength;
    } else {
      empty(buffer);
    }
    return true;
  }

  /** Gives back all that `bytes` stand in, whoever made it; nobody may use any of that any more. */
  release(bytes: Uint8Array): void {
    if (bytes.buffer.byteLength >= largeBytesMin && !this.giveBack(bytes)) empty(bytes.buffer);
  }

  /** Free memory that is large enough and not much larger; of that the last, which is the likeliest to be in a cache. */
  #take(neededBytes: number): ArrayBufferLike | undefined {
    const fits = ({ byteLength }: ArrayBufferLike): boolean =>
      byteLength >= neededBytes && byteLength <= 2 * neededBytes;
    const index = this.#free.findLastIndex(fits);
    if (index < 0) return undefined;
    const [buffer] = this.#free.splice(index, 1);
    this.#freeBytes -= buffer?.byteLength ?? 0;
    return buffer;
  }
}

/** That of this process. */
export const shelf = new Shelf();

/** Hands memory to the allocator; every view of it has no bytes any more. */
function empty(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
