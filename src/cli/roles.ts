/**
 * What the command line needs of the composition root: the roles it can start but does not know.
 */

import type { AuditFinding } from '../core/trust.ts';
import type {
  BackupValues,
  DispatcherValues,
  DoctorValues,
  JoinValues,
  PrintValues,
  UpValues,
  WorkerValues,
} from './options.ts';

/** Each returns the exit status and may throw `OctasklyError`. Paths are expanded: no `~/` is left. */
export interface Roles {
  dispatcher(values: DispatcherValues): Promise<number>;
  worker(values: WorkerValues): Promise<number>;
  /** Joins with a token and keeps the credential, for the worker that is started here later. */
  join(values: JoinValues, token: string): Promise<number>;
  /** Checks the chain of the record in the database file `file`. */
  verifyRecord(file: string): Promise<AuditFinding>;
  up(values: UpValues): Promise<number>;
  /** Copies the database of the data directory to `file`, which must not exist. */
  backup(values: BackupValues, file: string): Promise<number>;
  /** Looks at this machine; without a topic, lists the topics. */
  doctor(values: DoctorValues, topic: string | null): Promise<number>;
  version(values: PrintValues): Promise<number>;
}
