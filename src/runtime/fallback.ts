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

export interface FallbackOptions {
  readonly better: Transport;
  readonly other: Transport;
  /** Time the better way has to connect while it is not known whether anybody is there. */
  readonly briefMs: number;
  /** Time it has when somebody is. */
  readonly patienceMs: number;
  readonly log: Log;
}

type Target = Parameters<Transport['dial']>[0];
type Take = Parameters<Transport['dial']>[1];

/**
 * The log is told which way is used at first, and when that changes. Errors of a dial are those of the other way.
 */
export function createFallbackTransport(options: FallbackOptions): Transport {
  const { better, other, briefMs, patienceMs, log } = options;
  let used: Transport | null = null;
  const note = (now: Transport, fields: Readonly<Record<string, unknown>>): void => {
    if (now === used) return;
    const [worse, best] = [other.name.toUpperCase(), better.name.toUpperCase()];
    if (now === other)
      log.warn(
        `${best} does not get through (is UDP blocked, or is the other side without it?); ${worse} is used instead`,
        fields,
      );
    else log.info(used === null ? `${best} is used` : `${best} gets through again and is used`, fields);
    used = now;
  };
  return {
    name: better.name,
    listen: (address, take) => better.listen(address, take),
    async dial({ host, port, timeoutMs }, take) {
      const deadline = performance.now() + timeoutMs;
      const withinMs = (ms: number): Target => ({
        ...{ host, port },
        timeoutMs: Math.max(1, Math.min(ms, deadline - performance.now())),
      });
      if ((await reasonAgainst(better, withinMs(briefMs), take)) === null) return note(better, { host, port });
      const held = new Held();
      await other.dial(withinMs(timeoutMs), (carrier) => held.hold(carrier));
      const reason = await reasonAgainst(better, withinMs(patienceMs), take);
      if (reason === null) {
        held.drop();
        return note(better, { host, port });
      }
      held.release(take);
      note(other, { host, port, reason });
    },
  };
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

  release(take: Take): void {
    if (this.#carrier === null) return;
    const handlers = take(this.#carrier);
    this.#handlers = handlers;
    if (this.#end !== null) handlers.onClose(this.#end);
  }
}
