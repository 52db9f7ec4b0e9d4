/**
 * UDP sockets whose trouble is told and never thrown: a network that goes away while a packet is on its way is nothing
 * special. Knows nothing of what is sent.
 */

import { createSocket, type Socket } from 'node:dgram';

/** How long `close` waits for packets the system has not taken yet, ms. */
const closingMsMax = 500;

/** What a socket is opened for. */
export interface UdpOptions {
  readonly family: 4 | 6;
  /** Address of this machine, with a zone where it needs one; `0.0.0.0` and `::` = all. */
  readonly address: string;
  /** 0 = any that is free. */
  readonly port: number;
  readonly onPacket: (bytes: Uint8Array, from: { readonly address: string; readonly port: number }) => void;
  /** Something did not work: what, in words. */
  readonly onTrouble: (what: string) => void;
}

/** An open socket. No call throws. */
export interface UdpSocket {
  readonly port: number;
  /** True when it was done, or was done before. */
  attempt(what: string, act: (socket: Socket) => void): boolean;
  /** `done` is called once, with what failed, or null when the system has the packet. */
  send(bytes: Uint8Array, to: { readonly address: string; readonly port: number }, done: Done): void;
  /** Resolves when what was sent has left, or half a second later; nothing is heard from now on. */
  close(): Promise<void>;
}

/** Told of how a packet left. */
export type Done = (failure: string | null) => void;

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}

function wrapped(socket: Socket, { onTrouble }: Pick<UdpOptions, 'onTrouble'>): UdpSocket {
  const attempt = (what: string, act: (each: Socket) => void): boolean => {
    try {
      act(socket);
      return true;
    } catch (error) {
      // A group that was joined already.
      if (codeOf(error) === 'EADDRINUSE') return true;
      onTrouble(`${what}: ${textOf(error)}`);
      return false;
    }
  };
  let underWay = 0;
  let onIdle: (() => void) | null = null;
  const ended = (done: Done, error: unknown): void => {
    underWay -= 1;
    done(error === null ? null : textOf(error));
    if (underWay === 0) onIdle?.();
  };
  const sendOnce = (
    bytes: Uint8Array,
    to: { readonly address: string; readonly port: number },
    told: (error: unknown) => void,
  ): void => {
    try {
      socket.send(bytes, to.port, to.address, (error) => told(error ?? null));
    } catch (error) {
      told(error);
    }
  };
  return {
    port: socket.address().port,
    attempt,
    send: (bytes, to, done) => {
      underWay += 1;
      sendOnce(bytes, to, (error) => {
        // Linux tells that an earlier packet was turned away by failing the next one, whoever that one is for.
        if (codeOf(error) !== 'ECONNREFUSED') ended(done, error);
        else sendOnce(bytes, to, (again) => ended(done, again));
      });
    },
    close: async () => {
      socket.removeAllListeners('message');
      if (underWay > 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = setTimeout(resolve, closingMsMax);
        onIdle = resolve;
        await promise;
        clearTimeout(timer);
      }
      attempt('close', (each) => each.close());
    },
  };
}

/** Opens a socket that shares its port with others; null, after `onTrouble`, when it cannot be had. Never rejects. */
export async function openUdp(options: UdpOptions): Promise<UdpSocket | null> {
  const { family, address, port, onPacket, onTrouble } = options;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  try {
    const socket = createSocket({ type: `udp${family}`, reuseAddr: true, ipv6Only: family === 6 });
    socket.on('error', (error) => {
      onTrouble(`${address} port ${port}: ${textOf(error)}`);
      resolve(false);
    });
    socket.on('message', (bytes, from) => onPacket(bytes, from));
    socket.bind({ address, port, exclusive: false }, () => resolve(true));
    if (await promise) return wrapped(socket, options);
    socket.close();
  } catch (error) {
    onTrouble(`${address} port ${port}: ${textOf(error)}`);
  }
  return null;
}
