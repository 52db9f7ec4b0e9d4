/**
 * A link of the simulated network: two ends, and what is on its way between them. It keeps what the `Links` port
 * guarantees; what it does beyond that, `net.ts` tells.
 */

import type { Admission, Link, LinkEnd, LinkHandlers } from '../../src/ports/links.ts';
import { decodeCbor, encodeCbor } from '../../src/wire/cbor.ts';
import type { Dialects } from '../../src/wire/dialects.ts';
import type { Dialect } from '../../src/wire/session.ts';
import type { Machine, Timeline } from './clock.ts';
import type { Dice } from './dice.ts';
import type { Journal } from './journal.ts';
import type { Said } from './ledger.ts';
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

export interface Surroundings {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly journal: Journal;
  readonly weather: Weather;
  /** Is told of everything that is said, before it is on its way. */
  readonly witness: (said: Said) => void;
}

/** Something that listens, by whatever it speaks. */
export interface Listening<Dials, Listens> {
  readonly machine: Machine;
  readonly accept: (link: Link<Listens>) => LinkHandlers<Dials>;
}

/** The network, as far as a wire depends on it. */
interface Ways {
  latency(): number;
  /** Nothing passes between these hosts. */
  isCut(hosts: readonly string[]): boolean;
  /** Nothing passes this way, whatever passes the other. */
  isMuted(from: string, to: string): boolean;
  forget(wire: Wired): void;
}

/** A wire, whatever is spoken on it. */
export type Wired = Pick<
  Wire<unknown, unknown>,
  'hosts' | 'isAccepted' | 'isOf' | 'break' | 'wither' | 'died' | 'flush' | 'endedOneSide'
>;

/** Two ends and what is on its way between them. */
export class Wire<Dials, Listens> {
  /** Those that have to be reachable for it: the worker's, or both peers'. */
  readonly hosts: readonly string[];
  readonly dialled: Endpoint<Dials, Listens>;
  readonly #accepted: Endpoint<Listens, Dials>;
  readonly #network: Ways;
  readonly #around: Surroundings;
  readonly #listener: Listening<Dials, Listens>;
  /** Nothing passes any more. */
  dead = false;

  constructor(
    network: Ways,
    around: Surroundings,
    sides: {
      dialler: Machine;
      listener: Listening<Dials, Listens>;
      admission: Admission;
      hosts: readonly string[];
      keys: { readonly dialler: string; readonly listener: string };
      dialects: Dialects<Dials, Listens>;
    },
  ) {
    this.#network = network;
    this.#around = around;
    this.#listener = sides.listener;
    this.hosts = sides.hosts;
    const { admission, dialects, keys, dialler, listener } = sides;
    this.dialled = new Endpoint(dialler, this, { dialect: dialects.dialling, admission, remoteKey: keys.listener });
    this.#accepted = new Endpoint(listener.machine, this, {
      ...{ dialect: dialects.listening, admission, remoteKey: keys.dialler },
    });
  }

  /** The dialling side is done shaking hands first; the other follows when the last bytes arrive. */
  open(handlers: (link: Link<Dials>) => LinkHandlers<Listens>): void {
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
  transmit<S, R>(from: Endpoint<S, R>, encoded: Uint8Array, message: unknown): void {
    const { dice, weather, journal, witness } = this.#around;
    const to = this.#other(from);
    const said = { message: message as Said['message'], from: from.machine, to: to.machine };
    witness({ ...said, amongPeers: this.hosts.length > 1 });
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
      const reached = !this.dead && !this.#network.isCut(this.hosts);
      this.dead = true;
      if (reached) left.end({ code: 'connection_lost', detail });
    });
  }

  /** The host is reachable again. */
  flush(): void {
    if (this.#network.isCut(this.hosts)) return;
    for (const side of [this.dialled, this.#accepted]) {
      if (!this.#network.isMuted(...this.#way(side))) for (const arrive of side.held.splice(0)) arrive();
    }
  }

  endedOneSide(): void {
    if (this.dialled.hasEnded && this.#accepted.hasEnded) this.#network.forget(this);
  }

  #other<S, R>(from: Endpoint<S, R>): Endpoint<R, S> {
    return (from.machine === this.dialled.machine ? this.#accepted : this.dialled) as unknown as Endpoint<R, S>;
  }

  /** From where to where it goes from this end, by host. */
  #way(from: object): [string, string] {
    const [dialler = '', listener = 'dispatcher'] = this.hosts;
    return from === this.dialled ? [dialler, listener] : [listener, dialler];
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
      const isHeld = this.#network.isCut(this.hosts) || this.#network.isMuted(...this.#way(from));
      if (isHeld || from.held.length > 0) from.held.push(land);
      else land();
    });
  }
}

/** What an end needs of its wire. */
interface Ended {
  transmit<S, R>(from: Endpoint<S, R>, encoded: Uint8Array, message: unknown): void;
  hangUp<S, R>(from: Endpoint<S, R>, detail: string): void;
  endedOneSide(): void;
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
  readonly #wire: Ended;
  #state: 'open' | 'closing' | 'ended' = 'open';
  #queuedBytes = 0;
  #congested = false;

  constructor(
    machine: Machine,
    wire: Ended,
    {
      dialect,
      admission,
      remoteKey,
    }: {
      readonly dialect: Dialect<Sends, Receives>;
      readonly admission: Admission;
      readonly remoteKey: string;
    },
  ) {
    this.machine = machine;
    this.dialect = dialect;
    this.admission = admission;
    this.#wire = wire;
    this.remote = `peer of ${machine.name}`;
    this.remoteKey = remoteKey;
  }

  get congested(): boolean {
    return this.#congested;
  }

  get blobsCongested(): boolean {
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
    this.#wire.transmit(this, encoded, message);
  }

  giveUp(detail: string): void {
    this.close(detail);
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
