/**
 * Connections between hosts: ordered streams of bytes, several a connection where the transport has them. What is spoken
 * over them is not known here; who is on the other side is not shown by them.
 */

import type { Lane } from '../wire/lanes.ts';

export type { Lane };

/** How a connection closed. `finished`: we ended it in good order and everything was handed to the system. */
export interface CarrierEnd {
  readonly cause: 'finished' | 'ended_by_peer' | 'lost' | 'stalled';
  readonly detail: string;
}

export interface CarrierHandlers {
  /** Bytes of a lane, in order within it. `chunk` is the handler's to keep. Not called after `finish` or `cut`. */
  onData(lane: Lane, chunk: Uint8Array): void;
  /** After `congested`: there is room again. Never called from inside `write`. */
  onDrain(lane: Lane): void;
  /** Exactly once, last. */
  onClose(end: CarrierEnd): void;
}

/**
 * A connection. Guarantees: what is written to a lane arrives in order, or the connection ends; a lane does not wait for
 * another one when `lanes` has more than one; `ended_by_peer` comes after all the peer wrote on any lane. Not guaranteed:
 * order between lanes; that what was written arrives. A lane comes to be with what the dialler writes to it first: what the
 * listener writes to it before that waits.
 * Bounded: `queuedBytesMax` of a lane, above which a writer is cut off; a peer that takes nothing for `stallTimeoutMs`.
 */
export interface Carrier {
  /** Address of the other side, `host:port`, for logs. */
  readonly remote: string;
  /** Its host alone. */
  readonly remoteHost: string;
  /** The lanes it really has: all, or `control` alone, by which then everything goes. */
  readonly lanes: readonly Lane[];
  congested(lane: Lane): boolean;
  /** Queues `bytes`, which are the carrier's own from now on; they leave at the end of this turn. After the end it does nothing. */
  write(lane: Lane, bytes: Uint8Array): void;
  /** Sends what is queued, then ends in good order; `onClose` follows. Idempotent. */
  finish(): void;
  /** Ends at once; what is queued is lost. `onClose` follows from inside this call, or of `take`. Idempotent. */
  cut(end: CarrierEnd): void;
}

export interface TransportListener {
  readonly port: number;
  /** Takes no more connections; those that are open stay. */
  stop(): void;
}

/** Says of a connection that there was more than one way to carry it. */
export interface Choice {
  readonly name: Transport['name'];
  /** The connection is the one that stays, of several that may have been dialled. People are told of it. */
  kept(): void;
}

/** A way to carry bytes: TCP, QUIC, and the simulated one. */
export interface Transport {
  readonly name: 'tcp' | 'quic' | 'simulated';
  /** Errors: `in_use`, `io`. `take` is called once for each connection, and must give its handlers at once. */
  listen(
    address: { readonly host: string; readonly port: number },
    take: (carrier: Carrier) => CarrierHandlers,
  ): Promise<TransportListener>;
  /**
   * Resolves when connected; rejects with an `Error` whose message says why not (`nothing listens there`). Where there was
   * a choice, `take` is told of it.
   */
  dial(
    target: { readonly host: string; readonly port: number; readonly timeoutMs: number },
    take: (carrier: Carrier, choice?: Choice) => CarrierHandlers,
  ): Promise<void>;
}
