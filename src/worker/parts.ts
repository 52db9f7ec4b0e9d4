/** What a worker is made of: the ports it works through, what it declares, and whom it tells of what happens. */

import type { Condition } from '../core/conditions.ts';
import type { Credential } from '../core/trust.ts';
import type { WakeAddress, WorkerDeclaration, WorkerVitals } from '../core/worker.ts';
import type { PeerTableView } from '../discovery/peer-table.ts';
import type { BlobCache, TaskFiles } from '../ports/files.ts';
import type { Links, Proof } from '../ports/links.ts';
import type { WorkerProgram } from '../ports/program.ts';
import type { Clock, Log, Random } from '../ports/time.ts';
import type { ExecutorParts } from './executor.ts';
import type { KeptOutputs } from './kept-outputs.ts';
import type { PeerBlobs } from './peer-blobs.ts';
import type { Peers } from './peers.ts';
import type { Whereabouts } from './redial.ts';
import type { Sharing } from './staging.ts';

export interface WorkerParts extends Omit<ExecutorParts, 'workerName' | 'staging'> {
  readonly clock: Clock;
  readonly blobs: BlobCache;
  readonly files: TaskFiles;
  /** Files of ended attempts that stay here. */
  readonly kept: KeptOutputs;
  readonly random: Random;
  readonly links: Links;
  readonly log: Log;
  readonly declaration: WorkerDeclaration;
  /** Dispatchers, tried in turn. */
  readonly whereabouts: Whereabouts;
  /** By what it may join, best first; asked before each dial. A further one is tried when the one before is not valid. */
  proofs(): readonly [Proof, ...Proof[]];
  /** A fresh credential of the dispatcher it has joined: to be kept, and from now on the best proof. Does not throw. */
  onCredential(credential: Credential): void;
  /** The dispatcher with this key (hex) has let it in by this proof. Does not throw. */
  onAdmitted(proof: Proof, dispatcherKey: string): void;
  readVitals(): Omit<WorkerVitals, 'running'>;
  /** Under which it takes work; none = always. */
  readonly conditions: readonly Condition[];
  /** Seconds since a person last used the machine; null = not known. Does not throw. */
  untouchedS(): number | null;
  /** Whether its network is paid for by volume; null = not known. Does not throw. */
  metered?(): boolean | null;
  /** Why it is slower than it could be, as part of a sentence; null = it is not, or not known. Does not throw. */
  slowdown?(): string | null;
  /** The network cards by which the dispatcher at `remote` can wake this machine. Never rejects. */
  wakeAddresses?(remote: string): Promise<readonly WakeAddress[]>;
  /** Its peers; null = it has none. */
  readonly peers: WorkerPeers | null;
  /** Shown to people: joined, lost, refused. */
  onStatus(sentence: string): void;
  /** The program it runs, which it may be told to replace; null = that is not its own. */
  readonly program: WorkerProgram | null;
  /** The last lines of its log, oldest first, at most `lines`; without it nobody can read them from elsewhere. */
  recentLog?(lines: number): readonly string[];
}

/** What a worker that has peers has of them. */
export interface WorkerPeers {
  readonly peers: Pick<Peers, 'add' | 'dial' | 'ban' | 'take' | 'roster'>;
  /** Who is there, by their beacons. */
  readonly table: PeerTableView;
  readonly blobs: Sharing & Pick<PeerBlobs, 'hint'>;
}
