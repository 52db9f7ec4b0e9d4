/**
 * The `Transport` port over TCP: one connection, one stream, so one lane, `control`. Knows no frames and no Noise; what
 * waits to leave is kept by `outflow.ts`.
 *
 * Traps of Bun's sockets that this file exists to hide:
 * - `write` takes what fits and returns how much; the rest is ours to keep. `drain` fires only after such a partial write.
 * - `end` closes at once; bytes of the peer that arrive afterwards are answered with a reset, which may destroy what the
 *   peer has not read yet. So a good end is: flush, `shutdown`, wait for the peer's end or `lingerMs`, then cut.
 * - What a handler throws lands in the socket's `error` handler. It is our own mistake and is thrown again, outside.
 */

import type { Socket, SocketHandler } from 'bun';
import { present } from '../base/assert.ts';
import { reasonOf } from '../base/errors.ts';
import type { Carrier, CarrierEnd, CarrierHandlers, Transport } from '../ports/transport.ts';
import type { Lane } from '../wire/lanes.ts';
import { connectFailure, formatAddress, listenFailure, noAnswer } from './endpoints.ts';
import { shelf } from './memory.ts';
import { Outflow, type OutflowLimits } from './outflow.ts';

export interface CarrierLimits extends OutflowLimits {
  /** Time the peer has to end its side after we ended ours. */
  readonly lingerMs: number;
}

type Take = (carrier: Carrier) => CarrierHandlers;
/** A connection as Bun knows it; its `data` is the carrier, once there is one. */
type CarrierSocket = Socket<{ carrier: TcpCarrier | null }>;

const onlyControl: readonly Lane[] = ['control'];
/**
 * Every interface of this machine, whatever it speaks. IPv6 has a socket of its own: one for both would show addresses of
 * IPv4 as `::ffff:10.0.0.2`.
 */
const everywhere = '0.0.0.0';

/** Connections by TCP. */
export function createTcpTransport(limits: CarrierLimits): Transport {
  return {
    name: 'tcp',
    // Async, so that an address that cannot be had rejects instead of throwing.
    listen: async (address, take) => {
      try {
        const data: CarrierSocket['data'] = { carrier: null };
        const options = { data, socket: socketHandlers(limits, take) };
        // Bun listens at once, its twin on Node (`node/sockets.ts`) a moment later.
        const server = await Bun.listen({ ...options, hostname: address.host, port: address.port });
        const servers = address.host === everywhere ? [server, ...(await byIpv6(options, server.port))] : [server];
        return {
          port: server.port,
          stop: () => {
            for (const each of servers) each.stop(false);
          },
        };
      } catch (error) {
        throw listenFailure(address, error);
      }
    },
    dial: (target, take) => dial(target, limits, take),
  };
}

/** The same port by IPv6: none where the system has no IPv6, or somebody else has the port there. */
async function byIpv6(
  options: { readonly data: CarrierSocket['data']; readonly socket: SocketHandler<CarrierSocket['data']> },
  port: number,
): Promise<{ stop(force: boolean): void }[]> {
  // Its types do not know `ipv6Only`, the runtime does.
  const place = { hostname: '::', port, ipv6Only: true };
  try {
    return [await Bun.listen({ ...options, ...place })];
  } catch {
    return [];
  }
}

function dial(target: Parameters<Transport['dial']>[0], limits: CarrierLimits, take: Take): Promise<void> {
  const { host, port, timeoutMs } = target;
  return new Promise((resolve, reject) => {
    let waits = true;
    const timer = setTimeout(() => {
      waits = false;
      reject(new Error(noAnswer(timeoutMs)));
    }, timeoutMs);
    const handlers = socketHandlers(limits, take);
    const open = (socket: CarrierSocket): void => {
      clearTimeout(timer);
      if (!waits) socket.terminate();
      else handlers.open?.(socket);
      resolve();
    };
    Bun.connect({ hostname: host, port, data: { carrier: null }, socket: { ...handlers, open } }).catch(
      (error: unknown) => {
        clearTimeout(timer);
        reject(new Error(connectFailure(error), { cause: error }));
      },
    );
  });
}

class TcpCarrier implements Carrier {
  readonly lanes = onlyControl;
  readonly remote: string;
  readonly remoteHost: string;
  readonly #socket: CarrierSocket;
  readonly #limits: CarrierLimits;
  readonly #outflow: Outflow;
  #handlers: CarrierHandlers | null = null;
  #finishing = false;
  #closed = false;
  #outcome: CarrierEnd | null = null;
  #lingerTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(socket: CarrierSocket, limits: CarrierLimits) {
    this.#socket = socket;
    this.#limits = limits;
    // Whoever hangs up at once has no address any more.
    const remoteAddress: string | undefined = socket.remoteAddress;
    this.remoteHost = remoteAddress ?? 'somebody';
    this.remote =
      remoteAddress === undefined ? 'somebody' : formatAddress({ host: remoteAddress, port: socket.remotePort });
    this.#outflow = new Outflow(limits, {
      take: (buffer, start, length) => socket.write(buffer, start, length),
      onTaken: (bytes) => shelf.giveBack(bytes),
      onDrain: () => this.#handlers?.onDrain('control'),
      onFlushed: () => this.#shutdown(),
      onStall: (detail) => this.cut({ cause: 'stalled', detail }),
    });
    socket.data = { carrier: this };
    socket.setNoDelay(true);
  }

  congested(): boolean {
    return this.#outflow.congested;
  }

  write(_lane: Lane, bytes: Uint8Array): void {
    this.#outflow.push(bytes);
  }

  finish(): void {
    if (this.#closed || this.#finishing) return;
    this.#finishing = true;
    this.#outflow.finish();
  }

  cut(end: CarrierEnd): void {
    this.#outcome ??= end;
    this.#socket.terminate();
    this.closed(undefined);
  }

  /** For the socket's handlers only, as the following four. Nothing arrives before this. */
  handledBy(handlers: CarrierHandlers): void {
    this.#handlers = handlers;
    if (this.#closed) handlers.onClose(present(this.#outcome, 'how a closed connection ended'));
  }

  received(chunk: Uint8Array): void {
    if (!this.#finishing && !this.#closed) this.#handlers?.onData('control', chunk);
  }

  drained(): void {
    this.#outflow.drained();
  }

  endedByPeer(): void {
    this.#outcome ??= this.#finishedEnd() ?? { cause: 'ended_by_peer', detail: 'The other side hung up.' };
  }

  closed(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#lingerTimer !== null) clearTimeout(this.#lingerTimer);
    this.#outcome ??= this.#finishedEnd() ?? { cause: 'lost', detail: lossDetail(error) };
    this.#outflow.stop();
    this.#handlers?.onClose(this.#outcome);
  }

  #finishedEnd(): CarrierEnd | null {
    if (!this.#finishing || this.#outflow.queuedBytes > 0) return null;
    return { cause: 'finished', detail: 'Ended from this side.' };
  }

  #shutdown(): void {
    if (this.#lingerTimer !== null) return;
    this.#lingerTimer = setTimeout(() => {
      this.cut({ cause: 'finished', detail: 'Ended from this side.' });
    }, this.#limits.lingerMs);
    this.#socket.shutdown();
  }
}

/** Handlers for `Bun.listen` and `Bun.connect`. */
function socketHandlers(limits: CarrierLimits, take: Take): SocketHandler<{ carrier: TcpCarrier | null }> {
  return {
    binaryType: 'uint8array',
    open(socket) {
      const carrier = new TcpCarrier(socket, limits);
      carrier.handledBy(take(carrier));
    },
    data: (socket, chunk) => socket.data.carrier?.received(chunk),
    drain: (socket) => socket.data.carrier?.drained(),
    end: (socket) => socket.data.carrier?.endedByPeer(),
    close: (socket, error) => socket.data?.carrier?.closed(error),
    error: (_socket, error) => {
      queueMicrotask(() => {
        throw error;
      });
    },
  };
}

function lossDetail(error: Error | undefined): string {
  return error === undefined ? 'The connection was lost.' : `The connection was lost: ${reasonOf(error)}.`;
}
