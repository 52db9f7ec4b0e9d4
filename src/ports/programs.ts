/** Programs of the dispatcher's own version, for its workers. */

import type { UpdateOrder } from '../core/update.ts';

/** A program that can be read. */
export type ProgramOffer = Pick<UpdateOrder, 'blob' | 'bytes' | 'signed'>;

export interface Programs {
  /** Names of the targets there is a program for, as in `core/targets.ts`. Errors: `not_found` where there is none at all, `io`. */
  targets(): Promise<ReadonlySet<string>>;
  /** They are of a release that was signed; known when `targets` has answered. */
  readonly isSigned: boolean;
  /** Has the program of a target ready to be read. Errors: `not_found`, `unreachable`, `io`. */
  open(target: string): Promise<ProgramOffer>;
  /** At most `max` bytes from `from` on of one that is open, by its blob; null = it is not one of these. Error: `io`. */
  read(blob: string, from: number, max: number): Uint8Array | null;
}
