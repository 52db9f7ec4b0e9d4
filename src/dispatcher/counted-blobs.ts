/**
 * A blob store whose traffic is counted: bytes taken in, and bytes read to be passed on. Everything else is the store's
 * own. Each kind of partner has one of these over the same store.
 */

import type { BlobReceiver, BlobStore } from '../ports/files.ts';

export class CountedBlobs implements BlobStore {
  readonly #store: BlobStore;
  #received = 0;
  #sent = 0;

  constructor(store: BlobStore) {
    this.#store = store;
  }

  /** Bytes since the start, in both directions. */
  get bytes(): { readonly received: number; readonly sent: number } {
    return { received: this.#received, sent: this.#sent };
  }

  size(blob: string): number | null {
    return this.#store.size(blob);
  }

  read(blob: string, from: number, max: number): Uint8Array {
    const data = this.#store.read(blob, from, max);
    this.#sent += data.length;
    return data;
  }

  receive(blob: string, bytes: number): BlobReceiver {
    const receiver = this.#store.receive(blob, bytes);
    return {
      get received() {
        return receiver.received;
      },
      write: (data) => {
        receiver.write(data);
        this.#received += data.length;
      },
      finish: () => receiver.finish(),
      suspend: () => receiver.suspend(),
    };
  }

  received(blob: string): number {
    return this.#store.received(blob);
  }

  readReceived(blob: string, from: number, max: number): Uint8Array {
    const data = this.#store.readReceived(blob, from, max);
    this.#sent += data.length;
    return data;
  }

  verify(blob: string): Promise<boolean> {
    return this.#store.verify(blob);
  }

  sync(): Promise<void> {
    return this.#store.sync();
  }

  delete(blob: string): void {
    this.#store.delete(blob);
  }
}
