/**
 * What stands inside a sealed datagram of discovery, as a CBOR row of fixed order, and back with every field checked.
 *
 *   head     kind, id, started, sequence, sent
 *   beacon   head, answer | null, then what the node says of itself
 *   ask      head: whoever hears it sends a beacon to where it came from
 *   goodbye  head: the node is about to stop
 *
 * `started` and `sequence` order what one node says; `sent` is its clock, by which somebody who hears it for the first
 * time tells a fresh datagram from a recorded one. What is too large for a datagram is cut here, hints first: the filter of
 * blobs is halved until the rest fits, then labels go, the last in the alphabet first.
 */

import { decodeCbor, encodeCbor } from '../wire/cbor.ts';
import * as field from '../wire/fields.ts';
import type { Beacon } from './beacon.ts';
import { bloomBytesMax } from './bloom.ts';

/** Most addresses a node tells. */
export const addressesMax = 8;
const addressLengthMax = 64;
const sequenceRange = { min: 0, max: 2 ** 32 - 1 };
/** Characters of labels that may be told at all. */
const labelUnitsMax = 1000;

/** Who says something and when, in its own counting. */
export interface BeaconHead {
  /** Node id; one that only asks draws one for that. */
  readonly id: string;
  /** Its wall clock when it started, ms. With `sequence`: what one node says is strictly ordered by these two. */
  readonly startedAt: number;
  readonly sequence: number;
  /** Its wall clock now, ms. */
  readonly sentAt: number;
}

/** Which ask a beacon answers. */
export interface AnsweredAsk {
  readonly id: string;
  readonly sequence: number;
  /** How long it waited before it answered, ms. */
  readonly delayMs: number;
}

export type BeaconMessage =
  | {
      readonly kind: 'beacon';
      readonly head: BeaconHead;
      readonly answers: AnsweredAsk | null;
      readonly beacon: Beacon;
    }
  | { readonly kind: 'ask'; readonly head: BeaconHead }
  | { readonly kind: 'goodbye'; readonly head: BeaconHead };

/** The bytes of a message, at most `bytesMax` of them: a beacon is cut to fit. */
export function encodeBeaconMessage(message: BeaconMessage, bytesMax: number): Uint8Array {
  const { id, startedAt, sequence, sentAt } = message.head;
  const head = [message.kind, id, startedAt, sequence, sentAt];
  if (message.kind !== 'beacon') return encodeCbor(head);
  const { answers } = message;
  const answered = answers === null ? null : [answers.id, answers.sequence, answers.delayMs];
  let beacon: Beacon = { ...message.beacon, labels: leading(message.beacon.labels) };
  for (;;) {
    const bytes = encodeCbor([...head, answered, ...rowOf(beacon)]);
    if (bytes.length <= bytesMax) return bytes;
    beacon = smaller(beacon);
  }
}

/** The labels that come first in the alphabet and surely fit: some workers have thousands. */
function leading(labels: Beacon['labels']): Beacon['labels'] {
  let left = labelUnitsMax;
  const entries = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const kept = entries.filter(([name, value]) => {
    left -= name.length + value.length;
    return left >= 0;
  });
  return Object.fromEntries(kept);
}

/** Without the part that matters least. Everything that is left once nothing can go has a small bound of its own. */
function smaller(beacon: Beacon): Beacon {
  if (beacon.blobs.length > 0) return { ...beacon, blobs: folded(beacon.blobs) };
  const labels = Object.entries(beacon.labels);
  if (labels.length > 0) return { ...beacon, labels: Object.fromEntries(labels.slice(0, -1)) };
  return { ...beacon, addresses: beacon.addresses.slice(0, -1) };
}

/**
 * A filter of half the size that affirms all the whole one does: its size is a power of two, so a position in the half is
 * the position in the whole modulo its bits. Empty where so small a one would affirm nearly everything.
 */
function folded(filter: Uint8Array): Uint8Array {
  const half = filter.length / 2;
  if (half < 16) return new Uint8Array(0);
  return filter.slice(0, half).map((byte, n) => byte | (filter[half + n] ?? 0));
}

function rowOf(beacon: Beacon): readonly unknown[] {
  return [
    Uint8Array.fromHex(beacon.publicKey),
    beacon.name,
    beacon.role,
    beacon.version,
    beacon.protocol,
    beacon.addresses.slice(0, addressesMax),
    beacon.peerPort,
    beacon.slots,
    beacon.slotsFree,
    beacon.waiting,
    beacon.cpuCores,
    beacon.memoryMb,
    beacon.memoryFreeMb,
    beacon.gpu,
    beacon.load1,
    Object.entries(beacon.labels),
    beacon.platform,
    beacon.arch,
    beacon.draining,
    beacon.blobs.length === 0 ? null : beacon.blobs,
  ];
}

const headFields = 5;
const beaconFields = headFields + 21;

/** What the bytes say; null for anything that is not a message. */
export function decodeBeaconMessage(bytes: Uint8Array): BeaconMessage | null {
  try {
    return messageIn(decodeCbor(bytes));
  } catch (error) {
    if (error instanceof field.MalformedMessage) return null;
    throw error;
  }
}

function messageIn(value: unknown): BeaconMessage {
  const kind = field.oneOf(field.kindOf(value, 'message'), 'kind', ['beacon', 'ask', 'goodbye']);
  const row = field.row(value, kind === 'beacon' ? beaconFields : headFields, kind);
  const head: BeaconHead = {
    id: field.nodeName(row[1], 'id'),
    startedAt: field.count(row[2], 'startedAt'),
    sequence: field.whole(row[3], 'sequence', sequenceRange),
    sentAt: field.count(row[4], 'sentAt'),
  };
  if (kind !== 'beacon') return { kind, head };
  const answers = field.nullOr(row[5], answeredIn);
  return { kind, head, answers, beacon: beaconIn(head.id, row.slice(headFields + 1)) };
}

function answeredIn(value: unknown): AnsweredAsk {
  const row = field.row(value, 3, 'answers');
  return {
    id: field.nodeName(row[0], 'answers.id'),
    sequence: field.whole(row[1], 'answers.sequence', sequenceRange),
    delayMs: field.measure(row[2], 'answers.delayMs'),
  };
}

function beaconIn(id: string, row: readonly unknown[]): Beacon {
  const { fieldLimits: limits } = field;
  const whole = (at: number, name: string, max: number): number => field.whole(row[at], name, { min: 0, max });
  const slots = whole(7, 'slots', limits.slotsMax);
  return {
    id,
    publicKey: field.bytesOf(row[0], 'publicKey', 32).toHex(),
    name: field.nodeName(row[1], 'name'),
    role: field.oneOf(row[2], 'role', ['dispatcher', 'worker']),
    version: field.word(row[3], 'version'),
    protocol: whole(4, 'protocol', 65_535),
    addresses: field.list(row[5], 'addresses', addressIn, addressesMax),
    peerPort: field.nullOr(row[6], (port) => field.whole(port, 'peerPort', limits.port)),
    slots,
    slotsFree: whole(8, 'slotsFree', slots),
    waiting: field.count(row[9], 'waiting'),
    cpuCores: field.amount(row[10], 'cpuCores', { min: 0, max: limits.cpuCoresMax }),
    memoryMb: whole(11, 'memoryMb', limits.memoryMbMax),
    memoryFreeMb: field.nullOr(row[12], (value) => field.measure(value, 'memoryFreeMb')),
    gpu: whole(13, 'gpu', limits.gpuMax),
    load1: field.nullOr(row[14], (value) => field.measure(value, 'load1')),
    labels: field.labels(row[15]),
    platform: field.word(row[16], 'platform'),
    arch: field.word(row[17], 'arch'),
    draining: field.bool(row[18], 'draining'),
    blobs: filterIn(row[19]),
  };
}

/** An IPv4 or IPv6 address in figures: names are not looked up on anybody's word. */
function addressIn(value: unknown): string {
  const address = field.text(value, 'address', addressLengthMax);
  if (!/^[0-9a-fA-F.:]+$/.test(address)) throw field.wrong('address', 'an IP address', value);
  return address;
}

function filterIn(value: unknown): Uint8Array {
  const filter = field.bytes(value, 'blobs', bloomBytesMax);
  if (filter.length !== 0 && (filter.length & (filter.length - 1)) !== 0) {
    throw field.wrong('blobs', 'a power of two of bytes', value);
  }
  return filter;
}
