/**
 * A blob coming into a file: written where it belongs, hashed on its way, renamed once the hash is right.
 * A write that fails has changed nothing that counts: the next one writes over what it may have left.
 */

import { createHash, type Hash } from 'node:crypto';
import { closeSync, constants, ftruncateSync, openSync } from 'node:fs';
import { assert } from '../base/assert.ts';
import { OctasklyError } from '../base/errors.ts';
import type { BlobReceiver } from '../ports/files.ts';
import { blobNameOf, blobOfDescriptor, onDisk, onDiskBeside, writeDescriptor } from './file-bytes.ts';
import { storeFiles } from './store-files.ts';

interface Arrival {
  readonly blob: string;
  /** Size announced. */
  readonly bytes: number;
  /** Where it is written. */
  readonly file: string;
  /** What is in `file` already; with 0, the first write drops what may be there all the same. */
  readonly received: number;
  /** The hash is right: gives the file its name. */
  arrived(): void;
  /** Nothing is written any more. Called once. */
  ended(): void;
}

export class FileReceiver implements BlobReceiver {
  readonly #arrival: Arrival;
  #received: number;
  /** Over all that was received; null when some of it came before this receiver. */
  readonly #hash: Hash | null;
  #ended = false;

  constructor(arrival: Arrival) {
    this.#arrival = arrival;
    this.#received = arrival.received;
    this.#hash = arrival.received === 0 ? createHash('sha256') : null;
  }

  get received(): number {
    return this.#received;
  }

  write(data: Uint8Array): void {
    const { blob, bytes, file } = this.#arrival;
    assert(!this.#ended, `a receiver of ${blob} is used after its end`);
    if (this.#received + data.length > bytes) {
      throw new OctasklyError('invalid', `Cannot receive ${blob}: more came than the ${bytes} bytes announced.`);
    }
    onDisk(`store ${blob}`, () => {
      const fd = openForWriting(file);
      try {
        if (this.#received === 0) ftruncateSync(fd, 0);
        writeDescriptor(fd, data, this.#received);
      } finally {
        closeSync(fd);
      }
    });
    this.#hash?.update(data);
    this.#received += data.length;
  }

  async finish(): Promise<boolean> {
    const { blob, bytes, file, arrived } = this.#arrival;
    assert(!this.#ended && this.#received === bytes, `a receiver of ${blob} is finished at byte ${this.#received}`);
    this.#ended = true;
    try {
      return await onDiskBeside(`store ${blob}`, async () => {
        if ((await this.#name()) === blob) {
          arrived();
          return true;
        }
        storeFiles.remove(file);
        return false;
      });
    } finally {
      this.#arrival.ended();
    }
  }

  suspend(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#arrival.ended();
  }

  /** The name that what is in the file deserves. */
  async #name(): Promise<string> {
    const { bytes, file } = this.#arrival;
    if (this.#hash !== null && bytes > 0) return blobNameOf(this.#hash);
    const fd = openForWriting(file);
    try {
      // An empty blob has no file yet.
      if (bytes === 0) ftruncateSync(fd, 0);
      return await blobOfDescriptor(fd);
    } finally {
      closeSync(fd);
    }
  }
}

function openForWriting(file: string): number {
  return openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
}
