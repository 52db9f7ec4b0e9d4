/**
 * The `Links` port over TCP: sockets below (`tcp.ts`), sessions above (`wire/session.ts`), and between them what neither
 * has: the clock of the handshake, the cap on strangers, the keys a listener accepts, the counts. Which of the nodes that
 * show such a key may join is not decided here.
 *
 * Invariants: a handler's `onEnd` comes exactly once and last; a connection that is not authenticated costs one place of
 * `unauthenticatedMax`, at most a few KiB, and `handshakeTimeoutMs` (one with nothing to show keeps its place until it has
 * said something); when there are too many, one of the address that has
 * most is cut off, at once; every connection a listener took ends in its counts.
 * Silence after the handshake is allowed: whoever speaks over a link has to notice it (heartbeats).
 */

import { present } from '../base/assert.ts';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { KeySet } from '../ports/keys.ts';
import type { Admission, Link, LinkEnd, LinkHandlers, LinkListener, Links } from '../ports/links.ts';
import type { Log } from '../ports/time.ts';
import { dispatcherDialect, workerDialect } from '../wire/dialects.ts';
import type { DispatcherMessage, WorkerMessage } from '../wire/messages.ts';
import type { KeyPair, NoiseCrypto } from '../wire/noise.ts';
import type { OpeningOptions, Side } from '../wire/opening.ts';
import { type Dialect, Session } from '../wire/session.ts';
import { candidatesFor } from './keys.ts';
import { type StrangerLimits, Strangers } from './strangers.ts';
import { type StreamEnd, type StreamLimits, type StreamSocket, socketHandlers, TcpStream } from './tcp.ts';

export interface LinkLimits extends StreamLimits, StrangerLimits {
  /** Time from connecting (dialling: from the call) to being authenticated. */
  readonly handshakeTimeoutMs: number;
}

export const linkLimits: LinkLimits = {
  highWaterBytes: 1024 * 1024,
  queuedBytesMax: 64 * 1024 * 1024,
  stallTimeoutMs: 30_000,
  lingerMs: 2000,
  handshakeTimeoutMs: 10_000,
  unauthenticatedMax: 256,
  unauthenticatedPerAddressMax: 64,
};

export interface LinksOptions {
  readonly crypto: NoiseCrypto;
  readonly staticKeypair: KeyPair;
  /** Keys by which this node admits those who dial it, now; none for one that only dials. */
  readonly keys?: () => readonly KeySet[];
  /** Takes links of nodes that have nothing to show; false when not given. */
  readonly strangers?: boolean;
  readonly log?: Log;
  /** A listener turned somebody away who could not show what it claimed. */
  readonly onTurnedAway?: (remote: string, code: LinkEnd['code']) => void;
  readonly limits?: Partial<LinkLimits>;
  /** Protocol versions spoken; the default is this program's. */
  readonly versions?: NonNullable<OpeningOptions['versions']>;
}

interface Settings extends Omit<LinksOptions, 'limits'> {
  readonly limits: LinkLimits;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** The `Links` of one node. */
export function createLinks(options: LinksOptions): Links {
  const settings: Settings = { ...options, limits: { ...linkLimits, ...options.limits } };
  return {
    // Async, so that an address that cannot be had rejects instead of throwing.
    listen: async (address, accept) => new Listener(settings, address, accept),
    dial: (target, handlers) => dial(settings, target, handlers),
  };
}

// ---------------------------------------------------------------------------------------------------- one connection

interface Owner<Sends, Receives> {
  /** Once, when authenticated. */
  onOpen(link: Link<Sends>): LinkHandlers<Receives>;
  /** Once, when ended. The socket may live on for a moment, to flush. */
  onEnd(end: LinkEnd): void;
  /** Once, when the socket is closed; after `onEnd`. */
  onGone(): void;
}

/** A socket and a session tied together; as a `Link` once it is open. */
class Conversation<Sends, Receives> implements Link<Sends> {
  readonly remote: string;
  remoteKey = '';
  #admission: Admission | null = null;
  readonly #settings: Settings;
  readonly #owner: Owner<Sends, Receives>;
  readonly #session: Session<Sends, Receives>;
  readonly #handshakeTimer: ReturnType<typeof setTimeout>;
  #stream: TcpStream | null = null;
  #handlers: LinkHandlers<Receives> | null = null;
  /** Set by `close`: how the link will have ended once everything is flushed. */
  #closing: LinkEnd | null = null;
  #ended = false;

  constructor(
    settings: Settings,
    peer: { readonly remote: string; readonly side: Side; readonly dialect: Dialect<Sends, Receives> },
    owner: Owner<Sends, Receives>,
  ) {
    this.#settings = settings;
    this.#owner = owner;
    this.remote = peer.remote;
    const { crypto, staticKeypair, versions, limits } = settings;
    this.#session = new Session<Sends, Receives>({
      side: peer.side,
      dialect: peer.dialect,
      crypto,
      staticKeypair,
      ...(versions === undefined ? {} : { versions }),
      sink: {
        transmit: (frame) => this.#stream?.write(frame),
        onOpen: (remoteKey, admission) => this.#opened(remoteKey, admission),
        onMessage: (message) => this.#handlers?.onMessage(message),
        onEnd: (end) => this.end(end),
      },
    });
    this.#handshakeTimer = setTimeout(() => {
      const detail = `${this.remote} did not complete the handshake within ${limits.handshakeTimeoutMs / 1000} s.`;
      this.end({ code: 'handshake_timeout', detail });
    }, limits.handshakeTimeoutMs);
  }

  get admission(): Admission {
    return present(this.#admission, 'the admission of an open link');
  }

  get congested(): boolean {
    return this.#stream?.congested ?? false;
  }

  /** Takes the connected socket over. A dial that was given up in the meantime cuts it. */
  attach(socket: StreamSocket): void {
    const stream = new TcpStream(socket, this.#settings.limits, {
      onData: (chunk) => this.#session.receive(chunk),
      onDrain: () => this.#handlers?.onDrain(),
      onClose: (end) => {
        this.#streamClosed(end);
        this.#owner.onGone();
      },
    });
    if (this.#ended) {
      stream.cut({ cause: 'finished', detail: 'Given up before it was connected.' });
      return;
    }
    this.#stream = stream;
    this.#session.start();
  }

  send(message: Sends): void {
    if (this.#ended || this.#closing !== null) return;
    this.#session.send(message);
  }

  close(detail: string): void {
    if (this.#ended || this.#closing !== null) return;
    this.#closing = { code: 'closed', detail };
    this.#session.stop();
    this.#stream?.finish();
  }

  /** Ends it now, whatever the session thinks; what is queued still leaves. Idempotent. */
  end(end: LinkEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#handshakeTimer);
    this.#session.stop();
    this.#stream?.finish();
    this.#handlers?.onEnd(end);
    this.#owner.onEnd(end);
  }

  /** As `end`, and without waiting for the other side to take the rest: its socket is free at once. */
  cut(end: LinkEnd): void {
    this.end(end);
    this.#stream?.cut({ cause: 'finished', detail: end.detail });
  }

  #opened(remoteKey: Uint8Array, admission: Admission): void {
    clearTimeout(this.#handshakeTimer);
    this.remoteKey = remoteKey.toHex();
    this.#admission = admission;
    this.#handlers = this.#owner.onOpen(this);
  }

  #streamClosed(end: StreamEnd): void {
    switch (end.cause) {
      case 'finished':
        this.end(this.#closing ?? { code: 'closed', detail: end.detail });
        return;
      case 'stalled':
        this.end({ code: 'stalled', detail: end.detail });
        return;
      case 'lost':
        this.end({ code: 'connection_lost', detail: end.detail });
        return;
      case 'ended_by_peer':
        // The session knows whether that was a good place to stop; one that we stopped before says nothing more.
        if (this.#closing !== null) this.end({ code: 'connection_lost', detail: end.detail });
        else this.#session.endOfInput();
    }
  }
}

// --------------------------------------------------------------------------------------------------- dial and listen

/** Dials in the worker's role. */
function dial(
  settings: Settings,
  { host, port, proof }: Parameters<Links['dial']>[0],
  handlers: Parameters<Links['dial']>[1],
): ReturnType<Links['dial']> {
  return new Promise((resolve) => {
    const remote = formatAddress({ host, port });
    const conversation = new Conversation(
      settings,
      { remote, side: { role: 'initiator', proof }, dialect: workerDialect },
      {
        onOpen(link) {
          resolve({ ok: true, link });
          return handlers(link);
        },
        // Does nothing once the link was open: the promise is settled then.
        onEnd: (end) => resolve({ ok: false, end }),
        onGone: () => {},
      },
    );
    Bun.connect({
      hostname: host,
      port,
      data: { stream: null },
      socket: socketHandlers((socket) => conversation.attach(socket)),
    }).catch((error: unknown) => {
      conversation.end({ code: 'connection_lost', detail: `Cannot connect to ${remote}: ${connectFailure(error)}.` });
    });
  });
}

/** A listening socket and all it took in. */
class Listener implements LinkListener {
  readonly counts: Record<string, number> = {};
  readonly #settings: Settings;
  readonly #accept: Parameters<Links['listen']>[1];
  readonly #server: Bun.TCPSocketListener<{ stream: TcpStream | null }>;
  readonly #conversations = new Set<Conversation<DispatcherMessage, WorkerMessage>>();
  readonly #strangers: Strangers<Conversation<DispatcherMessage, WorkerMessage>>;
  readonly #closed = Promise.withResolvers<void>();
  #closing = false;

  /** Throws `in_use` and `io`. */
  constructor(settings: Settings, address: Address, accept: Parameters<Links['listen']>[1]) {
    this.#settings = settings;
    this.#accept = accept;
    this.#strangers = new Strangers(settings.limits);
    try {
      this.#server = Bun.listen({
        hostname: address.host,
        port: address.port,
        data: { stream: null },
        socket: socketHandlers((socket) => this.#take(socket)),
      });
    } catch (error) {
      throw listenFailure(address, error);
    }
  }

  get port(): number {
    return this.#server.port;
  }

  /** Stops listening and closes every link in good order; resolves when all sockets are gone. Idempotent. */
  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#server.stop(false);
      for (const conversation of this.#conversations) conversation.close('This side stopped listening.');
      this.#resolveWhenEmpty();
    }
    return this.#closed.promise;
  }

  #take(socket: StreamSocket): void {
    // Whoever hangs up at once has no address any more.
    const remoteAddress: string | undefined = socket.remoteAddress;
    if (remoteAddress === undefined) {
      socket.terminate();
      this.#count({ code: 'connection_lost', detail: 'Hung up before it was taken in.' }, 'somebody');
      return;
    }
    const remote = formatAddress({ host: remoteAddress, port: socket.remotePort });
    if (this.#closing) {
      socket.terminate();
      this.#count({ code: 'refused', detail: 'Not listening any more.' }, remote);
      return;
    }
    const { keys, strangers = false } = this.#settings;
    const conversation = new Conversation(
      this.#settings,
      {
        remote,
        side: {
          role: 'responder',
          gate: {
            strangers,
            candidates: (claim, remoteKey) => candidatesFor(keys?.() ?? [], claim, remoteKey),
          },
        },
        dialect: dispatcherDialect,
      },
      {
        onOpen: (link) => {
          const known = (): void => this.#strangers.delete(remoteAddress, conversation);
          const handlers = this.#accept(link);
          if (link.admission.by === 'nothing') return afterFirstMessage(handlers, known);
          known();
          return handlers;
        },
        onEnd: (end) => this.#count(end, remote),
        onGone: () => {
          this.#strangers.delete(remoteAddress, conversation);
          this.#conversations.delete(conversation);
          this.#resolveWhenEmpty();
        },
      },
    );
    const leaving = this.#strangers.add(remoteAddress, conversation);
    const detail = 'Too many connections shake hands; this one was the oldest of the address that has most of them.';
    leaving?.cut({ code: 'refused', detail });
    this.#conversations.add(conversation);
    conversation.attach(socket);
  }

  #count(end: LinkEnd, remote: string): void {
    this.counts[end.code] = (this.counts[end.code] ?? 0) + 1;
    if (end.code === 'wrong_secret') this.#settings.onTurnedAway?.(remote, end.code);
    this.#settings.log?.debug('link ended', { remote, code: end.code, detail: end.detail });
  }

  #resolveWhenEmpty(): void {
    if (this.#closing && this.#conversations.size === 0) this.#closed.resolve();
  }
}

/**
 * Whoever has nothing to show is a stranger still when its link is open, and stays one until it has said what it wants;
 * from there on it is for those who answer to bound how many may wait.
 */
function afterFirstMessage<Receives>(handlers: LinkHandlers<Receives>, known: () => void): LinkHandlers<Receives> {
  return {
    onMessage(message) {
      known();
      handlers.onMessage(message);
    },
    onDrain: () => handlers.onDrain(),
    onEnd: (end) => handlers.onEnd(end),
  };
}

function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function listenFailure(address: Address, error: unknown): OctasklyError {
  const place = formatAddress(address);
  if (codeOf(error) === 'EADDRINUSE') {
    const advice = 'Stop the program that uses it (perhaps another dispatcher), or choose another port.';
    return new OctasklyError('in_use', `Cannot listen on ${place}: port ${address.port} is already in use. ${advice}`, {
      cause: error,
    });
  }
  const reason = codeOf(error) === 'EADDRNOTAVAIL' ? 'this machine has no such address' : reasonOf(error);
  return new OctasklyError('io', `Cannot listen on ${place}: ${reason}.`, { cause: error });
}

function connectFailure(error: unknown): string {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return 'nothing listens there';
    case 'ENOTFOUND':
      return 'no such host';
    default:
      return reasonOf(error);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
