/** Bytes on the path of a link: a dialler that stops after so many of them, and a relay that does, and that writes along. */

import type { Socket } from 'bun';
import type { Proof } from '../../src/ports/links.ts';
import { nativeCrypto } from '../../src/runtime/crypto.ts';
import { workerDialect } from '../../src/wire/dialects.ts';
import type { DispatcherMessage, WorkerMessage } from '../../src/wire/messages.ts';
import { Session } from '../../src/wire/session.ts';
import { cleanups, clientKeys, connectRaw, host, type Raw } from './link-peers.ts';

export interface Stalling {
  readonly raw: Raw;
  readonly session: Session<WorkerMessage, DispatcherMessage>;
  sentBytes(): number;
}

/** Dials with an honest session of which only the first `bytesMax` bytes are sent. */
export async function connectThrough(port: number, proof: Proof, bytesMax: number): Promise<Stalling> {
  let sentBytes = 0;
  const waiting: Uint8Array[] = [];
  const session = new Session<WorkerMessage, DispatcherMessage>({
    side: { role: 'initiator', proof },
    crypto: nativeCrypto,
    staticKeypair: clientKeys,
    dialect: workerDialect,
    sink: { transmit: (frame) => waiting.push(frame), onOpen() {}, onMessage() {}, onEnd() {} },
  });
  const flush = (): void => {
    for (const frame of waiting.splice(0)) {
      const part = frame.subarray(0, Math.max(0, bytesMax - sentBytes));
      if (part.length > 0) raw.socket.write(part);
      sentBytes += part.length;
    }
  };
  const raw = await connectRaw(port, (chunk) => {
    session.receive(chunk);
    flush();
  });
  session.start();
  flush();
  return { raw, session, sentBytes: () => sentBytes };
}

export interface Relay {
  readonly port: number;
  /** Bytes passed on to those who dialled. */
  bytesBack(): number;
  /** All bytes that passed, in both directions. */
  seen(): Buffer;
}

/** Passes bytes on between those who dial it and `target`; back to the dialler at most `bytesBackMax`. */
export async function relay(target: number, { bytesBackMax = Number.POSITIVE_INFINITY } = {}): Promise<Relay> {
  const seen: Uint8Array[] = [];
  let bytesBack = 0;
  const listener = Bun.listen<{ out: Promise<Raw> }>({
    hostname: host,
    port: 0,
    socket: {
      binaryType: 'uint8array',
      open(socket) {
        const back = (chunk: Uint8Array): void => {
          const part = chunk.subarray(0, Math.max(0, bytesBackMax - bytesBack));
          bytesBack += part.length;
          seen.push(part);
          writeAll(socket, part);
        };
        socket.data = { out: connectRaw(target, back) };
      },
      async data(socket, chunk) {
        seen.push(chunk);
        writeAll((await socket.data.out).socket, chunk);
      },
      async close(socket) {
        (await socket.data.out).socket.end();
      },
      error() {},
    },
  });
  cleanups.push(() => listener.stop(true));
  return { port: listener.port, bytesBack: () => bytesBack, seen: () => Buffer.concat(seen) };
}

/** What is relayed here fits into the kernel's buffers. */
function writeAll<T>(socket: Socket<T>, bytes: Uint8Array): void {
  if (bytes.length > 0 && socket.write(bytes) < bytes.length)
    throw new Error('the relay is not made for so many bytes');
}
