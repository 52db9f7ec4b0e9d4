/** The program a worker runs, as far as a worker may replace it. */

import type { DeclaredProgram, UpdateOrder, UpdateReport } from '../core/update.ts';

/** A blob that is here, read from its beginning: at most `max` bytes from `from` on. */
export type ReadBlob = (from: number, max: number) => Uint8Array;

/**
 * One attempt at a time. `prepare` changes nothing that runs; only when the worker has ended is the program replaced, by
 * whoever started it, if `ready` says so.
 */
export interface WorkerProgram {
  readonly version: string;
  readonly declared: DeclaredProgram;
  /** What is to be told of an update that the process before this one, or this one, tried; null = nothing. Told once. */
  takeReport(): UpdateReport | null;
  /** Puts the bytes of the new program beside the present one, checked and tried. Rejects with an `OctasklyError`. */
  prepare(order: UpdateOrder, read: ReadBlob): Promise<void>;
  /** What was prepared is not wanted any more. Never throws. */
  discard(): void;
  /** As soon as the worker has ended, what was prepared is to run. */
  ready(order: UpdateOrder): void;
}
