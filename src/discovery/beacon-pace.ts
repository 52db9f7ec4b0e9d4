/**
 * When a node sends its beacon, and by which ways.
 *
 * When: every two seconds with jitter; in a cluster of more than 50 nodes less often, so that 200 of them need no more of a
 * Wi-Fi than 80 would; at once when something changed that others wait for, at most five times a second.
 *
 * By which ways, for each link (one family on one interface): by multicast always. Where multicast does not pass, nobody
 * is heard by it: a node that has heard nobody so for a while *calls* by directed broadcast, and who hears a call
 * broadcasts as well as long as calls come. Two nodes that hear each other by multicast therefore broadcast nothing, and a
 * node that only hears is still heard. A node that is heard by neither (it was known from before) gets beacons of its own.
 *
 * Pure: instants are steady ms and chance is a number from 0 to 1, both handed in.
 */

import { beaconExpiryMs, beaconIntervalMs } from './beacon.ts';
import type { Way } from './beacon-seal.ts';
import { type Peer, peersMax } from './peer-table.ts';

/** Between two beacons at the least, ms. */
const hurryMs = 200;
/** Up to so many nodes each keeps the interval of two seconds. */
const unhurriedNodes = 50;
/** Longest interval, ms: two may be lost before a node is taken for gone. */
const intervalMsMax = 5000;
/** Part of the interval by which it varies at most, either way. */
const jitter = 0.15;
/** After how long without anybody heard by multicast a link is taken for deaf, ms. */
const deafMs = beaconExpiryMs;
/** A node that has just started cannot tell yet: it broadcasts, without calling, ms. */
const undecidedMs = 3 * beaconIntervalMs;
/** For how long a call is followed by broadcasts of who heard it, ms. */
const calledMs = 2 * intervalMsMax;
/** Most nodes that get beacons of their own. */
export const singledOutMax = 32;

/** How long to wait after a beacon, ms, in a cluster with `nodes` others. `chance` is drawn from 0 to 1. */
export function beaconDelayMs(nodes: number, chance: number): number {
  const scaled = Math.min(intervalMsMax, beaconIntervalMs * Math.max(1, nodes / unhurriedNodes));
  return scaled * (1 + jitter * (2 * chance - 1));
}

/** When the next beacon is due. */
export class BeaconPace {
  #sentAt = Number.NEGATIVE_INFINITY;
  #dueAt: number;

  constructor(now: number) {
    this.#dueAt = now;
  }

  /** Steady ms. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** A beacon was sent. */
  sent(now: number, nodes: number, chance: number): void {
    this.#sentAt = now;
    this.#dueAt = now + beaconDelayMs(nodes, chance);
  }

  /** Something changed: the next one is due as soon as one may be sent. */
  hurry(now: number): void {
    this.#dueAt = Math.min(this.#dueAt, Math.max(now, this.#sentAt + hurryMs));
  }
}

interface LinkState {
  readonly upAt: number;
  /** When somebody else was heard by multicast; when somebody called. */
  multicastAt: number;
  calledAt: number;
}

/** Which ways lead to others. */
export class BeaconReach {
  readonly #links = new Map<string, LinkState>();
  /** When each node was heard by other than unicast; heard longest ago first. */
  readonly #publicly = new Map<string, number>();

  linkUp(link: string, now: number): void {
    const never = Number.NEGATIVE_INFINITY;
    if (!this.#links.has(link)) this.#links.set(link, { upAt: now, multicastAt: never, calledAt: never });
  }

  linkDown(link: string): void {
    this.#links.delete(link);
  }

  /** A node was heard; copies count too. `link` null = not known by which. */
  heard(id: string, link: string | null, way: Way, now: number): void {
    const state = this.#links.get(link ?? '');
    if (state !== undefined && way === 'multicast') state.multicastAt = now;
    if (state !== undefined && way === 'calling') state.calledAt = now;
    if (way === 'unicast') return;
    this.#publicly.delete(id);
    this.#publicly.set(id, now);
    if (this.#publicly.size <= peersMax) return;
    const [oldest] = this.#publicly.keys();
    if (oldest !== undefined) this.#publicly.delete(oldest);
  }

  /** By what a beacon is sent on a link besides multicast; null = by nothing. */
  broadcastOn(link: string, now: number): 'broadcast' | 'calling' | null {
    const state = this.#links.get(link);
    if (state === undefined) return null;
    if (now - state.multicastAt > deafMs) return now - state.upAt > undecidedMs ? 'calling' : 'broadcast';
    return now - state.calledAt <= calledMs ? 'broadcast' : null;
  }

  /** Those of `peers` that were only heard by unicast lately: at most 32. */
  singledOut(peers: readonly Peer[], now: number): readonly Peer[] {
    const only = peers.filter(({ id }) => now - (this.#publicly.get(id) ?? Number.NEGATIVE_INFINITY) > beaconExpiryMs);
    return only.slice(0, singledOutMax);
  }
}
