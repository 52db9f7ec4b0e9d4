/**
 * What two nodes of a cluster say to each other directly, the same in both directions: bytes of files, work that changes
 * hands, and tasks somebody hands to a peer. The link is `XXpsk3` with a key every member has; who the other side is, its
 * static key shows, and only keys on the roster are let in.
 *
 * Nothing here decides about a task of the dispatcher: whoever takes work over starts it only when the dispatcher has
 * granted it. Every message may arrive twice, and a link that breaks takes back what it did not carry to its end.
 */

import { unreachable } from '../base/assert.ts';
import type { AttemptKey, ReportEntry } from '../core/attempt.ts';
import { checkBlobMessage, packBlob, packBlobMessage, readBlob } from './blob-messages.ts';
import {
  bool,
  bytes,
  count,
  fieldLimits,
  halves,
  kindOf,
  list,
  nodeName,
  nullOr,
  oneOf,
  row,
  taskId,
  text,
  whole,
  word,
  wrong,
} from './fields.ts';
import { type Assignment, type BlobMessage, outputChunkBytesMax, type Stream } from './messages.ts';
import { packAssignment, packBytes, packKey, readAssignment, readAttempt, readKey } from './shapes.ts';
import { packEntry, readEntry, streams } from './worker-messages.ts';

/** Most attempts in one `offer` or `offerAnswered`. */
export const offeredMax = 64;
/** Most blobs in one `blobAsked`. */
export const blobsAskedMax = 256;

export type PeerMessage =
  | BlobMessage
  /** First, from both sides. */
  | { readonly kind: 'peerHello'; readonly id: string; readonly name: string; readonly version: string }
  /** What is here of these blobs? Told again whenever more of one has come, until all is here or it is given up. */
  | { readonly kind: 'blobAsked'; readonly blobs: readonly string[] }
  /** `have` bytes from the beginning on are here; `bytes` is the whole, null when the blob is not known here at all. */
  | { readonly kind: 'blobHere'; readonly blob: string; readonly bytes: number | null; readonly have: number }
  /** Has room for so many attempts that wait on the other side. */
  | { readonly kind: 'workWanted'; readonly slots: number }
  /** Would the other side take these over? */
  | { readonly kind: 'offer'; readonly attempts: readonly Assignment[] }
  /** It keeps those of `taken` until the dispatcher grants them, or does not. */
  | {
      readonly kind: 'offerAnswered';
      readonly taken: readonly AttemptKey[];
      readonly declined: readonly AttemptKey[];
    }
  /** Run this now: somebody's task, by the node at the other end; attempt 1 of an id nobody else has. */
  | { readonly kind: 'run'; readonly task: Assignment }
  /** It runs, or why not. */
  | { readonly kind: 'runAnswered'; readonly taskId: string; readonly refusal: string | null }
  | (AttemptKey & {
      readonly kind: 'output';
      readonly stream: Stream;
      readonly offset: number;
      readonly data: Uint8Array;
    })
  | (AttemptKey & { readonly kind: 'stdin'; readonly offset: number; readonly data: Uint8Array; readonly eof: boolean })
  | (AttemptKey & { readonly kind: 'stdinTaken'; readonly offset: number; readonly open: boolean })
  | { readonly kind: 'report'; readonly entries: readonly ReportEntry[] }
  /** The end of these has arrived; they may be forgotten. */
  | { readonly kind: 'ack'; readonly attempts: readonly AttemptKey[] }
  | { readonly kind: 'cancel'; readonly attempts: readonly AttemptKey[] }
  | { readonly kind: 'alive' };

/** The message as a row for CBOR. */
export function packPeerMessage(message: PeerMessage): unknown[] {
  switch (message.kind) {
    case 'peerHello':
      return ['peerHello', message.id, message.name, message.version];
    case 'blobWanted':
    case 'blobData':
    case 'blobRefused':
      return packBlobMessage(message);
    case 'blobAsked':
      return ['blobAsked', message.blobs.map(packBlob)];
    case 'blobHere':
      return ['blobHere', packBlob(message.blob), message.bytes, message.have];
    case 'workWanted':
      return ['workWanted', message.slots];
    case 'offer':
      return ['offer', message.attempts.map(packAssignment)];
    case 'offerAnswered':
      return ['offerAnswered', message.taken.map(packKey), message.declined.map(packKey)];
    case 'run':
      return ['run', packAssignment(message.task)];
    case 'runAnswered':
      return ['runAnswered', message.taskId, message.refusal];
    case 'output':
      return ['output', message.taskId, message.attempt, message.stream, message.offset, packBytes(message.data)];
    case 'stdin':
      return ['stdin', message.taskId, message.attempt, message.offset, packBytes(message.data), message.eof];
    case 'stdinTaken':
      return ['stdinTaken', message.taskId, message.attempt, message.offset, message.open];
    case 'report':
      return ['report', message.entries.map(packEntry)];
    case 'ack':
    case 'cancel':
      return [message.kind, message.attempts.map(packKey)];
    case 'alive':
      return ['alive'];
    default:
      return unreachable(message);
  }
}

/** The message in a decoded row. Throws `MalformedMessage`. */
export function checkPeerMessage(value: unknown): PeerMessage {
  const kind = kindOf(value, 'message');
  switch (kind) {
    case 'peerHello': {
      const [, id, name, version] = row(value, 4, kind);
      return { kind, id: nodeName(id, 'id'), name: nodeName(name, 'name'), version: word(version, 'version') };
    }
    case 'blobWanted':
    case 'blobData':
    case 'blobRefused':
      return checkBlobMessage(kind, value);
    case 'blobAsked':
      return { kind, blobs: list(row(value, 2, kind)[1], 'blobs', readBlob, blobsAskedMax) };
    case 'blobHere': {
      const [, blob, size, have] = row(value, 4, kind);
      return {
        kind,
        blob: readBlob(blob),
        bytes: nullOr(size, (given) => count(given, 'bytes')),
        have: count(have, 'have'),
      };
    }
    case 'workWanted':
      return { kind, slots: whole(row(value, 2, kind)[1], 'slots', { min: 0, max: fieldLimits.slotsMax }) };
    case 'offer':
      return { kind, attempts: list(row(value, 2, kind)[1], 'attempts', readAssignment, offeredMax) };
    case 'offerAnswered': {
      const [, taken, declined] = row(value, 3, kind);
      return {
        kind,
        taken: list(taken, 'taken', readKey, offeredMax),
        declined: list(declined, 'declined', readKey, offeredMax),
      };
    }
    default:
      return checkWork(kind, value);
  }
}

/** What is said of attempts that run here for the other side. */
function checkWork(kind: unknown, value: unknown): PeerMessage {
  switch (kind) {
    case 'run':
      return { kind, task: readAssignment(row(value, 2, kind)[1]) };
    case 'runAnswered': {
      const [, id, refusal] = row(value, 3, kind);
      const sentence = nullOr(refusal, (given) => text(given, 'refusal', fieldLimits.detailLengthMax));
      return { kind, taskId: taskId(id), refusal: sentence };
    }
    case 'output': {
      const [, id, attempt, stream, offset, data] = row(value, 6, kind);
      return {
        ...{ kind, taskId: taskId(id), attempt: readAttempt(attempt) },
        stream: oneOf(stream, 'stream', streams),
        offset: count(offset, 'offset'),
        data: bytes(data, 'data', outputChunkBytesMax),
      };
    }
    case 'stdin': {
      const [, id, attempt, offset, data, eof] = row(value, 6, kind);
      return {
        ...{ kind, taskId: taskId(id), attempt: readAttempt(attempt), offset: count(offset, 'offset') },
        data: bytes(data, 'data', outputChunkBytesMax),
        eof: bool(eof, 'eof'),
      };
    }
    case 'stdinTaken': {
      const [, id, attempt, offset, open] = row(value, 5, kind);
      const key = { taskId: taskId(id), attempt: readAttempt(attempt) };
      return { kind, ...key, offset: count(offset, 'offset'), open: bool(open, 'open') };
    }
    case 'report':
      return { kind, entries: list(row(value, 2, kind)[1], 'entries', readEntry) };
    case 'ack':
    case 'cancel':
      return { kind, attempts: list(row(value, 2, kind)[1], 'attempts', readKey) };
    case 'alive':
      row(value, 1, kind);
      return { kind };
    default:
      throw wrong('kind', 'a message of a peer', kind);
  }
}

/** Two messages that say together what this one says, in order; null when it cannot be halved. */
export function halvePeerMessage(message: PeerMessage): readonly [PeerMessage, PeerMessage] | null {
  switch (message.kind) {
    case 'report': {
      const [first, second] = halves(message.entries);
      return first.length === 0
        ? null
        : [
            { ...message, entries: first },
            { ...message, entries: second },
          ];
    }
    case 'offer':
    case 'ack':
    case 'cancel':
      return halveAttempts(message);
    default:
      return null;
  }
}

function halveAttempts<M extends { readonly attempts: readonly unknown[] }>(message: M): readonly [M, M] | null {
  const [first, second] = halves(message.attempts);
  return first.length === 0
    ? null
    : [
        { ...message, attempts: first },
        { ...message, attempts: second },
      ];
}
