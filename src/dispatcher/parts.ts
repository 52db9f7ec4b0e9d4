/** What a dispatcher is made of: the ports it works through, and what it is told at its start. */

import type { Policy } from '../core/state.ts';
import type { Waker } from '../ports/discovery.ts';
import type { BlobStore, OutputStore } from '../ports/files.ts';
import type { KeptRoster } from '../ports/peers.ts';
import type { ProcessFigures } from '../ports/processes.ts';
import type { Store } from '../ports/store.ts';
import type { Clock, Log } from '../ports/time.ts';
import type { NotifySetup } from './notify/setup.ts';
import type { FleetMeans } from './program-blobs.ts';
import type { TrustSetup } from './trust/trust.ts';

export interface DispatcherParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly outputs: OutputStore;
  readonly blobs: BlobStore;
  readonly log: Log;
  readonly policy: Policy;
  readonly trust: TrustSetup;
  readonly version: string;
  /** Names this start of the dispatcher: letters and digits, never the same twice. */
  readonly runId: string;
  /** Names the cluster for as long as its data lasts: 16 hex digits. */
  readonly clusterId: string;
  /** False: workers are told to leave each other alone. */
  readonly peersAllowed: boolean;
  /** This dispatcher among its nodes: the id and name by which peers may meet it. */
  readonly node: { readonly id: string; readonly name: string };
  /** Where it is kept who belongs to the cluster. */
  readonly roster: Pick<KeptRoster, 'save'>;
  /** How sleeping machines are woken; `unasked`: also when nobody asks for it. Without it, none are. */
  readonly waking?: { readonly wake: Waker; readonly unasked: boolean };
  /** What workers are updated with; without it, none is. */
  readonly updates?: FleetMeans;
  /** How others are told of what happens; without it, nobody is. */
  readonly notify?: NotifySetup;
  /** Ended links by code, also of those that never became a worker's; without it, none are counted. */
  readonly linksEnded?: () => Readonly<Record<string, number>>;
  /** Packets of mDNS by what became of them, since start. */
  readonly discovery?: () => Readonly<Record<string, number>>;
  /** What the process has used; without it, nothing is said of that. */
  readonly process?: () => ProcessFigures;
  /** Bytes the database has written to its files since start; null = not known. */
  readonly storeWritten?: () => number | null;
}
