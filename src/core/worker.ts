/** What a worker is: what it says of itself, and what the scheduler keeps of it. Data only. */

import type { Isolation } from './isolation.ts';
import type { Task } from './task.ts';
import type { DeclaredProgram } from './update.ts';

/** What a worker says it has. */
export interface WorkerDeclaration {
  /** Kept in the worker's data directory; stable over restarts. */
  readonly id: string;
  /** Wanted name; the dispatcher may add `-2`, `-3` … to make it unique. */
  readonly name: string;
  /** Drawn anew by each worker process: tells a reconnect from a restart. */
  readonly processId: string;
  readonly version: string;
  readonly slots: number;
  readonly cpuCores: number;
  readonly memoryMb: number;
  readonly gpu: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly platform: string;
  readonly arch: string;
  readonly isolation: Isolation;
  /** TCP port where it takes peers; null = none. */
  readonly peerPort: number | null;
  /** How its machine can be woken; it tells of that in a message of its own, once it is in. Without it: not at all. */
  readonly wake?: Wake;
  /** The program it runs; null = it does not say, as it is of an earlier version. */
  readonly program: DeclaredProgram | null;
}

/** How a sleeping machine is woken over the network (Wake-on-LAN). */
export interface Wake {
  readonly by: readonly WakeAddress[];
  /** It is woken when work waits for it; false = somebody stopped the worker, who can be the one to wake it. */
  readonly unasked: boolean;
}

/** A network card that may listen for magic packets while the machine sleeps. */
export interface WakeAddress {
  /** `aa:bb:cc:dd:ee:ff`, lower case. */
  readonly mac: string;
  /** Broadcast address of its IPv4 network; null = not known. */
  readonly broadcast: string | null;
  /** The card is set to listen; null = not known. */
  readonly armed: boolean | null;
}

/** Most addresses of one worker. */
export const wakeAddressesMax = 4;

/** How a worker feels; null = cannot be read there. */
export interface WorkerVitals {
  /** One-minute load average. */
  readonly load1: number | null;
  readonly memoryFreeMb: number | null;
  readonly running: number;
  /** Charge in percent. */
  readonly batteryPercent: number | null;
  readonly charging: boolean | null;
  readonly temperatureC: number | null;
}

/** An attempt that was handed to a worker and has not ended. */
export interface Assigned {
  readonly task: Task;
  /** Its place in the order of service. */
  readonly rank: number;
  /** Scheduler time, ms. */
  readonly assignedAt: number;
  /** Asked back because somebody else could start it now; the worker has not answered yet. */
  recalled: boolean;
}

export interface Reserved {
  cpuCores: number;
  memoryMb: number;
  gpu: number;
}

export interface Worker {
  readonly id: string;
  declaration: WorkerDeclaration;
  /** Unique among all workers known. */
  name: string;
  /** Number of its link, null while it has none. */
  session: number | null;
  address: string | null;
  publicKey: string;
  readonly firstSeenAt: number;
  /** Wall clock, for records. */
  lastSeenAt: number;
  /** Scheduler time of its last sign of life. */
  heardAt: number;
  /** An operator wants no new work there. Remembered over restarts. */
  draining: boolean;
  /** It takes no new work because it is about to stop. */
  leaving: boolean;
  /** Why it takes no new work for the time being, as part of a sentence; null = it does. */
  resting: string | null;
  vitals: WorkerVitals | null;
  /** In order of assignment. The first `slots` of them run or are about to; the rest is its backlog. */
  readonly assigned: Map<string, Assigned>;
  /** No assigned task has a lower priority than this: a bound that is renewed when nothing is assigned. */
  lowestPriority: number;
  readonly reserved: Reserved;
  /** Moving average of how long its attempts take, ms; null before the first. */
  meanDurationMs: number | null;
}

/** A worker with no link and nothing assigned; `known` is what is on record of it, `heardAt` scheduler time in ms. */
export function idleWorker(
  known: Pick<Worker, 'declaration' | 'name' | 'publicKey' | 'firstSeenAt' | 'lastSeenAt' | 'draining'>,
  heardAt: number,
): Worker {
  return {
    ...known,
    id: known.declaration.id,
    session: null,
    address: null,
    heardAt,
    leaving: false,
    resting: null,
    vitals: null,
    assigned: new Map(),
    lowestPriority: 0,
    reserved: { cpuCores: 0, memoryMb: 0, gpu: 0 },
    meanDurationMs: null,
  };
}

/** Knows peers: when it is to take no more work, it hands on or returns by itself what waits with it. */
export function handsOver(worker: Worker): boolean {
  return worker.declaration.peerPort !== null;
}

export function workerStatus(worker: Worker): 'online' | 'draining' | 'silent' {
  if (worker.session === null) return 'silent';
  return worker.draining || worker.leaving ? 'draining' : 'online';
}
