/**
 * What the dispatcher says, as rows: order of the fields and check of what arrived, side by side. `messages.ts` has the
 * shapes. `checkDispatcherMessage` is the worker's guard, as `checkWorkerMessage` is the dispatcher's.
 */

import { unreachable } from '../base/assert.ts';
import type { AttemptKey } from '../core/attempt.ts';
import { checkBlobMessage, packBlob, packBlobMessage, readBlob } from './blob-messages.ts';
import {
  amount,
  bool,
  bytes,
  bytesOf,
  count,
  fieldLimits,
  halves,
  hexOf,
  keyId,
  kindOf,
  list,
  nodeName,
  nullOr,
  oneOf,
  row,
  taskId,
  text,
  whole,
  wrong,
} from './fields.ts';
import {
  type BlobHolder,
  type DispatcherMessage,
  holdersMax,
  logLinesMax,
  outputChunkBytesMax,
  protocolVersionMin,
  type RosterEntry,
  refusalCodes,
  rosterMax,
} from './messages.ts';
import { packAssignment, packBytes, packKey, readAssignment, readAttempt, readKey, readSize } from './shapes.ts';
import { packOrder, readOrder } from './update-messages.ts';

type Welcome = Extract<DispatcherMessage, { kind: 'welcome' }>;
type Resume = Welcome['resume'][number];
type Granted = Extract<DispatcherMessage, { kind: 'granted' }>['entries'][number];
type Holders = Extract<DispatcherMessage, { kind: 'holders' }>['blobs'][number];

/** A day: no interval or wait that one side asks of the other is longer. */
const intervalRange = { min: 1, max: 24 * 3600 * 1000 };
const waitRange = { min: 0, max: intervalRange.max };
const keyBytes = 32;
const publicKeyDigits = 64;
const clusterIdDigits = 16;
/** Characters of an address or a host's name. */
const hostLengthMax = 255;

/** The version of the protocol that brought the message. */
export function dispatcherMessageSince({ kind }: Pick<DispatcherMessage, 'kind'>): number {
  return kind === 'update' ? 6 : protocolVersionMin;
}

/** The message as a row for CBOR. */
export function packDispatcherMessage(message: DispatcherMessage): unknown[] {
  switch (message.kind) {
    case 'welcome':
      return [
        'welcome',
        message.name,
        message.heartbeatMs,
        message.silenceMs,
        message.resume.map(packResume),
        message.clusterId,
        message.peers,
      ];
    case 'roster':
      return ['roster', message.whole, message.members.map(packMember), message.gone];
    case 'holders':
      return ['holders', message.blobs.map(packHolders)];
    case 'granted':
      return ['granted', message.entries.map(({ taskId: id, attempt, previous }) => [id, attempt, previous])];
    case 'drain':
      return ['drain', message.draining];
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
    case 'release':
      return [message.kind, message.attempts.map(packKey)];
    case 'stdin':
      return ['stdin', message.taskId, message.attempt, message.offset, packBytes(message.data), message.eof];
    case 'resize':
      return ['resize', message.taskId, message.attempt, message.columns, message.rows];
    case 'blobWanted':
    case 'blobData':
    case 'blobRefused':
      return packBlobMessage(message);
    case 'logWanted':
      return ['logWanted', message.request, message.lines];
    case 'update':
      return ['update', packOrder(message.order)];
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
    case 'welcome':
      return readWelcome(value);
    case 'roster':
      return readRoster(value);
    case 'holders':
      return { kind, blobs: list(row(value, 2, kind)[1], 'blobs', readHolders) };
    case 'granted':
      return { kind, entries: list(row(value, 2, kind)[1], 'entries', readGranted) };
    case 'drain':
      return { kind, draining: bool(row(value, 2, kind)[1], 'draining') };
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
    case 'refused':
      return readRefused(value);
    case 'assign':
      return { kind, attempts: list(row(value, 2, kind)[1], 'attempts', readAssignment) };
    case 'recall':
    case 'cancel':
    case 'abandon':
    case 'ack':
    case 'release':
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
    case 'resize': {
      const fields = row(value, 5, kind);
      return { kind, taskId: taskId(fields[1]), attempt: readAttempt(fields[2]), ...readSize(fields[3], fields[4]) };
    }
    case 'blobWanted':
    case 'blobData':
    case 'blobRefused':
      return checkBlobMessage(kind, value);
    case 'logWanted':
      return readLogWanted(value);
    case 'update':
      return { kind, order: readOrder(row(value, 2, kind)[1]) };
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
    case 'ack':
    case 'release': {
      const [first, second] = halves<AttemptKey>(message.attempts);
      const { kind } = message;
      return first.length === 0
        ? null
        : [
            { kind, attempts: first },
            { kind, attempts: second },
          ];
    }
    case 'roster':
      return halveRoster(message);
    case 'holders': {
      const [first, second] = halves(message.blobs);
      return first.length === 0
        ? null
        : [
            { kind: 'holders', blobs: first },
            { kind: 'holders', blobs: second },
          ];
    }
    case 'granted': {
      const [first, second] = halves(message.entries);
      return first.length === 0
        ? null
        : [
            { kind: 'granted', entries: first },
            { kind: 'granted', entries: second },
          ];
    }
    case 'welcome':
    case 'drain':
    case 'pending':
    case 'credential':
    case 'refused':
    case 'stdin':
    case 'resize':
    case 'blobWanted':
    case 'blobData':
    case 'blobRefused':
    case 'logWanted':
    case 'update':
    case 'alive':
    case 'closing':
      return null;
    default:
      return unreachable(message);
  }
}

type Roster = Extract<DispatcherMessage, { kind: 'roster' }>;

/** A whole roster is its first half, whole, and then who came besides. */
function halveRoster({ kind, whole: isWhole, members, gone }: Roster): readonly [Roster, Roster] | null {
  const [first, second] = halves(members);
  if (first.length > 0)
    return [
      { kind, whole: isWhole, members: first, gone },
      { kind, whole: false, members: second, gone: [] },
    ];
  const [goneFirst, goneSecond] = halves(gone);
  if (goneFirst.length === 0) return null;
  return [
    { kind, whole: isWhole, members, gone: goneFirst },
    { kind, whole: false, members: [], gone: goneSecond },
  ];
}

function readWelcome(value: unknown): Welcome {
  const kind = 'welcome';
  const fields = row(value, 7, kind);
  return {
    kind,
    name: nodeName(fields[1], 'name'),
    heartbeatMs: amount(fields[2], 'heartbeatMs', intervalRange),
    silenceMs: amount(fields[3], 'silenceMs', intervalRange),
    resume: list(fields[4], 'resume', readResume),
    clusterId: hexOf(fields[5], 'clusterId', clusterIdDigits),
    peers: bool(fields[6], 'peers'),
  };
}

function readRoster(value: unknown): Roster {
  const kind = 'roster';
  const fields = row(value, 4, kind);
  return {
    kind,
    whole: bool(fields[1], 'whole'),
    members: list(fields[2], 'members', readMember, rosterMax),
    gone: list(fields[3], 'gone', readPublicKey, rosterMax),
  };
}

function readRefused(value: unknown): Extract<DispatcherMessage, { kind: 'refused' }> {
  const fields = row(value, 4, 'refused');
  return {
    kind: 'refused',
    code: oneOf(fields[1], 'code', refusalCodes),
    detail: text(fields[2], 'detail', fieldLimits.detailLengthMax),
    retryAfterMs: amount(fields[3], 'retryAfterMs', waitRange),
  };
}

function readLogWanted(value: unknown): Extract<DispatcherMessage, { kind: 'logWanted' }> {
  const fields = row(value, 3, 'logWanted');
  const lines = whole(fields[2], 'lines', { min: 1, max: logLinesMax });
  return { kind: 'logWanted', request: count(fields[1], 'request'), lines };
}

function packMember({ id, name, publicKey }: RosterEntry): unknown[] {
  return [id, name, publicKey];
}

function readMember(value: unknown): RosterEntry {
  const fields = row(value, 3, 'member');
  return {
    id: nodeName(fields[0], 'id'),
    name: nodeName(fields[1], 'name'),
    publicKey: readPublicKey(fields[2]),
  };
}

function readPublicKey(value: unknown): string {
  return hexOf(value, 'publicKey', publicKeyDigits);
}

function packHolders({ blob, at }: Holders): unknown[] {
  return [packBlob(blob), at.map(({ id, publicKey, host, port }) => [id, publicKey, host, port])];
}

function readHolders(value: unknown): Holders {
  const fields = row(value, 2, 'holders');
  return { blob: readBlob(fields[0]), at: list(fields[1], 'at', readHolder, holdersMax) };
}

function readHolder(value: unknown): BlobHolder {
  const fields = row(value, 4, 'holder');
  return {
    id: nodeName(fields[0], 'id'),
    publicKey: readPublicKey(fields[1]),
    host: text(fields[2], 'host', hostLengthMax),
    port: whole(fields[3], 'port', fieldLimits.port),
  };
}

function readGranted(value: unknown): Granted {
  const fields = row(value, 3, 'granted');
  return { taskId: taskId(fields[0]), attempt: readAttempt(fields[1]), previous: readAttempt(fields[2]) };
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
