/**
 * The `Links` port as a simulated network at the level of messages: they take time, links break and take with them what
 * was on its way, hosts are cut off (links stall or die without either side hearing of it), receivers are slow.
 *
 * What the port guarantees is kept: messages of a link arrive in order and unaltered; every message goes through the
 * real encoding and its checks. Beyond what the port allows, a message is now and then delivered twice in a row, because
 * the words of `wire/messages.ts` promise to bear it. Bytes, ciphers and handshakes are not here.
 */

import type { Admission, Link, LinkEnd, LinkHandlers, LinkListener, Links } from '../../src/ports/links.ts';
import { admissionOf } from '../../src/wire/admission.ts';
import { decodeCbor, encodeCbor } from '../../src/wire/cbor.ts';
import { dispatcherDialect, workerDialect } from '../../src/wire/dialects.ts';
import type { DispatcherMessage, WorkerMessage } from '../../src/wire/messages.ts';
import type { Dialect } from '../../src/wire/session.ts';
import type { Machine, Timeline } from './clock.ts';
import type { Dice } from './dice.ts';
import type { Journal } from './journal.ts';
import { inWords } from './words.ts';

const highWaterBytes = 32 * 1024;

/** How the network behaves; changes while the world runs. */
export interface Weather {
  /** Time of a message on its way, ms. */
  latencyMs: readonly [number, number];
  bytesPerMs: number;
  /** Chance of a message to arrive twice. */
  duplicates: number;
  /** Chance of a dial to fail for no reason. */
  failedDials: number;
}

interface Surroundings {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly journal: Journal;
  readonly weather: Weather;
}

type Accept = Parameters<Links['listen']>[1];

export class Network {
  readonly #around: Surroundings;
  #listener: { readonly machine: Machine; readonly accept: Accept } | null = null;
  readonly #cutOff = new Set<string>();
  readonly #wires = new Set<Wire>();

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** Links that have not ended on both sides. */
  get size(): number {
    return this.#wires.size;
  }

  /** The network as a program on `machine` sees it. One program of the world listens at a time. */
  linksFor(machine: Machine): Links {
    return {
      listen: async (_address, accept): Promise<LinkListener> => {
        this.#listener = { machine, accept };
        return { port: 0, counts: {}, close: async () => undefined };
      },
      dial: ({ proof }, handlers) =>
        new Promise((resolve) => {
          const { dice, timeline, weather } = this.#around;
          const fail = (delayMs: number, end: LinkEnd): void => {
            machine.schedule(timeline.now + delayMs, () => resolve({ ok: false, end }));
          };
          if (this.#cutOff.has(machine.name)) {
            fail(dice.between(500, 10_000), { code: 'handshake_timeout', detail: 'no answer' });
            return;
          }
          machine.schedule(machine.instant + 2 * this.latency(), () => {
            const listener = this.#listener;
            if (listener === null || !listener.machine.alive || this.#cutOff.has(machine.name)) {
              fail(this.latency(), { code: 'connection_lost', detail: 'nothing listens there' });
            } else if (dice.chance(weather.failedDials)) {
              fail(this.latency(), { code: 'connection_lost', detail: 'reset while shaking hands' });
            } else {
              const admission = admissionOf(proof, { keyId: '', code: '000000' });
              const wire = new Wire(this, this.#around, { dialler: machine, listener, admission });
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

  isCutOff(host: string): boolean {
    return this.#cutOff.has(host);
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
    return this.#wiresOf(host).some((wire) => wire.isOf(machine) && wire.isAccepted);
  }

  forget(wire: Wire): void {
    this.#wires.delete(wire);
  }

  #wiresOf(host: string): Wire[] {
    return [...this.#wires].filter((wire) => wire.host === host);
  }
}

/** Two ends and what is on its way between them. */
class Wire {
  /** The worker's. */
  readonly host: string;
  readonly dialled: Endpoint<WorkerMessage, DispatcherMessage>;
  readonly #accepted: Endpoint<DispatcherMessage, WorkerMessage>;
  readonly #network: Network;
  readonly #around: Surroundings;
  readonly #listener: { readonly machine: Machine; readonly accept: Accept };
  /** Nothing passes any more. */
  dead = false;

  constructor(
    network: Network,
    around: Surroundings,
    sides: {
      dialler: Machine;
      listener: { readonly machine: Machine; readonly accept: Accept };
      admission: Admission;
    },
  ) {
    this.#network = network;
    this.#around = around;
    this.#listener = sides.listener;
    this.host = sides.dialler.name;
    this.dialled = new Endpoint(sides.dialler, this, { dialect: workerDialect, admission: sides.admission });
    this.#accepted = new Endpoint(sides.listener.machine, this, {
      dialect: dispatcherDialect,
      admission: sides.admission,
    });
  }

  /** The dialling side is done shaking hands first; the other follows when the last bytes arrive. */
  open(handlers: Parameters<Links['dial']>[1]): void {
    this.#carry(this.dialled, 0, () => {
      this.#accepted.handlers = this.#listener.accept(this.#accepted);
    });
    this.dialled.handlers = handlers(this.dialled);
  }

  get isAccepted(): boolean {
    return !this.#accepted.hasEnded;
  }

  isOf(machine: Machine): boolean {
    return this.dialled.machine === machine || this.#accepted.machine === machine;
  }

  /** Called by an end: puts an encoded message on its way. */
  transmit<S, R>(from: Endpoint<S, R>, encoded: Uint8Array): void {
    const { dice, weather, journal } = this.#around;
    const to = this.#other(from);
    const deliver = (): void => {
      const message = to.dialect.check(decodeCbor(encoded));
      const words = inWords(message);
      if (words !== null) journal.note(to.machine.name, `<- ${words}`);
      to.handlers?.onMessage(message);
    };
    this.#carry(from, encoded.length, () => {
      if (to.isOpen) deliver();
      if (to.isOpen && dice.chance(weather.duplicates)) deliver();
    });
  }

  /** Called by an end that hangs up: the other hears of it after all that was sent. */
  hangUp<S, R>(from: Endpoint<S, R>, detail: string): void {
    const to = this.#other(from);
    this.#carry(from, 0, () => to.end({ code: 'closed', detail }));
    from.endAt(from.machine.instant + this.#around.dice.between(0, 2), { code: 'closed', detail });
  }

  break(): void {
    if (this.dead) return;
    const { timeline, dice } = this.#around;
    timeline.at(timeline.now + dice.between(0, 10), () => {
      this.dead = true;
      for (const side of [this.dialled, this.#accepted]) {
        side.endAt(timeline.now + dice.between(0, 30), { code: 'connection_lost', detail: 'reset' });
      }
    });
  }

  /** Passes nothing from now on, but each side hears of it only after a long while, or by itself. */
  wither(): void {
    const { timeline, dice } = this.#around;
    this.dead = true;
    for (const side of [this.dialled, this.#accepted]) {
      side.endAt(timeline.now + dice.between(500, 90_000), { code: 'stalled', detail: 'no answer' });
    }
  }

  died(machine: Machine, silently: boolean): void {
    const { timeline } = this.#around;
    const [gone, left] =
      this.dialled.machine === machine ? [this.dialled, this.#accepted] : [this.#accepted, this.dialled];
    gone.vanish();
    if (silently) {
      this.dead = true;
      // One that was not even accepted is unknown to its program.
      if (left.handlers === null) left.vanish();
      return;
    }
    const detail = 'the program at the other end is gone';
    timeline.at(timeline.now + this.#network.latency(), () => {
      const reached = !this.dead && !this.#network.isCutOff(this.host);
      this.dead = true;
      if (reached) left.end({ code: 'connection_lost', detail });
    });
  }

  /** The host is reachable again. */
  flush(): void {
    for (const side of [this.dialled, this.#accepted]) for (const arrive of side.held.splice(0)) arrive();
  }

  endedOneSide(): void {
    if (this.dialled.hasEnded && this.#accepted.hasEnded) this.#network.forget(this);
  }

  #other<S, R>(from: Endpoint<S, R>): Endpoint<R, S> {
    return (from.machine === this.dialled.machine ? this.#accepted : this.dialled) as unknown as Endpoint<R, S>;
  }

  /** Brings something to the other side, in order, unless the wire dies first. */
  #carry<S, R>(from: Endpoint<S, R>, bytes: number, arrive: () => void): void {
    const { timeline, weather } = this.#around;
    const to = this.#other(from);
    const arrival = Math.max(
      from.lastArrival,
      from.machine.instant + this.#network.latency() + bytes / weather.bytesPerMs,
    );
    from.lastArrival = arrival;
    const land = (): void => {
      from.taken(bytes);
      to.machine.schedule(timeline.now, arrive);
    };
    timeline.at(arrival, () => {
      if (this.dead) return;
      if (this.#network.isCutOff(this.host) || from.held.length > 0) from.held.push(land);
      else land();
    });
  }
}

class Endpoint<Sends, Receives> implements Link<Sends> {
  readonly remote: string;
  readonly remoteKey: string;
  readonly admission: Admission;
  readonly machine: Machine;
  readonly dialect: Dialect<Sends, Receives>;
  handlers: LinkHandlers<Receives> | null = null;
  /** When the last thing sent from here arrives. */
  lastArrival = 0;
  /** What arrived while the host was cut off. */
  readonly held: (() => void)[] = [];
  readonly #wire: Wire;
  #state: 'open' | 'closing' | 'ended' = 'open';
  #queuedBytes = 0;
  #congested = false;

  constructor(
    machine: Machine,
    wire: Wire,
    { dialect, admission }: { readonly dialect: Dialect<Sends, Receives>; readonly admission: Admission },
  ) {
    this.machine = machine;
    this.dialect = dialect;
    this.admission = admission;
    this.#wire = wire;
    this.remote = `peer of ${machine.name}`;
    this.remoteKey = wire.host;
  }

  get congested(): boolean {
    return this.#congested;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get hasEnded(): boolean {
    return this.#state === 'ended';
  }

  send(message: Sends): void {
    if (this.#state !== 'open') return;
    const encoded = encodeCbor(this.dialect.pack(message));
    this.#queuedBytes += encoded.length;
    if (this.#queuedBytes > highWaterBytes) this.#congested = true;
    this.#wire.transmit(this, encoded);
  }

  close(detail: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#wire.hangUp(this, detail);
  }

  /** The other side took so many of the bytes queued here. */
  taken(bytes: number): void {
    this.#queuedBytes -= bytes;
    if (!this.#congested || this.#queuedBytes > highWaterBytes / 2) return;
    this.#congested = false;
    this.machine.schedule(this.machine.instant, () => {
      if (this.#state === 'open') this.handlers?.onDrain();
    });
  }

  endAt(time: number, end: LinkEnd): void {
    this.machine.schedule(time, () => this.#end(end));
  }

  end(end: LinkEnd): void {
    this.endAt(this.machine.instant, end);
  }

  /** Its program is gone: it ends without a word. */
  vanish(): void {
    this.#state = 'ended';
    this.#wire.endedOneSide();
  }

  #end(end: LinkEnd): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#wire.endedOneSide();
    this.handlers?.onEnd(end);
  }
}
