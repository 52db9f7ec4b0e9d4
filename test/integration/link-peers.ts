/** Peers for the tests of links: honest ones, ones made of bytes, ones that hold the secret and misbehave. */

import type { Socket } from 'bun';
import type { KeySet } from '../../src/ports/keys.ts';
import type { DispatcherLink, LinkEnd, LinkListener, Proof, WorkerLink } from '../../src/ports/links.ts';
import { nativeCrypto } from '../../src/runtime/crypto.ts';
import { dispatcherGate, keySet } from '../../src/runtime/keys.ts';
import { createLinks, type LinksOptions } from '../../src/runtime/links.ts';
import { workerDialect } from '../../src/wire/dialects.ts';
import type { DispatcherMessage, WorkerMessage } from '../../src/wire/messages.ts';
import { Session } from '../../src/wire/session.ts';

export const clusterKeys = keySet('correct horse battery staple');
export const bySecret: Proof = { by: 'secret', psk: clusterKeys.psk };
export const serverKeys = nativeCrypto.generateKeypair();
export const clientKeys = nativeCrypto.generateKeypair();
export const host = '127.0.0.1';

export const cleanups: (() => unknown)[] = [];
/** A dispatcher's gate for these keys. */
export const gateOf = (keys: readonly KeySet[], strangers: boolean) => dispatcherGate(() => keys, { strangers });

/** Ends all that the test began; to be given to `afterEach`. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

export async function until(claim: string, condition: () => boolean, timeoutMs = 4000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`did not become true in ${timeoutMs} ms: ${claim}`);
    await Bun.sleep(1);
  }
}

export interface Accepted {
  readonly link: DispatcherLink;
  readonly messages: WorkerMessage[];
  readonly ends: LinkEnd[];
  drains: number;
}

export interface Server {
  readonly listener: LinkListener;
  readonly accepted: Accepted[];
}

export async function serve(options: Partial<LinksOptions> = {}): Promise<Server> {
  const accepted: Accepted[] = [];
  const links = createLinks({
    crypto: nativeCrypto,
    staticKeypair: serverKeys,
    gate: gateOf([clusterKeys], false),
    ...options,
  });
  const listener = await links.listen({ host, port: 0 }, (link) => {
    const one: Accepted = { link, messages: [], ends: [], drains: 0 };
    accepted.push(one);
    return {
      onMessage: (message) => one.messages.push(message),
      onDrain: () => {
        one.drains += 1;
      },
      onEnd: (end) => one.ends.push(end),
    };
  });
  cleanups.push(() => listener.close());
  return { listener, accepted };
}

export interface Dialled {
  readonly link: WorkerLink;
  readonly messages: DispatcherMessage[];
  readonly ends: LinkEnd[];
}

export interface DialOptions extends Partial<LinksOptions> {
  /** The cluster secret when not given. */
  readonly proof?: Proof;
}

export async function dial(
  port: number,
  { proof = bySecret, ...options }: DialOptions = {},
): Promise<Dialled | LinkEnd> {
  const messages: DispatcherMessage[] = [];
  const ends: LinkEnd[] = [];
  const links = createLinks({ crypto: nativeCrypto, staticKeypair: clientKeys, ...options });
  const result = await links.dial({ host, port, proof }, () => ({
    onMessage: (message) => messages.push(message),
    onDrain: () => {},
    onEnd: (end) => ends.push(end),
  }));
  if (!result.ok) return result.end;
  cleanups.push(() => result.link.close('The test is over.'));
  return { link: result.link, messages, ends };
}

export async function dialWell(port: number, options: DialOptions = {}): Promise<Dialled> {
  const dialled = await dial(port, options);
  if ('code' in dialled) throw new Error(dialled.detail);
  return dialled;
}

/** The listener still takes an honest peer and hears it. */
export async function expectToServe(server: Server): Promise<void> {
  const before = server.accepted.length;
  const { link } = await dialWell(server.listener.port);
  link.send({ kind: 'leaving' });
  await until('the honest peer is heard', () => server.accepted[before]?.messages.length === 1);
  link.close('done');
}

export interface Raw {
  readonly socket: Socket;
  readonly received: Uint8Array[];
  closed: boolean;
}

/** A peer made of bytes only. */
export async function connectRaw(port: number, onData: (chunk: Uint8Array) => void = () => {}): Promise<Raw> {
  const received: Uint8Array[] = [];
  const raw: { closed: boolean } = { closed: false };
  const socket = await Bun.connect({
    hostname: host,
    port,
    socket: {
      binaryType: 'uint8array',
      data: (_socket, chunk) => {
        received.push(chunk);
        onData(chunk);
      },
      close: () => {
        raw.closed = true;
      },
      error: () => {},
    },
  });
  cleanups.push(() => socket.terminate());
  return Object.assign(raw, { socket, received });
}

export interface Insider {
  readonly raw: Raw;
  send(message: WorkerMessage): void;
}

/** A peer that holds the secret and misbehaves: `tamper` sees every frame after the handshake, `pack` every message. */
export async function connectInsider(
  port: number,
  tamper: (frame: Uint8Array) => readonly Uint8Array[],
  pack: (message: WorkerMessage) => unknown[] = workerDialect.pack,
): Promise<Insider> {
  let open = false;
  const opened = Promise.withResolvers<void>();
  const waiting: Uint8Array[] = [];
  const session = new Session<WorkerMessage, DispatcherMessage>({
    side: { role: 'initiator', proof: bySecret },
    crypto: nativeCrypto,
    staticKeypair: clientKeys,
    dialect: { ...workerDialect, pack },
    sink: {
      transmit(frame) {
        for (const bytes of open ? tamper(frame) : [frame]) waiting.push(bytes);
      },
      onOpen() {
        open = true;
        opened.resolve();
      },
      onMessage() {},
      onEnd: (end) => opened.reject(new Error(end.detail)),
    },
  });
  const flush = (): void => {
    for (const bytes of waiting.splice(0)) raw.socket.write(bytes);
  };
  const raw = await connectRaw(port, (chunk) => {
    session.receive(chunk);
    flush();
  });
  session.start();
  flush();
  await opened.promise;
  return {
    raw,
    send(message) {
      session.send(message);
      flush();
    },
  };
}
