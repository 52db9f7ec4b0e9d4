/**
 * What is believed of what arrives at the port of beacons. Everything else is counted by its reason and forgotten.
 *
 *   too many from one address            flood        not even looked at
 *   no datagram of ours                  malformed    also a body whose fields are wrong
 *   another form                         version      of a newer or an older Octaskly
 *   sealed with another key              other_cluster
 *   the seal is broken                   forged
 *   not newer than the node's last       replayed; duplicate, where the same came another way or a moment late
 *   from an address that is not its own  replayed: by somebody who recorded it, to whom it has not reached yet
 *   first of its node, other clock       clock_skew   more than two minutes apart from this machine's: of another time
 *
 * Against replay: what one node says is strictly ordered by when it started and a sequence. The last of each is remembered
 * for twice the tolerance of clocks; once it is forgotten, the clock in the datagram shows that it is old. So nothing
 * recorded is believed again, with no state on disk, and a node whose clock was set back is heard again after minutes.
 * So a datagram of another time is either recorded or of a node whose clock is off. Only an answer to a question that was
 * asked just now cannot be recorded: a node is told to have a wrong clock by its answer alone. What else comes of another
 * time is passed on, marked: a question since its answer is how the asker finds out, a beacon so that its node is asked.
 *
 * Pure: instants are handed in. Bounded: nodes remembered, addresses counted, skews kept. Members of the cluster could fill
 * the memory of nodes; a new one then has to wait, and nothing is forgotten early.
 */

import { TokenBuckets } from '../core/token-bucket.ts';
import { addressesMax, type BeaconHead, type BeaconMessage, decodeBeaconMessage } from './beacon-messages.ts';
import { type BeaconKey, openBeacon, type SealCrypto, type Way } from './beacon-seal.ts';
import { inNetwork } from './mdns/networks.ts';
import { type PeerAddress, peersMax } from './peer-table.ts';

/** How far apart the clocks of two nodes may be, ms. */
export const clockToleranceMs = 120_000;
/** For how long the last of a node is remembered. */
const memoryMs = 2 * clockToleranceMs;
/** Copies of one datagram that came another way (from a second address, by broadcast) arrive within this, ms. */
const copiesMs = 2000;
/** The very same twice: heard by two interfaces in one network. Within this, ms; later it is a replay. */
const echoMs = 100;
/** Datagrams a second from one address: 400 are 200 nodes on one machine. */
const sourceRule = { ratePerSecond: 400, burst: 800, keysMax: 1024 } as const;
const skewsMax = 64;

/** What became of datagrams; `heard` and `own` are the good ones. */
export const beaconCounts = [
  'heard',
  'own',
  'duplicate',
  'replayed',
  'forged',
  'malformed',
  'version',
  'other_cluster',
  'clock_skew',
  'flood',
] as const;
export type BeaconCount = (typeof beaconCounts)[number];

/** A node whose clock is too far off to believe it, as its answer to a question has shown. */
export interface ClockSkew {
  readonly id: string;
  readonly name: string;
  readonly from: PeerAddress;
  /** Its clock minus this machine's, ms. */
  readonly differenceMs: number;
}

/** What is believed. */
export interface Heard {
  readonly message: BeaconMessage;
  readonly way: Way;
  /** What it was sealed with, and is answered with. */
  readonly key: BeaconKey;
  readonly from: PeerAddress;
  /** A question, or a beacon that answers none of ours, of another time: of a wrong clock, or recorded. */
  readonly skewed: boolean;
  /** Says nothing that was not heard just before; only shows by which way datagrams come. */
  readonly copy: boolean;
}

interface Last {
  readonly head: BeaconHead;
  readonly way: Way;
  readonly from: PeerAddress;
  /** Steady ms. */
  readonly at: number;
}

interface Now {
  readonly steady: number;
  readonly wall: number;
}

interface EarParts {
  /** Who listens. */
  readonly ownId: string;
  readonly crypto: SealCrypto;
  /** Those valid just now, asked for with each datagram. */
  readonly keys: () => readonly BeaconKey[];
  /** Whether a question with this sequence was asked just now. */
  readonly asked: (sequence: number) => boolean;
}

export class BeaconEar {
  readonly #parts: EarParts;
  readonly #sources = new TokenBuckets(sourceRule);
  /** Heard longest ago first. */
  readonly #lasts = new Map<string, Last>();
  readonly #skews = new Map<string, ClockSkew>();
  readonly counts = Object.fromEntries(beaconCounts.map((name) => [name, 0])) as Record<BeaconCount, number>;

  constructor(parts: EarParts) {
    this.#parts = parts;
  }

  /** Nodes whose clocks were too far off when they were heard last, at most 64. */
  get skews(): readonly ClockSkew[] {
    return [...this.#skews.values()];
  }

  /** Takes a datagram; null when there is nothing to believe in it. Counts it in either case. */
  take(datagram: Uint8Array, from: PeerAddress, now: Now): Heard | null {
    const { crypto, keys, ownId } = this.#parts;
    if (this.#sources.take(from.address, now.steady) !== null) return this.#count('flood');
    const opened = openBeacon(crypto, keys(), datagram);
    if (!opened.ok) return this.#count(opened.reason);
    const message = decodeBeaconMessage(opened.body);
    if (message === null) return this.#count('malformed');
    if (message.head.id === ownId) return this.#count('own');
    return this.#admit({ message, way: opened.way, key: opened.key, from, skewed: false, copy: false }, now);
  }

  #admit(heard: Heard, now: Now): Heard | null {
    const { message, way, from } = heard;
    const { head } = message;
    if (!isFromItself(message, from)) return this.#count('replayed');
    this.#forget(now.steady);
    const last = this.#lasts.get(head.id);
    if (last === undefined) {
      if (Math.abs(head.sentAt - now.wall) > clockToleranceMs) return this.#skewed(heard, now.wall);
      if (this.#lasts.size >= peersMax) return this.#count('flood');
    } else if (!isNewer(head, last.head)) {
      if (!isCopy(heard, last, now.steady)) return this.#count('replayed');
      this.#count('duplicate');
      return { ...heard, copy: true };
    }
    this.#skews.delete(head.id);
    this.#lasts.delete(head.id);
    this.#lasts.set(head.id, { head, way, from, at: now.steady });
    this.counts.heard += 1;
    return heard;
  }

  #skewed(heard: Heard, wall: number): Heard | null {
    const { message, from } = heard;
    this.#count('clock_skew');
    if (message.kind === 'goodbye') return null;
    if (message.kind === 'ask' || !this.#isAnswer(message)) return { ...heard, skewed: true };
    const { id, sentAt } = message.head;
    if (this.#skews.size < skewsMax || this.#skews.has(id))
      this.#skews.set(id, { id, name: message.beacon.name, from, differenceMs: sentAt - wall });
    return null;
  }

  #isAnswer({ answers }: Extract<BeaconMessage, { kind: 'beacon' }>): boolean {
    return answers !== null && answers.id === this.#parts.ownId && this.#parts.asked(answers.sequence);
  }

  #forget(steady: number): void {
    for (const [id, { at }] of this.#lasts) {
      if (at > steady - memoryMs) return;
      this.#lasts.delete(id);
    }
  }

  #count(reason: BeaconCount): null {
    this.counts[reason] += 1;
    return null;
  }
}

/** What a node says of itself comes from one of its addresses; those of one link or one machine it does not list. */
function isFromItself(message: BeaconMessage, { address }: PeerAddress): boolean {
  if (message.kind !== 'beacon') return true;
  const { addresses } = message.beacon;
  if (addresses.includes(address) || addresses.length === addressesMax) return true;
  return ['fe80::/10', '127.0.0.0/8', '::1/128'].some((network) => inNetwork(address, network));
}

function isNewer(head: BeaconHead, last: BeaconHead): boolean {
  if (head.startedAt !== last.startedAt) return head.startedAt > last.startedAt;
  return head.sequence > last.sequence;
}

/** The same again by another way or interface, or one that others overtook on the network. */
function isCopy({ message, way, from }: Heard, last: Last, steady: number): boolean {
  const { head } = message;
  const sinceMs = steady - last.at;
  if (head.startedAt !== last.head.startedAt || sinceMs > copiesMs) return false;
  if (head.sequence < last.head.sequence) return last.head.sentAt - head.sentAt <= copiesMs;
  const same = way === last.way && from.address === last.from.address && from.port === last.from.port;
  return !same || sinceMs <= echoMs;
}
