/**
 * What dispatcher and worker say to each other: one closed union per direction. Both drivers meet only here.
 *
 * Every message is idempotent: any of them may arrive twice (a link broke after it was handled), and a report with an
 * older attempt number is ignored. Nothing here assumes that a reply arrives; what matters is repeated after a rejoin.
 *
 * The walk of one attempt:  `assign` → (`report` started) → `output`* → `report` ended → `ack`. Files travel beside it:
 * the worker pulls inputs before it starts the command, the dispatcher pulls outputs before it takes the end in, unless
 * they stay with the worker: then it pulls them when somebody wants them, and says `release` when nobody does.
 * Checks of what really arrived are in `worker-messages.ts` and `dispatcher-messages.ts`; here are the shapes and their
 * limits.
 */

import type { AttemptKey, HeldAttempt, ReportEntry } from '../core/attempt.ts';
import type { TaskSpec, TerminalSize } from '../core/task.ts';
import type { UpdateOrder, UpdateReport } from '../core/update.ts';
import type { WakeAddress, WorkerDeclaration, WorkerVitals } from '../core/worker.ts';

/**
 * Spoken version and the oldest one still understood. Exchanged in clear before the handshake; on a link the newest is
 * spoken that both sides know. What a version brought is not said to an older one (`…Since`, `packDeclaration`):
 *
 *   6   `resting`, `wakeable`, `update`, `updating`; of a declaration `program`
 */
export const protocolVersion = 6;
export const protocolVersionMin = 5;

/** Most entries in one `assign`, `report`, `recall`, `ack` or `join.held`. */
export const entriesMax = 4096;
/** Most output bytes in one `output` message. */
export const outputChunkBytesMax = 64 * 1024;
/** Output up to this many bytes a stream travels inside the `ended` report. */
export const inlineOutputBytesMax = 16 * 1024;

/** Most bytes of blobs in one `blobData` message. */
export const blobDataBytesMax = 512 * 1024;
/** Most ranges in one `blobWanted`, and parts in one `blobData`. */
export const blobRangesMax = 512;

/** Most lines in one `logLines`. */
export const logLinesMax = 1000;
/** Most characters of all lines in one `logLines`, and so of any of them. */
export const logLengthMax = 256 * 1024;

export type Stream = 'stdout' | 'stderr';

/** Bytes of a blob: `length` of them from `offset`. */
export interface BlobRange {
  readonly blob: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Bytes of files, pulled by whoever lacks them; the same in both directions. Each range is answered once, in order of
 * asking, cut into parts as the answering side likes; a range that cannot be answered is refused. What arrives is only
 * believed once the whole has the hash that names it.
 */
export type BlobMessage =
  | { readonly kind: 'blobWanted'; readonly ranges: readonly BlobRange[] }
  | {
      readonly kind: 'blobData';
      readonly parts: readonly { readonly blob: string; readonly offset: number; readonly data: Uint8Array }[];
    }
  /** It is not here, or cannot be read: `detail` says which. All ranges of it that are open are answered by this. */
  | { readonly kind: 'blobRefused'; readonly blob: string; readonly detail: string };

/** What a blob that was wanted is answered with. */
export type BlobAnswer = Exclude<BlobMessage, { kind: 'blobWanted' }>;

export type WorkerMessage =
  | { readonly kind: 'join'; readonly worker: WorkerDeclaration; readonly held: readonly HeldAttempt[] }
  /** Of a node that is not a member yet (its link is by invite or by nothing): asks for a credential. */
  | {
      readonly kind: 'enroll';
      /** Name it would like to go by. */
      readonly name: string;
      readonly platform: string;
      readonly arch: string;
      readonly version: string;
    }
  | BlobMessage
  | { readonly kind: 'heartbeat'; readonly vitals: WorkerVitals }
  | { readonly kind: 'report'; readonly entries: readonly ReportEntry[] }
  | (AttemptKey & {
      readonly kind: 'output';
      readonly stream: Stream;
      /** Position of the first byte in the attempt's stream, 0 = its beginning. */
      readonly offset: number;
      readonly data: Uint8Array;
    })
  /** Stdin bytes up to `offset` were taken by the process (or it will take no more). */
  | (AttemptKey & { readonly kind: 'stdinTaken'; readonly offset: number; readonly open: boolean })
  /** Attempts whose files it keeps, of those that ended before this link. What is no longer wanted is answered with `release`. */
  | { readonly kind: 'kept'; readonly attempts: readonly AttemptKey[] }
  /** Takes no more work; what runs is finished first. */
  | { readonly kind: 'leaving' }
  /** Why it takes no new work at the moment, as part of a sentence; null = it does again. */
  | { readonly kind: 'resting'; readonly why: string | null }
  /** The network cards by which its machine can be woken when it sleeps. */
  | { readonly kind: 'wakeable'; readonly by: readonly WakeAddress[] }
  /** Given to a peer, which keeps these until they are granted to it: as `returned`, with a wish. */
  | { readonly kind: 'handedOver'; readonly entries: readonly (AttemptKey & { readonly to: string })[] }
  /** Runs, or has run, for a peer without having been told to from here. Reports of these follow as of any other. */
  | { readonly kind: 'adopted'; readonly tasks: readonly AdoptedTask[] }
  /** How far it is with the `update` it was told to make, or the process before it was: said when that changes. */
  | (UpdateReport & { readonly kind: 'updating' })
  /** Answers `logWanted`: the last lines of its log, oldest first, as it writes them. */
  | { readonly kind: 'logLines'; readonly request: number; readonly lines: readonly string[] }
  /** Holds nothing any more and hangs up. */
  | { readonly kind: 'goodbye' };

/** What a worker needs to run an attempt. */
export interface Assignment extends AttemptKey {
  readonly spec: Pick<
    TaskSpec,
    | 'command'
    | 'argv'
    | 'name'
    | 'priority'
    | 'timeoutMs'
    | 'env'
    | 'workdir'
    | 'stdin'
    | 'inputs'
    | 'outputs'
    | 'outputsAt'
    | 'maxOutputBytes'
    | 'requires'
  >;
}

/** A task that somebody handed to a worker directly; its attempt is 1. */
export interface AdoptedTask {
  readonly assignment: Assignment;
  /** Id of the node it came from, as the worker knows it by its key. */
  readonly from: string;
  /** Wall clock of the worker, ms. */
  readonly adoptedAt: number;
}

/** A node of the cluster, as others may meet it. */
export interface RosterEntry {
  readonly id: string;
  readonly name: string;
  /** X25519, hex. */
  readonly publicKey: string;
}

/** A worker that has a blob, or is getting it, and where it takes peers. */
export interface BlobHolder {
  readonly id: string;
  readonly publicKey: string;
  readonly host: string;
  readonly port: number;
}

/** Most nodes on a roster. */
export const rosterMax = 4096;
/** Most holders told of one blob. */
export const holdersMax = 4;

/** Why a node may not join (now). */
export const refusalCodes = [
  'full',
  'duplicate_id',
  'storage_unavailable',
  'shutting_down',
  /** Too many ask, or ask too often. */
  'busy',
  /** Nobody approved it in time; it may ask again. */
  'approval_expired',
  // From here on asking again is of no use until somebody changes something.
  'rejected',
  'revoked',
  'not_allowed',
  'identity_taken',
  'invite_unknown',
  'invite_used',
  'invite_expired',
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

/** True when it is of no use to ask again before somebody changes something. */
export function isLasting(code: RefusalCode): boolean {
  return refusalCodes.indexOf(code) >= refusalCodes.indexOf('rejected');
}

export type DispatcherMessage =
  | {
      readonly kind: 'welcome';
      /** The name the worker goes by. */
      readonly name: string;
      readonly heartbeatMs: number;
      /** Silence after which each side gives the other up. */
      readonly silenceMs: number;
      /** For held attempts that go on: how many bytes of each stream are already here. */
      readonly resume: readonly (AttemptKey & { readonly stdout: number; readonly stderr: number })[];
      /** Names the cluster, whatever secret it has at present: 16 hex digits. */
      readonly clusterId: string;
      /** False: no peer-to-peer traffic, whatever the worker's own wish. */
      readonly peers: boolean;
    }
  /** Who belongs to the cluster: everybody (`whole`), or who came and who went since. */
  | {
      readonly kind: 'roster';
      readonly whole: boolean;
      readonly members: readonly RosterEntry[];
      /** Public keys. */
      readonly gone: readonly string[];
    }
  /** Where blobs of an assignment that follows can be had besides here. */
  | {
      readonly kind: 'holders';
      readonly blobs: readonly { readonly blob: string; readonly at: readonly BlobHolder[] }[];
    }
  /** Attempts a peer handed over: what it knows as `previous` is from now on `attempt`, and may start. */
  | { readonly kind: 'granted'; readonly entries: readonly (AttemptKey & { readonly previous: number })[] }
  /** Takes no new work (an operator wants it so), or takes it again. What waits may go to a peer. */
  | { readonly kind: 'drain'; readonly draining: boolean }
  /** The enrolment is waiting for somebody to approve it. */
  | { readonly kind: 'pending'; readonly expiresInMs: number }
  /**
   * Answers an enrolment; and replaces the node's credential after the cluster secret was rotated. The node keeps it;
   * `psk` (32 bytes) is its own, `beaconKey` (32 bytes) the cluster's.
   */
  | {
      readonly kind: 'credential';
      readonly keyId: string;
      readonly psk: Uint8Array;
      readonly beaconKey: Uint8Array;
      /** What the node is to be called unless its people say otherwise; null = as it likes. */
      readonly name: string | null;
    }
  | { readonly kind: 'refused'; readonly code: RefusalCode; readonly detail: string; readonly retryAfterMs: number }
  | { readonly kind: 'assign'; readonly attempts: readonly Assignment[] }
  /** Give these back if they have not started. */
  | { readonly kind: 'recall'; readonly attempts: readonly AttemptKey[] }
  /** End these (TERM, grace, KILL) and report them. */
  | { readonly kind: 'cancel'; readonly attempts: readonly AttemptKey[] }
  /** Kill and forget these without a report: they are not this worker's any more. */
  | { readonly kind: 'abandon'; readonly attempts: readonly AttemptKey[] }
  /** The end of these is stored; the worker may forget them. */
  | { readonly kind: 'ack'; readonly attempts: readonly AttemptKey[] }
  /** Files of these attempts, and of earlier ones of their tasks, need not be kept any more. */
  | { readonly kind: 'release'; readonly attempts: readonly AttemptKey[] }
  | (AttemptKey & { readonly kind: 'stdin'; readonly offset: number; readonly data: Uint8Array; readonly eof: boolean })
  /** The terminal of the attempt is of this size from now on. */
  | (AttemptKey & TerminalSize & { readonly kind: 'resize' })
  | BlobMessage
  /** Somebody wants to read its log; `request` comes back with the answer, `lines` is at most `logLinesMax`. */
  | { readonly kind: 'logWanted'; readonly request: number; readonly lines: number }
  /** Replace the program by another version, when what runs has ended, and come back. Answered with `updating`. */
  | { readonly kind: 'update'; readonly order: UpdateOrder }
  /** Answers a heartbeat. */
  | { readonly kind: 'alive' }
  /** The dispatcher goes down; keep running, keep results, come back later. */
  | { readonly kind: 'closing' };
