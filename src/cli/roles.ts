/**
 * What the command line needs of the composition root: the roles it can start but does not know.
 */

import type { AuditFindingView } from '../api/trust-schemas.ts';
import type { PeerTask } from './context.ts';
import type {
  BackupValues,
  DispatcherValues,
  DoctorValues,
  JoinValues,
  PeersValues,
  RestoreValues,
  UpValues,
  WorkerValues,
} from './options.ts';
import type { ServiceRequest } from './service.ts';
import type { PrintValues } from './shared-options.ts';
import type { ProgramUpdate } from './update.ts';

/** Each returns the exit status and may throw `OctasklyError`. Paths are expanded: no `~/` is left. */
export interface Roles {
  dispatcher(values: DispatcherValues): Promise<number>;
  worker(values: WorkerValues): Promise<number>;
  /** Joins with a token and keeps the credential, for the worker that is started here later. */
  join(values: JoinValues, token: string): Promise<number>;
  /** Checks the chain of the record in the database file `file`. */
  verifyRecord(file: string): Promise<AuditFindingView>;
  /** Has a worker that is found by its beacons run the task; the exit status as of `run`. */
  runOnPeer(task: PeerTask): Promise<number>;
  up(values: UpValues): Promise<number>;
  /** Writes a backup of the dispatcher of the data directory to `file`. */
  backup(values: BackupValues, file: string): Promise<number>;
  /** Puts the backup `file` back. */
  restore(values: RestoreValues, file: string): Promise<number>;
  /** Looks at this machine, at all topics without one; at `host` too when one is named. Exit status 1 = something is wrong. */
  doctor(values: DoctorValues, topic: string | null, host: string | null): Promise<number>;
  /** Who is there, heard from themselves. */
  peers(values: PeersValues): Promise<number>;
  /** Installs, removes or tells of a service of this machine. */
  service(request: ServiceRequest): Promise<number>;
  /** Replaces the program's file, or says whether there is another version. */
  update(request: ProgramUpdate): Promise<number>;
  version(values: PrintValues): Promise<number>;
}
