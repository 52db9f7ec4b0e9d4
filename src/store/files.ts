/** The few things a database needs of the machine besides SQLite itself; `runtime/store-files.ts` has them. */

import type { Sha256 } from './audit.ts';

/** What the store needs of the machine. Implemented in `runtime/`. Errors: `io`, `storage_unavailable`. */
export interface StoreFiles {
  /** Makes the directory (0700) and an empty file (0600) where they are missing; leaves what is there. */
  ensure(file: string): void;
  /** Makes an empty file (0600) that must not exist. Errors: `conflict`, `io`. */
  create(file: string): void;
  /** Makes a file durable: its content and its name. */
  sync(file: string): void;
  /** Gives a file of the same directory another name, in place of what has it; that survives power loss. Error: the system's own. */
  rename(file: string, target: string): void;
  /** Deletes a file if it is there. */
  remove(file: string): void;
  /** The machine's own: an entry of the record is hashed with every submission. */
  readonly sha256: Sha256;
}
