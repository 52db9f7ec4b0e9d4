/**
 * The `Transport` port in memory: hosts that can be cut off, lanes that hold so much on their way and no more, readers
 * that can be made to take nothing. What waits to leave is kept by the same `Outflow` as for real connections. Time passes
 * by `later` alone.
 */

import { OctasklyError } from '../../src/base/errors.ts';
import type { Carrier, CarrierEnd, CarrierHandlers, Lane, Transport } from '../../src/ports/transport.ts';
import { Outflow, type OutflowLimits } from '../../src/runtime/outflow.ts';
import { lanes } from '../../src/wire/lanes.ts';

/** Bytes of a lane on their way at most. */
const windowBytes = 256 * 1024;

type Take = (carrier: Carrier) => CarrierHandlers;

/** Runs something a moment later; in the order of asking. */
export type Later = (run: () => void) => void;

/** One network; each `Transport` of it reaches the listeners of all others. */
export class MemoryNetwork {
  readonly #later: Later;
  readonly #listeners = new Map<number, Take>();
  #portNext = 40_000;

  constructor(later: Later) {
    this.#later = later;
  }

  transport(limits: OutflowLimits): Transport {
    return {
      name: 'simulated',
      listen: async ({ port }, take) => {
        const own = port === 0 ? this.#portNext++ : port;
        if (this.#listeners.has(own)) throw new OctasklyError('in_use', `Port ${own} is already in use.`);
        this.#listeners.set(own, take);
        return { port: own, stop: () => void this.#listeners.delete(own) };
      },
      dial: ({ host, port }, take) =>
        new Promise((resolve, reject) => {
          this.#later(() => {
            const listener = this.#listeners.get(port);
            if (listener === undefined) {
              reject(new Error('nothing listens there'));
              return;
            }
            const [near, far] = [host, '127.0.0.1'].map((name) => new MemoryCarrier(name, limits, this.#later));
            if (near === undefined || far === undefined) return;
            near.join(far);
            far.handledBy(listener(far));
            near.handledBy(take(near));
            resolve();
          });
        }),
    };
  }
}

class MemoryCarrier implements Carrier {
  readonly lanes: readonly Lane[] = lanes;
  readonly remote: string;
  readonly remoteHost: string;
  readonly #later: Later;
  readonly #outflows: ReadonlyMap<Lane, Outflow>;
  readonly #onTheirWay = new Map<Lane, number>();
  readonly #flushed = new Set<Lane>();
  #peer: MemoryCarrier | null = null;
  #handlers: CarrierHandlers | null = null;
  #outcome: CarrierEnd | null = null;
  #finishing = false;

  constructor(remoteHost: string, limits: OutflowLimits, later: Later) {
    this.remoteHost = remoteHost;
    this.remote = `${remoteHost}:1`;
    this.#later = later;
    this.#outflows = new Map(lanes.map((lane) => [lane, this.#outflowOf(lane, limits)]));
  }

  join(peer: MemoryCarrier): void {
    this.#peer = peer;
    peer.#peer = this;
  }

  handledBy(handlers: CarrierHandlers): void {
    this.#handlers = handlers;
    if (this.#outcome !== null) handlers.onClose(this.#outcome);
  }

  congested(lane: Lane): boolean {
    return this.#outflows.get(lane)?.congested ?? false;
  }

  write(lane: Lane, bytes: Uint8Array): void {
    this.#outflows.get(lane)?.push(bytes);
  }

  finish(): void {
    if (this.#finishing) return;
    this.#finishing = true;
    for (const outflow of this.#outflows.values()) outflow.finish();
  }

  cut(end: CarrierEnd): void {
    this.close(end);
    this.#later(() => this.#peer?.close({ cause: 'lost', detail: 'The connection was lost.' }));
  }

  close(end: CarrierEnd): void {
    if (this.#outcome !== null) return;
    this.#outcome = end;
    for (const outflow of this.#outflows.values()) outflow.stop();
    this.#handlers?.onClose(end);
  }

  #outflowOf(lane: Lane, limits: OutflowLimits): Outflow {
    return new Outflow(limits, {
      take: (buffer, start, length) => this.#carry(lane, buffer.slice(start, start + length)),
      onDrain: () => this.#handlers?.onDrain(lane),
      onFlushed: () => this.#laneFlushed(lane),
      onStall: (detail) => this.cut({ cause: 'stalled', detail }),
    });
  }

  #carry(lane: Lane, bytes: Uint8Array): number {
    const underway = this.#onTheirWay.get(lane) ?? 0;
    const taken = bytes.subarray(0, windowBytes - underway);
    if (taken.length === 0) return 0;
    this.#onTheirWay.set(lane, underway + taken.length);
    this.#later(() => {
      this.#peer?.arrive(lane, taken);
      this.#onTheirWay.set(lane, (this.#onTheirWay.get(lane) ?? 0) - taken.length);
      this.#outflows.get(lane)?.drained();
    });
    return taken.length;
  }

  arrive(lane: Lane, bytes: Uint8Array): void {
    if (this.#outcome === null && !this.#finishing) this.#handlers?.onData(lane, bytes);
  }

  #laneFlushed(lane: Lane): void {
    this.#flushed.add(lane);
    if (this.#flushed.size < lanes.length) return;
    // Behind everything that is on its way.
    this.#later(() => {
      this.#peer?.close({ cause: 'ended_by_peer', detail: 'The other side hung up.' });
      this.close({ cause: 'finished', detail: 'Ended from this side.' });
    });
  }
}
