/**
 * What the command line needs of the composition root: the roles it can start but does not know.
 */

import type { BackupValues, DispatcherValues, DoctorValues, PrintValues, UpValues, WorkerValues } from './options.ts';

/** Each returns the exit status and may throw `OctasklyError`. Paths are expanded: no `~/` is left. */
export interface Roles {
  dispatcher(values: DispatcherValues): Promise<number>;
  worker(values: WorkerValues): Promise<number>;
  up(values: UpValues): Promise<number>;
  /** Copies the database of the data directory to `file`, which must not exist. */
  backup(values: BackupValues, file: string): Promise<number>;
  /** Looks at this machine; without a topic, lists the topics. */
  doctor(values: DoctorValues, topic: string | null): Promise<number>;
  version(values: PrintValues): Promise<number>;
}
