/**
 * A `Transport` that dials one way and, where that does not get through, another: QUIC where UDP passes, else TCP. It
 * listens the better way only: whoever takes both listens twice. It does not leave a connection that works: the better
 * way is tried again by the next dial.
 *
 *   better   briefly; most often that is all
 *   other    connects: somebody is there, and may have come only now. The connection is held, nothing said over it
 *   better   again, with all its patience: whoever waits for a dispatcher that starts must not end up the other way
 *   other    the one that was held is used
 */

import { reasonOf } from '../base/errors.ts';
import type { Log } from '../ports/time.ts';
import type { Carrier, CarrierEnd, CarrierHandlers, Transport } from '../ports/transport.ts';

/** How long the better way has, ms. */
export interface Patience {
  /** To connect while it is not known whether anybody is there. */
  readonly briefMs: number;
  /** When somebody is. */
  readonly patienceMs: number;
}

export interface FallbackOptions {
  readonly better: Transport;
  readonly other: Transport;
  /** Why a host cannot be dialled the better way at all; null = it can. */
  readonly unable: (host: string) => string | null;
  readonly usual: Patience;
  /** After a connection of the better way that went silent: whoever was there may be there still, the other way. */
  readonly doubtful: Patience;
  readonly log: Log;
}

type Target = Parameters<Transport['dial']>[0];
type Take = Parameters<Transport['dial']>[1];
type Fields = Readonly<Record<string, unknown>>;

/**
 * The log is told which way is kept at first, and when that changes. Errors of a dial are those of the other way.
 */
export function createFallbackTransport(options: FallbackOptions): Transport {
  return new Fallback(options);
}

class Fallback implements Transport {
  readonly name: Transport['name'];
  readonly #options: FallbackOptions;
  /** The way of the connection that was kept last. */
  #kept: Transport | null = null;
  #isDoubtful = false;

  constructor(options: FallbackOptions) {
    this.#options = options;
    this.name = options.better.name;
  }

  listen(...args: Parameters<Transport['listen']>): ReturnType<Transport['listen']> {
    return this.#options.better.listen(...args);
  }

  async dial({ host, port, timeoutMs }: Target, take: Take): Promise<void> {
    const { better, other, unable, usual, doubtful } = this.#options;
    const { briefMs, patienceMs } = this.#isDoubtful ? doubtful : usual;
    const deadline = performance.now() + timeoutMs;
    const withinMs = (ms: number): Target => ({
      ...{ host, port },
      timeoutMs: Math.max(1, Math.min(Math.ceil(ms), Math.ceil(deadline - performance.now()))),
    });
    const takeBetter: Take = (carrier) =>
      this.#doubting(take(carrier, { name: better.name, kept: () => this.#note(better, { host, port }) }));
    const takeOther = (reason: string, carrier: Carrier): CarrierHandlers =>
      take(carrier, { name: other.name, kept: () => this.#note(other, { host, port, reason }) });
    const cannot = unable(host);
    if (cannot !== null) {
      // Addresses that can be dialled the better way, beside this one, come first.
      await new Promise((resolve) => setTimeout(resolve, briefMs));
      await other.dial(withinMs(timeoutMs), (carrier) => takeOther(cannot, carrier));
      return;
    }
    if ((await reasonAgainst(better, withinMs(briefMs), takeBetter)) === null) return;
    const held = new Held();
    try {
      await other.dial(withinMs(timeoutMs), (carrier) => held.hold(carrier));
    } catch (error) {
      // Nobody is there, so the silence was not the better way's fault.
      this.#isDoubtful = false;
      throw error;
    }
    const reason = await reasonAgainst(better, withinMs(patienceMs), takeBetter);
    if (reason === null) held.drop();
    else held.release((carrier) => takeOther(reason, carrier));
  }

  #doubting(handlers: CarrierHandlers): CarrierHandlers {
    return {
      onData: (lane, chunk) => handlers.onData(lane, chunk),
      onDrain: (lane) => handlers.onDrain(lane),
      onClose: (end) => {
        if (end.cause === 'stalled') this.#isDoubtful = true;
        handlers.onClose(end);
      },
    };
  }

  #note(now: Transport, fields: Fields): void {
    const { better, other, log } = this.#options;
    const before = this.#kept;
    this.#kept = now;
    this.#isDoubtful = false;
    if (now === before) return;
    const [worse, best] = [other.name.toUpperCase(), better.name.toUpperCase()];
    if (now === better)
      log.info(before === null ? `${best} is used` : `${best} gets through again and is used`, fields);
    else
      log.warn(
        `${best} does not get through (is UDP blocked, or is the other side without it?); ${worse} is used instead`,
        fields,
      );
  }
}

/** Why a dial did not succeed; null when it did. */
async function reasonAgainst(transport: Transport, target: Target, take: Take): Promise<string | null> {
  try {
    await transport.dial(target, take);
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

/** A connection nobody has taken yet. Whoever listens says nothing before the dialler does, so nothing is missed. */
class Held {
  #carrier: Carrier | null = null;
  #handlers: CarrierHandlers | null = null;
  #end: CarrierEnd | null = null;

  hold(carrier: Carrier): CarrierHandlers {
    this.#carrier = carrier;
    return {
      onData: (lane, chunk) => this.#handlers?.onData(lane, chunk),
      onDrain: (lane) => this.#handlers?.onDrain(lane),
      onClose: (end) => {
        this.#end = end;
        this.#handlers?.onClose(end);
      },
    };
  }

  drop(): void {
    this.#carrier?.cut({ cause: 'finished', detail: 'Another connection is used.' });
  }

  release(take: (carrier: Carrier) => CarrierHandlers): void {
    if (this.#carrier === null) return;
    const handlers = take(this.#carrier);
    this.#handlers = handlers;
    if (this.#end !== null) handlers.onClose(this.#end);
  }
}
