/**
 * `Bun.listen`, `Bun.connect` and `Bun.udpSocket` for Node, as far as they are used here. The same handlers are called
 * for the same things: `write` takes all or, while the system has no room, nothing; `drain` says that there is room again.
 *
 * Memory: Node may keep what is written until the system takes it, and the writer uses his again at once, so what is
 * written is copied.
 */

import { createSocket } from 'node:dgram';
import { connect as dial, isIP, type Socket as Stream, createServer as serve } from 'node:net';
import type { Socket, SocketHandler } from 'bun';

/** What is said for a connection. Only the handlers named here are called. */
interface Handlers<Data> {
  readonly socket: SocketHandler<Data>;
  readonly data: Data;
}

interface Place {
  readonly hostname: string;
  readonly port: number;
}

/** As much of Bun's socket as is used. */
type Used = 'data' | 'remoteAddress' | 'remotePort' | 'write' | 'setNoDelay' | 'shutdown' | 'terminate';

function wrap<Data>(stream: Stream, data: Data): Socket<Data> {
  const { remoteAddress = undefined, remotePort = 0 } = stream;
  const wrapped: { [Name in Used]: unknown } = {
    data,
    remoteAddress,
    remotePort,
    write: (bytes: Uint8Array, start = 0, length = bytes.length - start): number => {
      if (stream.destroyed || stream.writableEnded) return -1;
      if (stream.writableNeedDrain) return 0;
      stream.write(Uint8Array.prototype.slice.call(bytes, start, start + length));
      return length;
    },
    setNoDelay: (on = true) => stream.setNoDelay(on),
    shutdown: () => stream.end(),
    terminate: () => stream.destroy(),
  };
  // The rest of it nobody here asks for.
  return wrapped as unknown as Socket<Data>;
}

/** Has the handlers called for what happens to a stream that is open. */
function attend<Data>(stream: Stream, { socket: handlers, data }: Handlers<Data>): void {
  const socket = wrap(stream, data);
  let failure: Error | undefined;
  const guarded = (act: () => unknown): void => {
    try {
      act();
    } catch (error) {
      handlers.error?.(socket, error instanceof Error ? error : new Error(String(error)));
    }
  };
  stream.on('error', (error) => {
    failure = error;
  });
  stream.on('data', (chunk: Buffer) => {
    guarded(() => {
      handlers.data?.(socket, new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length) as Buffer<ArrayBuffer>);
    });
  });
  stream.on('drain', () => guarded(() => handlers.drain?.(socket)));
  stream.on('end', () => guarded(() => handlers.end?.(socket)));
  stream.on('close', () => guarded(() => handlers.close?.(socket, failure)));
  guarded(() => handlers.open?.(socket));
}

/** Listens. Resolves when the port is had, which is later than with Bun; rejects with what the system says. */
export function listen<Data>(options: Place & Handlers<Data> & { readonly ipv6Only?: boolean }) {
  const server = serve((stream) => attend(stream, { ...options, data: structured(options) }));
  const { hostname: host, port, ipv6Only = false } = options;
  const { promise, resolve, reject } = Promise.withResolvers<{ port: number; stop(force?: boolean): void }>();
  server.once('error', reject);
  server.listen({ host, port, ipv6Only, exclusive: true }, () => {
    const address = server.address();
    const had = address === null || typeof address === 'string' ? port : address.port;
    resolve({ port: had, stop: () => void server.close() });
  });
  return promise;
}

/** Each connection has data of its own. */
function structured<Data>({ data }: { readonly data: Data }): Data {
  return typeof data === 'object' ? { ...data } : data;
}

/** Connects; resolves when `open` was called, rejects with what the system says. */
export function connect<Data>(options: Place & { readonly socket: SocketHandler<Data>; readonly data?: Data }) {
  const { hostname: host, port, socket, data } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Socket<Data>>();
  const stream = dial({ host, port });
  stream.once('error', reject);
  stream.once('connect', () => {
    stream.off('error', reject);
    const open = (opened: Socket<Data>): void => {
      socket.open?.(opened);
      resolve(opened);
    };
    attend(stream, { socket: { ...socket, open }, data: data as Data });
  });
  return promise;
}

/** A UDP socket tied to one address, which asks the system for a way there and sends nothing. */
export async function udpSocket({ hostname, connect: to }: { hostname: string; connect: Place }) {
  const socket = createSocket(isIP(hostname) === 6 ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, hostname, () => {
        socket.connect(to.port, to.hostname, () => resolve());
      });
    });
  } catch (error) {
    socket.close();
    throw error;
  }
  return { close: () => void socket.close() };
}
