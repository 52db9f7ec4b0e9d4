/**
 * What the dispatcher says, as rows: order of the fields and check of what arrived, side by side. `messages.ts` has the
 * shapes. `checkDispatcherMessage` is the worker's guard, as `checkWorkerMessage` is the dispatcher's.
 */

import { unreachable } from '../base/assert.ts';
import type { AttemptKey } from '../core/attempt.ts';
import { checkBlobMessage, packBlobMessage } from './blob-messages.ts';
import {
  amount,
  bool,
  bytes,
  bytesOf,
  count,
  fieldLimits,
  keyId,
  kindOf,
  list,
  nodeName,
  nullOr,
  oneOf,
  row,
  taskId,
  text,
  wrong,
} from './fields.ts';
import { type DispatcherMessage, outputChunkBytesMax, refusalCodes } from './messages.ts';
import { packAssignment, packBytes, packKey, readAssignment, readAttempt, readKey } from './shapes.ts';

type Welcome = Extract<DispatcherMessage, { kind: 'welcome' }>;
type Resume = Welcome['resume'][number];

/** A day: no interval or wait that one side asks of the other is longer. */
const intervalRange = { min: 1, max: 24 * 3600 * 1000 };
const waitRange = { min: 0, max: intervalRange.max };
const keyBytes = 32;

/** The message as a row for CBOR. */
export function packDispatcherMessage(message: DispatcherMessage): unknown[] {
  switch (message.kind) {
    case 'welcome':
      return ['welcome', message.name, message.heartbeatMs, message.silenceMs, message.resume.map(packResume)];
    case 'pending':
      return ['pending', message.expiresInMs];
    case 'credential':
      return ['credential', message.keyId, message.psk, message.beaconKey, message.name];
    case 'refused':
      return ['refused', message.code, message.detail, message.retryAfterMs];
    case 'assign':
      return ['assign', message.attempts.map(packAssignment)];
    case 'recall':
    case 'cancel':
    case 'abandon':
    case 'ack':
      return [message.kind, message.attempts.map(packKey)];
    case 'stdin':
      return ['stdin', message.taskId, message.attempt, message.offset, packBytes(message.data), message.eof];
    case 'blobWanted':
    case 'blobData':
    case 'blobRefused':
      return packBlobMessage(message);
    case 'alive':
    case 'closing':
      return [message.kind];
    default:
      return unreachable(message);
  }
}

/** The message in a decoded row. Throws `MalformedMessage`. */
export function checkDispatcherMessage(value: unknown): DispatcherMessage {
  const kind = kindOf(value, 'message');
  switch (kind) {
    case 'welcome': {
      const fields = row(value, 5, kind);
      return {
        kind,
        name: nodeName(fields[1], 'name'),
        heartbeatMs: amount(fields[2], 'heartbeatMs', intervalRange),
        silenceMs: amount(fields[3], 'silenceMs', intervalRange),
        resume: list(fields[4], 'resume', readResume),
      };
    }
    case 'pending':
      return { kind, expiresInMs: amount(row(value, 2, kind)[1], 'expiresInMs', waitRange) };
    case 'credential': {
      const fields = row(value, 5, kind);
      return {
        kind,
        keyId: keyId(fields[1]),
        psk: bytesOf(fields[2], 'psk', keyBytes),
        beaconKey: bytesOf(fields[3], 'beaconKey', keyBytes),
        name: nullOr(fields[4], (name) => nodeName(name, 'name')),
      };
    }
    case 'refused': {
      const fields = row(value, 4, kind);
      return {
        kind,
        code: oneOf(fields[1], 'code', refusalCodes),
        detail: text(fields[2], 'detail', fieldLimits.detailLengthMax),
        retryAfterMs: amount(fields[3], 'retryAfterMs', waitRange),
      };
    }
    case 'assign':
      return { kind, attempts: list(row(value, 2, kind)[1], 'attempts', readAssignment) };
    case 'recall':
    case 'cancel':
    case 'abandon':
    case 'ack':
      return { kind, attempts: list(row(value, 2, kind)[1], 'attempts', readKey) };
    case 'stdin': {
      const fields = row(value, 6, kind);
      return {
        kind,
        taskId: taskId(fields[1]),
        attempt: readAttempt(fields[2]),
        offset: count(fields[3], 'offset'),
        data: bytes(fields[4], 'data', outputChunkBytesMax),
        eof: bool(fields[5], 'eof'),
      };
    }
    case 'blobWanted':
    case 'blobData':
    case 'blobRefused':
      return checkBlobMessage(kind, value);
    case 'alive':
    case 'closing':
      row(value, 1, kind);
      return { kind };
    default:
      throw wrong('kind', 'a message of a dispatcher', kind);
  }
}

/** Two messages that say together what this one says, in order; null when it cannot be halved. */
export function halveDispatcherMessage(
  message: DispatcherMessage,
): readonly [DispatcherMessage, DispatcherMessage] | null {
  switch (message.kind) {
    case 'assign': {
      const [first, second] = halves(message.attempts);
      return first.length === 0
        ? null
        : [
            { kind: 'assign', attempts: first },
            { kind: 'assign', attempts: second },
          ];
    }
    case 'recall':
    case 'cancel':
    case 'abandon':
    case 'ack': {
      const [first, second] = halves<AttemptKey>(message.attempts);
      const { kind } = message;
      return first.length === 0
        ? null
        : [
            { kind, attempts: first },
            { kind, attempts: second },
          ];
    }
    case 'welcome':
    case 'pending':
    case 'credential':
    case 'refused':
    case 'stdin':
    case 'blobWanted':
    case 'blobData':
    case 'blobRefused':
    case 'alive':
    case 'closing':
      return null;
    default:
      return unreachable(message);
  }
}

/** The first half is empty when there are fewer than two. */
function halves<T>(entries: readonly T[]): readonly [readonly T[], readonly T[]] {
  const middle = entries.length >> 1;
  return [entries.slice(0, middle), entries.slice(middle)];
}

function packResume(resume: Resume): unknown[] {
  return [resume.taskId, resume.attempt, resume.stdout, resume.stderr];
}

function readResume(value: unknown): Resume {
  const fields = row(value, 4, 'resume');
  return {
    taskId: taskId(fields[0]),
    attempt: readAttempt(fields[1]),
    stdout: count(fields[2], 'stdout'),
    stderr: count(fields[3], 'stderr'),
  };
}
