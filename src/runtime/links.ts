/**
 * The `Links` port over a `Transport`: connections below, sessions above (`wire/session.ts`), and between them what neither
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
import { reasonOf } from '../base/errors.ts';
import type { Admission, Link, LinkEnd, LinkHandlers, LinkListener, Links } from '../ports/links.ts';
import type { Log } from '../ports/time.ts';
import type { Carrier, CarrierEnd, CarrierHandlers, Choice, Transport, TransportListener } from '../ports/transport.ts';
import { type Dialects, workerDialects } from '../wire/dialects.ts';
import type { KeyPair, NoiseCrypto } from '../wire/noise.ts';
import type { Gate, OpeningOptions, Side } from '../wire/opening.ts';
import { type Dialect, Session } from '../wire/session.ts';
import { type Endpoint, formatAddress } from './endpoints.ts';
import { shelf } from './memory.ts';
import { type StrangerLimits, Strangers } from './strangers.ts';
import { type CarrierLimits, createTcpTransport } from './tcp.ts';

export interface LinkLimits extends CarrierLimits, StrangerLimits {
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
  /** Whom a listener lets in; a node that only dials has none. */
  readonly gate?: Gate;
  /** TCP when not given. */
  readonly transport?: Transport;
  readonly log?: Log;
  /** A listener turned somebody away who could not show what it claimed. */
  readonly onTurnedAway?: (remote: string, code: LinkEnd['code']) => void;
  readonly limits?: Partial<LinkLimits>;
  /** Protocol versions spoken; the default is this program's. */
  readonly versions?: NonNullable<OpeningOptions['versions']>;
}

interface Settings extends Omit<LinksOptions, 'limits' | 'transport'> {
  readonly transport: Transport;
  readonly limits: LinkLimits;
}

interface DialCall<Dials, Listens> {
  readonly target: Parameters<Links<Dials, Listens>['dial']>[0];
  readonly handlers: Parameters<Links<Dials, Listens>['dial']>[1];
}

type Accept<Dials, Listens> = Parameters<Links<Dials, Listens>['listen']>[1];
/** A message of any dialect. */
type Spoken = { readonly kind: string };

const ignoring: CarrierHandlers = { onData() {}, onDrain() {}, onClose() {} };

/** Lets nobody in. */
const noGate: Gate = { admits: [], candidates: () => [] };

/** The `Links` of one node: those of workers and dispatchers. */
export function createLinks(options: LinksOptions): Links {
  return createLinksOf(workerDialects, options);
}

/** The `Links` of one node on which these dialects are spoken. */
export function createLinksOf<Dials extends Spoken, Listens extends Spoken>(
  dialects: Dialects<Dials, Listens>,
  options: LinksOptions,
): Links<Dials, Listens> {
  const limits = { ...linkLimits, ...options.limits };
  const settings: Settings = { ...options, limits, transport: options.transport ?? createTcpTransport(limits) };
  return {
    async listen(address, accept) {
      const listener = new Listener(settings, dialects.listening, accept);
      await listener.open(address);
      return listener;
    },
    dial: (target, handlers) => dial(settings, dialects.dialling, { target, handlers }),
  };
}

// ---------------------------------------------------------------------------------------------------- one connection

interface Owner<Sends, Receives> {
  /** Once, when authenticated. */
  onOpen(link: Link<Sends>): LinkHandlers<Receives>;
  /** Once, when ended. The connection may live on for a moment, to flush. */
  onEnd(end: LinkEnd): void;
  /** Once, when the connection is closed; after `onEnd`. */
  onGone(): void;
}

/** A connection and a session tied together; as a `Link` once it is open. */
class Conversation<Sends extends Spoken, Receives extends Spoken> implements Link<Sends> {
  readonly remote: string;
  remoteKey = '';
  choice?: Choice;
  #admission: Admission | null = null;
  readonly #owner: Owner<Sends, Receives>;
  readonly #session: Session<Sends, Receives>;
  readonly #handshakeTimer: ReturnType<typeof setTimeout>;
  #carrier: Carrier | null = null;
  #handlers: LinkHandlers<Receives> | null = null;
  /** Set by `close`: how the link will have ended once everything is flushed. */
  #closing: LinkEnd | null = null;
  #ended = false;

  constructor(
    settings: Settings,
    peer: { readonly remote: string; readonly side: Side; readonly dialect: Dialect<Sends, Receives> },
    owner: Owner<Sends, Receives>,
  ) {
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
        transmit: (frame, lane) => this.#carrier?.write(lane, frame),
        onOpen: (remoteKey, admission) => this.#opened(remoteKey, admission),
        onMessage: (message, done) => this.#handlers?.onMessage(message, done),
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
    return this.#carrier?.congested('control') === true || this.#carrier?.congested('output') === true;
  }

  get blobsCongested(): boolean {
    return this.#carrier?.congested('blobs') ?? false;
  }

  /** Takes a connection over. A dial that was given up in the meantime cuts it. */
  attach(carrier: Carrier, choice?: Choice): CarrierHandlers {
    if (choice !== undefined) this.choice = choice;
    if (this.#ended) {
      carrier.cut({ cause: 'finished', detail: 'Given up before it was connected.' });
    } else {
      this.#carrier = carrier;
      this.#session.start(carrier.lanes);
    }
    return {
      onData: (lane, chunk) => {
        this.#session.receive(chunk, lane);
        if (chunk.length === chunk.buffer.byteLength) shelf.release(chunk);
      },
      onDrain: () => this.#handlers?.onDrain(),
      onClose: (end) => {
        this.#carrierClosed(end);
        this.#owner.onGone();
      },
    };
  }

  send(message: Sends): void {
    if (this.#ended || this.#closing !== null) return;
    this.#session.send(message);
  }

  close(detail: string): void {
    if (this.#ended || this.#closing !== null) return;
    this.#closing = { code: 'closed', detail };
    this.#session.stop();
    this.#carrier?.finish();
  }

  giveUp(detail: string): void {
    this.end({ code: 'connection_lost', detail });
    this.#carrier?.cut({ cause: 'stalled', detail });
  }

  /** Ends it now, whatever the session thinks; what is queued still leaves. Idempotent. */
  end(end: LinkEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#handshakeTimer);
    this.#session.stop();
    this.#carrier?.finish();
    this.#handlers?.onEnd(end);
    this.#owner.onEnd(end);
  }

  /** As `end`, and without waiting for the other side to take the rest: the connection is gone at once. */
  cut(end: LinkEnd): void {
    this.end(end);
    this.#carrier?.cut({ cause: 'finished', detail: end.detail });
  }

  #opened(remoteKey: Uint8Array, admission: Admission): void {
    clearTimeout(this.#handshakeTimer);
    this.remoteKey = remoteKey.toHex();
    this.#admission = admission;
    this.#handlers = this.#owner.onOpen(this);
  }

  #carrierClosed(end: CarrierEnd): void {
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

function dial<Dials extends Spoken, Listens extends Spoken>(
  settings: Settings,
  dialect: Dialect<Dials, Listens>,
  { target, handlers }: DialCall<Dials, Listens>,
): ReturnType<Links<Dials, Listens>['dial']> {
  const { host, port, proof } = target;
  return new Promise((resolve) => {
    const remote = formatAddress({ host, port });
    const conversation = new Conversation(
      settings,
      { remote, side: { role: 'initiator', proof }, dialect },
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
    const { transport, limits } = settings;
    const timeoutMs = limits.handshakeTimeoutMs;
    transport
      .dial({ host, port, timeoutMs }, (carrier, choice) => conversation.attach(carrier, choice))
      .catch((error: unknown) => {
        conversation.end({ code: 'connection_lost', detail: `Cannot connect to ${remote}: ${reasonOf(error)}.` });
      });
  });
}

/** An address that is listened at and all that came in there. */
class Listener<Dials extends Spoken, Listens extends Spoken> implements LinkListener {
  readonly counts: Record<string, number> = {};
  readonly #settings: Settings;
  readonly #dialect: Dialect<Listens, Dials>;
  readonly #accept: Accept<Dials, Listens>;
  readonly #conversations = new Set<Conversation<Listens, Dials>>();
  readonly #strangers: Strangers<Conversation<Listens, Dials>>;
  readonly #closed = Promise.withResolvers<void>();
  #listening: TransportListener | null = null;
  #closing = false;

  constructor(settings: Settings, dialect: Dialect<Listens, Dials>, accept: Accept<Dials, Listens>) {
    this.#settings = settings;
    this.#dialect = dialect;
    this.#accept = accept;
    this.#strangers = new Strangers(settings.limits);
  }

  /** Once, first of all. Errors: `in_use`, `io`. */
  async open(address: Endpoint): Promise<void> {
    this.#listening = await this.#settings.transport.listen(address, (carrier) => this.#take(carrier));
  }

  get port(): number {
    return present(this.#listening, 'an open listener').port;
  }

  /** Stops listening and closes every link in good order; resolves when all connections are gone. Idempotent. */
  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#listening?.stop();
      for (const conversation of this.#conversations) conversation.close('This side stopped listening.');
      this.#resolveWhenEmpty();
    }
    return this.#closed.promise;
  }

  #take(carrier: Carrier): CarrierHandlers {
    const { remote, remoteHost } = carrier;
    if (this.#closing) {
      this.#count({ code: 'refused', detail: 'Not listening any more.' }, remote);
      carrier.cut({ cause: 'finished', detail: 'Not listening any more.' });
      return ignoring;
    }
    const conversation = new Conversation(
      this.#settings,
      {
        remote,
        side: {
          role: 'responder',
          gate: this.#settings.gate ?? noGate,
        },
        dialect: this.#dialect,
      },
      {
        onOpen: (link) => {
          const known = (): void => this.#strangers.delete(remoteHost, conversation);
          const handlers = this.#accept(link);
          if (link.admission.by === 'nothing') return afterFirstMessage(handlers, known);
          known();
          return handlers;
        },
        onEnd: (end) => this.#count(end, remote),
        onGone: () => {
          this.#strangers.delete(remoteHost, conversation);
          this.#conversations.delete(conversation);
          this.#resolveWhenEmpty();
        },
      },
    );
    const leaving = this.#strangers.add(remoteHost, conversation);
    const detail = 'Too many connections shake hands; this one was the oldest of the address that has most of them.';
    leaving?.cut({ code: 'refused', detail });
    this.#conversations.add(conversation);
    return conversation.attach(carrier);
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
    onMessage(message, done) {
      known();
      handlers.onMessage(message, done);
    },
    onDrain: () => handlers.onDrain(),
    onEnd: (end) => handlers.onEnd(end),
  };
}
