/**
 * The blobs that workers may ask for, and beside them the programs of updates, which are files of their own and not copied
 * into the store. How far a program was read is known, for whoever waits for it.
 */

import type { BlobReceiver, BlobStore } from '../ports/files.ts';
import type { ProgramOffer, Programs } from '../ports/programs.ts';

/** The programs of updates, and the blobs by which workers read them. */
export interface FleetMeans {
  readonly programs: Programs;
  readonly blobs: ProgramBlobs;
}

export class ProgramBlobs implements BlobStore {
  readonly #store: BlobStore;
  readonly #programs: Programs;
  /** Those that are offered, by blob, with the end of what was read. */
  readonly #offered = new Map<string, { readonly bytes: number; readTo: number }>();

  constructor(store: BlobStore, programs: Programs) {
    this.#store = store;
    this.#programs = programs;
  }

  /** Lets this program be read, from now on. */
  offer({ blob, bytes }: ProgramOffer): void {
    this.#offered.set(blob, { bytes, readTo: 0 });
  }

  withdraw(blob: string): void {
    this.#offered.delete(blob);
  }

  /** Bytes from the beginning on that were read. */
  readTo(blob: string): number {
    return this.#offered.get(blob)?.readTo ?? 0;
  }

  size(blob: string): number | null {
    return this.#offered.get(blob)?.bytes ?? this.#store.size(blob);
  }

  read(blob: string, from: number, max: number): Uint8Array {
    const offered = this.#offered.get(blob);
    const data = offered === undefined ? null : this.#programs.read(blob, from, max);
    if (offered === undefined || data === null) return this.#store.read(blob, from, max);
    offered.readTo = Math.max(offered.readTo, from + data.length);
    return data;
  }

  receive(blob: string, bytes: number): BlobReceiver {
    return this.#store.receive(blob, bytes);
  }

  received(blob: string): number {
    return this.#store.received(blob);
  }

  readReceived(blob: string, from: number, max: number): Uint8Array {
    return this.#store.readReceived(blob, from, max);
  }

  async verify(blob: string): Promise<boolean> {
    return this.#offered.has(blob) || (await this.#store.verify(blob));
  }

  sync(): Promise<void> {
    return this.#store.sync();
  }

  delete(blob: string): void {
    this.#store.delete(blob);
  }
}
