/**
 * The `Links` port as a simulated network at the level of messages: they take time, links break and take with them what
 * was on its way, hosts are cut off (links stall or die without either side hearing of it), receivers are slow.
 *
 * What the port guarantees is kept: messages of a link arrive in order and unaltered; every message goes through the
 * real encoding and its checks. Beyond what the port allows, a message is now and then delivered twice in a row, because
 * the words of `wire/messages.ts` promise to bear it. Bytes, ciphers and handshakes are not here.
 */

import type { LinkEnd, LinkListener, Links, PeerLinks } from '../../src/ports/links.ts';
import { admissionOf } from '../../src/wire/admission.ts';
import { type Dialects, peerDialects, workerDialects } from '../../src/wire/dialects.ts';
import type { DispatcherMessage, WorkerMessage } from '../../src/wire/messages.ts';
import type { PeerMessage } from '../../src/wire/peer-messages.ts';
import type { Machine } from './clock.ts';
import { type Listening, type Surroundings, Wire, type Wired } from './wire.ts';

/** How a kind of links works: who is dialled by an address, which hosts it lies between, how it speaks. */
interface Kind<Dials, Listens> {
  readonly dialects: Dialects<Dials, Listens>;
  /** By address. */
  readonly listeners: Map<string, Listening<Dials, Listens>>;
  /** Where an address leads. */
  place(host: string): string;
  /** Hosts that have to be reachable, and each other's, for a link between these two. */
  between(dialler: string, listener: string): readonly string[];
}

/** The public key of the node on a host, as links show it: 64 hex digits. */
export function keyOf(host: string): string {
  return Buffer.from(host).toString('hex').padEnd(64, '0');
}

export class Network {
  readonly #around: Surroundings;
  readonly #toDispatcher: Kind<WorkerMessage, DispatcherMessage> = {
    dialects: workerDialects,
    listeners: new Map(),
    place: () => 'dispatcher',
    between: (dialler) => [dialler],
  };
  readonly #amongPeers: Kind<PeerMessage, PeerMessage> = {
    dialects: peerDialects,
    listeners: new Map(),
    place: (host) => host,
    between: (dialler, listener) => [dialler, listener],
  };
  readonly #cutOff = new Set<string>();
  /** Pairs of hosts that do not reach each other, though others reach both. */
  readonly #parted = new Set<string>();
  /** Ways that lead nowhere, `from to`, though the other direction may be open. */
  readonly #muted = new Set<string>();
  readonly #wires = new Set<Wired>();

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** Links with a dispatcher that have not ended on both sides. */
  get size(): number {
    return [...this.#wires].filter(({ hosts }) => hosts.length === 1).length;
  }

  /** The way to the dispatcher as a program on `machine` sees it. One program of the world listens at a time. */
  linksFor(machine: Machine): Links {
    return this.#links(machine, machine.name, this.#toDispatcher);
  }

  /** The way to peers as a program on `machine` sees it, on the host `host`. Where it listens, its host's name leads. */
  peerLinksFor(machine: Machine, host: string): PeerLinks {
    return this.#links(machine, host, this.#amongPeers);
  }

  #links<Dials, Listens>(machine: Machine, own: string, kind: Kind<Dials, Listens>): Links<Dials, Listens> {
    return {
      listen: async (_address, accept): Promise<LinkListener> => {
        const place = kind.place(own);
        kind.listeners.set(place, { machine, accept });
        return {
          port: 1,
          counts: {},
          close: async () => {
            if (kind.listeners.get(place)?.machine === machine) kind.listeners.delete(place);
          },
        };
      },
      dial: ({ host, proof }, handlers) =>
        new Promise((resolve) => {
          const { dice, timeline, weather } = this.#around;
          const fail = (delayMs: number, end: LinkEnd): void => {
            machine.schedule(timeline.now + delayMs, () => resolve({ ok: false, end }));
          };
          const hosts = kind.between(own, host);
          const [dialler = '', listener = 'dispatcher'] = hosts;
          const isCut = (): boolean =>
            this.isCut(hosts) || this.isMuted(dialler, listener) || this.isMuted(listener, dialler);
          if (isCut()) {
            fail(dice.between(500, 10_000), { code: 'handshake_timeout', detail: 'no answer' });
            return;
          }
          machine.schedule(machine.instant + 2 * this.latency(), () => {
            const listening = kind.listeners.get(kind.place(host));
            if (listening === undefined || !listening.machine.alive || isCut()) {
              fail(this.latency(), { code: 'connection_lost', detail: 'nothing listens there' });
            } else if (dice.chance(weather.failedDials)) {
              fail(this.latency(), { code: 'connection_lost', detail: 'reset while shaking hands' });
            } else {
              const admission = admissionOf(proof, { keyId: '', code: '000000' });
              const wire = new Wire<Dials, Listens>(this, this.#around, {
                ...{ dialler: machine, listener: listening, admission, hosts, dialects: kind.dialects },
                keys: { dialler: keyOf(own), listener: keyOf(kind.place(host)) },
              });
              this.#wires.add(wire);
              resolve({ ok: true, link: wire.dialled });
              wire.open(handlers);
            }
          });
        }),
    };
  }

  latency(): number {
    return this.#around.dice.between(...this.#around.weather.latencyMs);
  }

  /** Nothing passes between these, or to and from the one. */
  isCut(hosts: readonly string[]): boolean {
    return hosts.some((host) => this.#cutOff.has(host)) || this.#parted.has([...hosts].sort().join(' '));
  }

  /** From now on nothing passes between the two. Some of their links survive if it does not last. */
  part(one: string, other: string): void {
    this.#parted.add([one, other].sort().join(' '));
    for (const wire of this.#wires) {
      if (this.isCut(wire.hosts) && wire.hosts.includes(one) && this.#around.dice.chance(0.6)) wire.wither();
    }
  }

  rejoin(one: string, other: string): void {
    this.#parted.delete([one, other].sort().join(' '));
    for (const wire of this.#wiresOf(one)) wire.flush();
  }

  isMuted(from: string, to: string): boolean {
    return this.#muted.has(`${from} ${to}`);
  }

  /** From now on nothing passes this way: `to` hears no more of `from`. A host, or `dispatcher`. */
  mute(from: string, to: string): void {
    this.#muted.add(`${from} ${to}`);
  }

  unmute(from: string, to: string): void {
    this.#muted.delete(`${from} ${to}`);
    for (const wire of this.#wires) wire.flush();
  }

  /** From now on nothing passes to or from the host. Some of its links survive if it does not last. */
  cutOff(host: string): void {
    this.#cutOff.add(host);
    for (const wire of this.#wiresOf(host)) if (this.#around.dice.chance(0.6)) wire.wither();
  }

  reconnect(host: string): void {
    this.#cutOff.delete(host);
    for (const wire of this.#wiresOf(host)) wire.flush();
  }

  reconnectAll(): void {
    for (const host of [...this.#cutOff]) this.reconnect(host);
    for (const pair of [...this.#parted]) this.rejoin(...(pair.split(' ') as [string, string]));
    for (const way of [...this.#muted]) this.unmute(...(way.split(' ') as [string, string]));
  }

  /** Breaks the links of a host, losing some of what is on its way. */
  breakLinks(host: string): void {
    for (const wire of this.#wiresOf(host)) wire.break();
  }

  /** The program is no more: its system says so on its links, or, when power failed, nobody does. */
  died(machine: Machine, { silently }: { silently: boolean }): void {
    for (const wire of [...this.#wires]) if (wire.isOf(machine)) wire.died(machine, silently);
  }

  /** A program that listens has a link to the host that has not ended for it. */
  hasAccepted(machine: Machine, host: string): boolean {
    return this.#wiresOf(host).some((wire) => wire.hosts.length === 1 && wire.isOf(machine) && wire.isAccepted);
  }

  forget(wire: Wired): void {
    this.#wires.delete(wire);
  }

  #wiresOf(host: string): Wired[] {
    return [...this.#wires].filter(({ hosts }) => hosts.includes(host));
  }
}
