/**
 * What a node says of itself to all others of its cluster, every few seconds, in one datagram: who it is, where peers
 * reach it, what it has to give, and which blobs are there. How it becomes bytes is in `beacon-messages.ts`, how these are
 * sealed in `beacon-seal.ts`, what is believed of what arrives in `beacon-ear.ts`.
 */

/** How often a node says it, ms, and after how long without one it is taken for gone. */
export const beaconIntervalMs = 2000;
export const beaconExpiryMs = 15_000;

export interface Beacon {
  /** Node id; the key in hex is what it proves when it is dialled. */
  readonly id: string;
  readonly publicKey: string;
  readonly name: string;
  readonly role: 'dispatcher' | 'worker';
  readonly version: string;
  /** Protocol version. */
  readonly protocol: number;
  /** Where it may be dialled besides where the datagram came from: its own addresses; at most 8. */
  readonly addresses: readonly string[];
  /** TCP port of peers; null = it takes none. A dispatcher's is its port for workers. */
  readonly peerPort: number | null;
  /** Slots in all and free just now; attempts that wait there. */
  readonly slots: number;
  readonly slotsFree: number;
  readonly waiting: number;
  readonly cpuCores: number;
  readonly memoryMb: number;
  readonly memoryFreeMb: number | null;
  readonly gpu: number;
  readonly load1: number | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly platform: string;
  readonly arch: string;
  /** It takes no new work: drained, leaving, hot, on battery. */
  readonly draining: boolean;
  /** Bloom filter over the blobs it holds, `bloom.ts`; empty = none. */
  readonly blobs: Uint8Array;
}
