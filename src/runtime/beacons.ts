/**
 * Sending, hearing and answering beacons on the network: the `BeaconNode` port.
 *
 * Every node sends from a free port of its own and hears two: the port of beacons, which all nodes of a machine share and
 * at which groups and broadcasts arrive, and its own, at which it alone is asked and answered. So a command that only asks
 * needs no port anybody knows of.
 * What is believed is decided in `discovery/beacon-ear.ts`, when and by which ways is sent in `beacon-pace.ts`; sockets
 * and interfaces are `multicast.ts`'s.
 *
 * Invariants: nothing is sent but beacons, questions and goodbyes; a question costs at most one answer, and more questions
 * than can be answered one by one are answered to all at once.
 */

import { TokenBuckets } from '../core/token-bucket.ts';
import type { Beacon } from '../discovery/beacon.ts';
import { BeaconEar, type ClockSkew, type Heard } from '../discovery/beacon-ear.ts';
import {
  type AnsweredAsk,
  addressesMax,
  type BeaconMessage,
  encodeBeaconMessage,
} from '../discovery/beacon-messages.ts';
import { BeaconPace, BeaconReach } from '../discovery/beacon-pace.ts';
import { type BeaconKey, bodyBytesMax, sealBeacon, type Way } from '../discovery/beacon-seal.ts';
import { isLinkLocal6 } from '../discovery/mdns/networks.ts';
import { type PeerAddress, PeerTable, type PeerTableView } from '../discovery/peer-table.ts';
import type { BeaconNode } from '../ports/discovery.ts';
import type { Clock, Random, Timer } from '../ports/time.ts';
import { nativeCrypto } from './crypto.ts';
import { type Multicast, type MulticastPacket, openMulticast } from './multicast.ts';
import type { MulticastLink } from './multicast-links.ts';
import { isLoopback } from './networks.ts';

/** Groups of beacons: of administrative scope (RFC 2365), and of the link (RFC 4291). */
export const beaconGroups = { group4: '239.255.55.55', group6: 'ff02::6f63:7461' } as const;
/** Every third beacon goes out by IPv6 where the interface has IPv4 too: who has both hears it once. */
const secondFamilyEvery = 3;
/** Answers a second, to one address and to all. */
const askerRule = { ratePerSecond: 5, burst: 10, keysMax: 1024 } as const;
const answerRule = { ratePerSecond: 20, burst: 40, keysMax: 1 } as const;
/** Answers a second to those whose clocks are off, and questions to those whose clocks seem to be. */
const skewedRule = { ratePerSecond: 1, burst: 2, keysMax: 1 } as const;
/** Answers are spread over half a millisecond for each node that may answer too, up to this, ms. */
const answerDelayMsMax = 100;
const everyone = 'everyone';
/** Questions that may still be answered. */
const questionsMax = 16;

export interface BeaconOptions {
  /** Who sends: the node's id, or one drawn for a command that only asks. */
  readonly id: string;
  /** UDP port of beacons. */
  readonly port: number;
  /** Only these interfaces; none = all that lead to other devices. */
  readonly interfaces: readonly string[];
  /** Keys valid just now, the present one first; asked for with each datagram. None: nothing is sent or believed. */
  readonly keys: () => readonly BeaconKey[];
  /** What it says of itself but its addresses, asked for with each beacon; null = nothing, or nothing yet: it only asks. */
  readonly self: () => Omit<Beacon, 'addresses'> | null;
  /** Asked, and told, besides the groups as soon as there is a key: those known from earlier. */
  readonly known: readonly PeerAddress[];
  readonly clock: Clock;
  readonly random: Random;
  /** The table changed: somebody came, went, or offers something else. From inside a socket's callback or a timer. */
  readonly onChange: () => void;
}

/** Opens beacons in the background. Never fails: without a usable interface, or without a key, it waits for one. */
export function openBeacons(options: BeaconOptions): BeaconNode {
  return new OpenBeacons(options);
}

class OpenBeacons implements BeaconNode {
  readonly opened: Promise<void>;
  readonly #options: BeaconOptions;
  readonly #table = new PeerTable();
  readonly #ear: BeaconEar;
  readonly #reach = new BeaconReach();
  readonly #pace: BeaconPace;
  readonly #startedAt: number;
  readonly #askers = new TokenBuckets(askerRule);
  readonly #answers = new TokenBuckets(answerRule);
  readonly #skewed = new TokenBuckets(skewedRule);
  readonly #doubts = new TokenBuckets(skewedRule);
  /** When each of the last questions was asked, steady ms, by sequence. */
  readonly #asked = new Map<number, number>();
  #answered = 0;
  #sequence: number;
  #rounds = 0;
  #introduced = false;
  #multicast: Multicast | null = null;
  #timer: Timer | null = null;
  #closed: Promise<void> | null = null;

  constructor(options: BeaconOptions) {
    this.#options = options;
    const { id, keys, clock, random } = options;
    this.#ear = new BeaconEar({
      ownId: id,
      crypto: nativeCrypto,
      keys,
      asked: (sequence) => this.#asked.has(sequence),
    });
    // Not from zero: an answer to a question of an earlier run must not pass for one to a question of this run.
    this.#sequence = Buffer.from(random.bytes(4)).readUInt32BE() >>> 2;
    this.#startedAt = clock.wall();
    this.#pace = new BeaconPace(clock.steady());
    this.opened = this.#open();
  }

  get peers(): PeerTableView {
    return this.#table;
  }

  get counts(): Readonly<Record<string, number>> {
    const { sent = 0, sendFailed = 0, openFailed = 0 } = this.#multicast?.counts ?? {};
    return { ...this.#ear.counts, sent, send_failed: sendFailed, open_failed: openFailed, answered: this.#answered };
  }

  get skews(): readonly ClockSkew[] {
    return this.#ear.skews;
  }

  get interfaces(): readonly string[] {
    return [...new Set(this.#multicast?.links.map(({ on }) => on.name))];
  }

  get places(): readonly PeerAddress[] {
    return this.#links.map(({ source }) => source);
  }

  async #open(): Promise<void> {
    const { port, interfaces, clock } = this.#options;
    const multicast = openMulticast({
      ...beaconGroups,
      ...{ port, interfaces, clock, hops: 1, sendFrom: 'free-port', join: true },
      onPacket: (packet) => this.#onPacket(packet),
      onLinkUp: (link) => this.#onLinkUp(link),
      onLinkDown: ({ id }) => this.#reach.linkDown(id),
    });
    this.#multicast = multicast;
    await multicast.ready;
    if (this.#closed !== null) await multicast.close();
    else this.#tick();
  }

  ask(addresses: readonly PeerAddress[] = []): void {
    const { clock } = this.#options;
    for (const key of this.#options.keys()) {
      const message: BeaconMessage = { kind: 'ask', head: this.#head() };
      this.#asked.set(message.head.sequence, clock.steady());
      for (const link of this.#links) {
        this.#multicast?.toGroup(link.id, this.#sealed(message, key, 'multicast'));
        this.#multicast?.toBroadcast(link.id, this.#sealed(message, key, 'broadcast'));
      }
      for (const to of addresses) this.#multicast?.toHost(null, to, this.#sealed(message, key, 'unicast'));
    }
    this.#forgetQuestions();
  }

  #forgetQuestions(): void {
    for (const sequence of this.#asked.keys()) if (this.#asked.size > questionsMax) this.#asked.delete(sequence);
  }

  announce(): void {
    this.#pace.hurry(this.#options.clock.steady());
    this.#wait();
  }

  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  async #finish(): Promise<void> {
    this.#timer?.cancel();
    // Who has said that it is there, and is not to be there any more, leaves too.
    if (this.#rounds + this.#answered > 0) this.#toAll((head) => ({ kind: 'goodbye', head }));
    await this.opened;
    await this.#multicast?.close();
  }

  get #links(): readonly MulticastLink[] {
    return this.#multicast?.links ?? [];
  }

  // ------------------------------------------------------------------------------------------------ hearing

  #onPacket({ bytes, from, link }: MulticastPacket): void {
    if (this.#closed !== null) return;
    const { clock } = this.#options;
    const now = { steady: clock.steady(), wall: clock.wall() };
    const heard = this.#ear.take(bytes, from, now);
    if (heard === null) return;
    this.#reach.heard(heard.message.head.id, link?.id ?? null, heard.way, now.steady);
    if (!heard.copy) this.#onHeard(heard, link, now.steady);
  }

  #onHeard(heard: Heard, link: MulticastLink | null, now: number): void {
    const { message, from } = heard;
    if (message.kind === 'ask') this.#onAsk(heard, link, now);
    else if (heard.skewed) this.#onSkewed(heard, link, now);
    else if (message.kind === 'goodbye') {
      if (this.#table.left(message.head.id) !== undefined) this.#options.onChange();
    } else {
      const news = this.#table.heard(message.beacon, from, now, this.#roundTripMs(message.answers, now));
      if (news !== 'same') this.#options.onChange();
    }
  }

  /** Asks whoever seems to be of another time: by the answer it is known which of the two clocks is off. */
  #onSkewed({ from, key }: Heard, link: MulticastLink | null, now: number): void {
    if (this.#doubts.take(everyone, now) !== null) return;
    const message: BeaconMessage = { kind: 'ask', head: this.#head() };
    this.#asked.set(message.head.sequence, now);
    this.#forgetQuestions();
    this.#multicast?.toHost(link?.id ?? null, from, this.#sealed(message, key, 'unicast'));
  }

  #roundTripMs(answers: AnsweredAsk | null, now: number): number | null {
    const askedAt = answers?.id === this.#options.id ? this.#asked.get(answers.sequence) : undefined;
    return askedAt === undefined || answers === null ? null : Math.max(0, now - askedAt - answers.delayMs);
  }

  #onAsk({ message, from, key, skewed }: Heard, link: MulticastLink | null, now: number): void {
    const { clock, random } = this.#options;
    if (this.#askers.take(from.address, now) !== null) return;
    if (skewed && this.#skewed.take(everyone, now) !== null) return;
    if (this.#answers.take(everyone, now) !== null) {
      this.announce();
      return;
    }
    const chance = (random.bytes(1)[0] ?? 0) / 256;
    const delayMs = Math.round(chance * Math.min(answerDelayMsMax, this.#table.size / 2));
    const answer = (): void => {
      const beacon = this.#self();
      if (this.#closed !== null || beacon === null) return;
      this.#answered += 1;
      const answers = { id: message.head.id, sequence: message.head.sequence, delayMs };
      const reply: BeaconMessage = { kind: 'beacon', head: this.#head(), answers, beacon };
      this.#multicast?.toHost(link?.id ?? null, from, this.#sealed(reply, key, 'unicast'));
    };
    if (delayMs === 0) answer();
    else clock.after(delayMs, answer);
  }

  // ------------------------------------------------------------------------------------------------ sending

  #onLinkUp({ id }: MulticastLink): void {
    this.#reach.linkUp(id, this.#options.clock.steady());
    if (!this.#introduced) return;
    this.ask();
    this.announce();
  }

  /** What it says of itself, with the addresses at which its interfaces reach others. */
  #self(): Beacon | null {
    const self = this.#options.self();
    if (self === null) return null;
    const all = this.#links.flatMap(({ on }) => on.addresses.map(({ address }) => address));
    return {
      ...self,
      addresses: [...new Set(all)]
        .filter((address) => !isLinkLocal6(address) && !isLoopback(address))
        .slice(0, addressesMax),
    };
  }

  /** Sends what is due, drops who fell silent, and waits for the next time. */
  #tick(): void {
    const { clock, random, onChange } = this.#options;
    const now = clock.steady();
    if (this.#pace.dueAt <= now) {
      if (this.#table.expire(now).length > 0) onChange();
      const beacon = this.#self();
      if (!this.#introduced) this.#introduce(beacon);
      if (beacon !== null) this.#beat(beacon, now);
      this.#pace.sent(now, this.#table.size, (random.bytes(1)[0] ?? 0) / 256);
    }
    this.#wait();
  }

  #wait(): void {
    if (this.#closed !== null) return;
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.after(Math.max(0, this.#pace.dueAt - clock.steady()), () => this.#tick());
  }

  /** Asks all and those known from earlier, and tells these, once there are keys to do it with. */
  #introduce(beacon: Beacon | null): void {
    const { keys, known } = this.#options;
    if (keys().length === 0) return;
    this.#introduced = true;
    this.ask(known);
    if (beacon !== null) for (const to of known) this.#tell(beacon, to);
  }

  #beat(beacon: Beacon, now: number): void {
    this.#toAll((head) => ({ kind: 'beacon', head, answers: null, beacon }));
    for (const { from } of this.#reach.singledOut(this.#table.all(), now)) this.#tell(beacon, from);
    this.#rounds += 1;
  }

  /** To all, by every way that is needed, once for each valid key: while a secret is replaced, two are. */
  #toAll(compose: (head: BeaconMessage['head']) => BeaconMessage): void {
    const now = this.#options.clock.steady();
    for (const key of this.#options.keys()) {
      const message = compose(this.#head());
      for (const link of this.#links) {
        if (message.kind === 'beacon' && this.#isSpared(link)) continue;
        this.#multicast?.toGroup(link.id, this.#sealed(message, key, 'multicast'));
        const way = this.#reach.broadcastOn(link.id, now);
        if (way !== null) this.#multicast?.toBroadcast(link.id, this.#sealed(message, key, way));
      }
    }
  }

  #isSpared({ family, on }: MulticastLink): boolean {
    if (family === 4 || this.#rounds % secondFamilyEvery === 0) return false;
    return this.#links.some((other) => other.family === 4 && other.on.name === on.name);
  }

  #tell(beacon: Beacon, to: PeerAddress): void {
    for (const key of this.#options.keys()) {
      const message: BeaconMessage = { kind: 'beacon', head: this.#head(), answers: null, beacon };
      this.#multicast?.toHost(null, to, this.#sealed(message, key, 'unicast'));
    }
  }

  #head(): BeaconMessage['head'] {
    const { id, clock } = this.#options;
    this.#sequence += 1;
    return { id, startedAt: this.#startedAt, sequence: this.#sequence, sentAt: clock.wall() };
  }

  #sealed(message: BeaconMessage, key: BeaconKey, way: Way): Uint8Array {
    return sealBeacon(nativeCrypto, key, way, encodeBeaconMessage(message, bodyBytesMax));
  }
}
