/**
 * One connection's conversation, as a state machine over bytes: what arrives goes in by `receive`, what is to be sent,
 * the messages and the end come out by the sink. It knows no socket, no clock and no randomness of its own; how long a
 * handshake may take and how much may wait to be sent is the business of whoever owns the connection.
 *
 *   phase       dialler (initiator)                          listener (responder)
 *   hello       has sent its hello; takes a hello  ─┐        takes a hello, answers with its own ─> request
 *   response    has sent message 1; takes message 2 ┘        -
 *   request     -                                            takes message 1, sends message 2 ─> proof
 *   proof       -                                            takes message 3, sends accept ─> open
 *   acceptance  has sent message 3; takes accept ─> open     -
 *   open        sealed messages both ways                    sealed messages both ways
 *   ended       takes nothing, says nothing                  takes nothing, says nothing
 *
 * The dialler calls the link open only after the sealed accept: with XXpsk3 only that proves that the listener holds the
 * secret too. The listener sees a wrong secret in message 3 and says so in clear, for the sake of a good sentence on the
 * other side; such a decline is believed before `open` only, where the worst it does is what cutting the wire does.
 *
 * Invariants: whatever arrives, nothing is thrown: the session ends with a code. It ends once; the sink's `onEnd` is
 * called exactly then and nothing after it. `onMessage` only sees messages that passed their check, in order, each once.
 * Before `open` a frame may have 1 KiB, then 16 MiB; memory follows what has arrived (`frame.ts`).
 * What a sink's function throws is our own mistake and is not caught here.
 */

import { assert, present, unreachable } from '../base/assert.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { messageBytesMax, OpeningChannel, rekeyPiecesDefault, SealingChannel } from './channel.ts';
import { MalformedMessage } from './fields.ts';
import { encodeFrame, FrameDecoder, frameBytesMax, frameHeaderBytes, withLength } from './frame.ts';
import {
  type DeclineReason,
  decodeDecline,
  decodeHello,
  encodeDecline,
  encodeHello,
  frameKinds,
  type Hello,
  handshakeFrameBytesMax,
  versionMismatch,
} from './hello.ts';
import { entriesMax, protocolVersion, protocolVersionMin } from './messages.ts';
import { concat, HandshakeState, type KeyPair, type NoiseCrypto, NoiseError, type Role } from './noise.ts';

/** Why a session ended: the codes of `LinkEnd` that bytes alone can bring about. */
export interface SessionEnd {
  readonly code:
    | 'closed'
    | 'connection_lost'
    | 'wrong_secret'
    | 'version_mismatch'
    | 'malformed'
    | 'oversized'
    | 'forged'
    | 'refused';
  /** A sentence for people. */
  readonly detail: string;
}

/** Where a session's results go. All calls come from inside `start`, `receive`, `send` or `endOfInput`. */
export interface SessionSink<Receives> {
  /** Bytes for the other side; whole frames. */
  transmit(frame: Uint8Array): void;
  /** Both sides are authenticated; `remoteKey` is the other's static public key, 32 bytes. */
  onOpen(remoteKey: Uint8Array): void;
  onMessage(message: Receives): void;
  onEnd(end: SessionEnd): void;
}

/** One direction's messages and how they become rows. Present: `workerDialect`, `dispatcherDialect`. */
export interface Dialect<Sends, Receives> {
  pack(message: Sends): unknown[];
  /** Throws `MalformedMessage`. */
  check(value: unknown): Receives;
  /** Two messages that say the same in order, or null. */
  halve(message: Sends): readonly [Sends, Sends] | null;
}

export interface SessionOptions<Sends, Receives> {
  readonly role: Role;
  readonly crypto: NoiseCrypto;
  readonly staticKeypair: KeyPair;
  /** 32 bytes: the session is XXpsk3. Null: plain XX, for a device that asks to be approved; both sides must agree. */
  readonly psk: Uint8Array | null;
  readonly dialect: Dialect<Sends, Receives>;
  readonly sink: SessionSink<Receives>;
  /** Protocol versions spoken; the default is this program's. */
  readonly versions?: Pick<Hello, 'version' | 'versionMin'>;
  /** Pieces after which a direction takes a new key; both sides must agree. */
  readonly rekeyPieces?: number;
}

type Phase = 'hello' | 'response' | 'request' | 'proof' | 'acceptance' | 'open' | 'ended';

const noBytes = new Uint8Array(0);

export class Session<Sends, Receives> {
  readonly #options: SessionOptions<Sends, Receives>;
  readonly #decoder = new FrameDecoder(handshakeFrameBytesMax);
  readonly #hello: Hello;
  readonly #helloBody: Uint8Array;
  #phase: Phase = 'hello';
  #handshake: HandshakeState | null = null;
  #sealing: SealingChannel | null = null;
  #opening: OpeningChannel | null = null;

  constructor(options: SessionOptions<Sends, Receives>) {
    this.#options = options;
    const versions = options.versions ?? { version: protocolVersion, versionMin: protocolVersionMin };
    this.#hello = { ...versions, pattern: options.psk === null ? 'XX' : 'XXpsk3' };
    this.#helloBody = encodeHello(this.#hello);
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** The dialler speaks first; the listener has nothing to say yet. Call once, when connected. */
  start(): void {
    if (this.#options.role === 'initiator') this.#transmit(this.#helloBody);
  }

  /** Takes bytes in, in any chunking. `chunk` is not kept. */
  receive(chunk: Uint8Array): void {
    if (this.#phase === 'ended') return;
    const claimedBytes = this.#decoder.push(chunk, (body) => {
      this.#takeFrame(body);
      return !this.#hasEnded();
    });
    if (claimedBytes !== null) {
      const limit = this.#decoder.limitBytes;
      this.#end('oversized', `The other side announced a frame of ${claimedBytes} bytes; ${limit} are allowed.`);
    }
  }

  /**
   * Sends a message; after the end it does nothing. Must be open. Lists too long for one message go out as several, which
   * means the same; one message that cannot be halved and does not fit into 16 MiB ends the session as `oversized`.
   */
  send(message: Sends): void {
    if (this.#phase === 'ended') return;
    const sealing = present(this.#sealing, 'an open session');
    const row = this.#options.dialect.pack(message);
    const tooMany = row.some((field) => Array.isArray(field) && field.length > entriesMax);
    const encoded = tooMany ? null : encodeCbor(row);
    if (encoded !== null && encoded.length <= messageBytesMax) {
      this.#options.sink.transmit(withLength(sealing.seal(encoded, frameHeaderBytes)));
      return;
    }
    const halves = this.#options.dialect.halve(message);
    if (halves === null) {
      const size = encoded === null ? `more than ${entriesMax} entries` : `${encoded.length} bytes`;
      this.#end('oversized', `Cannot send a message of ${size}; ${messageBytesMax} bytes are allowed.`);
      return;
    }
    this.send(halves[0]);
    this.send(halves[1]);
  }

  /** The other side sends no more: ends the session, in good order only between two frames of an open one. */
  endOfInput(): void {
    if (this.#phase !== 'open') this.#end('connection_lost', 'The other side hung up during the handshake.');
    else if (this.#decoder.midFrame) this.#end('connection_lost', 'The connection ended in the middle of a frame.');
    else this.#end('closed', 'The other side hung up.');
  }

  /** Ends the session from this side without a call of `onEnd`: the owner knows. Idempotent. */
  stop(): void {
    this.#phase = 'ended';
    this.#handshake = null;
  }

  #hasEnded(): boolean {
    return this.#phase === 'ended';
  }

  #transmit(body: Uint8Array): void {
    this.#options.sink.transmit(encodeFrame(body));
  }

  #end(code: SessionEnd['code'], detail: string, decline: DeclineReason | null = null): void {
    if (this.#phase === 'ended') return;
    if (decline !== null) this.#transmit(encodeDecline(decline));
    this.stop();
    this.#options.sink.onEnd({ code, detail });
  }

  #takeFrame(body: Uint8Array): void {
    if (this.#phase === 'open') {
      this.#takeMessage(body);
      return;
    }
    if (body[0] === frameKinds.decline && this.#options.role === 'initiator') {
      this.#declined(decodeDecline(body));
      return;
    }
    try {
      this.#takeHandshakeFrame(body);
    } catch (error) {
      if (!(error instanceof NoiseError)) throw error;
      this.#handshakeFailed(error);
    }
  }

  #takeHandshakeFrame(body: Uint8Array): void {
    switch (this.#phase) {
      case 'hello':
        this.#takeHello(body);
        return;
      case 'response': {
        const handshake = this.#readHandshake(body);
        if (handshake === null) return;
        this.#writeHandshake(handshake);
        this.#phase = 'acceptance';
        return;
      }
      case 'request': {
        const handshake = this.#readHandshake(body);
        if (handshake === null) return;
        this.#writeHandshake(handshake);
        this.#phase = 'proof';
        return;
      }
      case 'proof': {
        const handshake = this.#readHandshake(body);
        if (handshake === null) return;
        const sealing = this.#split(handshake);
        this.#transmit(prefixed(frameKinds.accept, sealing.seal(noBytes)));
        this.#open(handshake);
        return;
      }
      case 'acceptance': {
        if (body[0] !== frameKinds.accept) {
          this.#junk();
          return;
        }
        const handshake = present(this.#handshake, 'a handshake');
        this.#split(handshake);
        const proof = present(this.#opening, 'an opening channel').open(body.subarray(1));
        if (proof?.length !== 0) this.#end('forged', 'The acceptance of the other side is not authentic.');
        else this.#open(handshake);
        return;
      }
      case 'open':
      case 'ended':
        assert(false, `a handshake frame is taken in phase ${this.#phase}`);
        return;
      default:
        unreachable(this.#phase);
    }
  }

  #takeHello(body: Uint8Array): void {
    const { role, crypto, staticKeypair, psk } = this.#options;
    const theirs = decodeHello(body);
    if (theirs === null) {
      this.#junk();
      return;
    }
    // A copy before anything else: `body` is the decoder's, and the prologue wants the bytes as they came.
    const helloOfOther = body.slice();
    if (role === 'responder') this.#transmit(this.#helloBody);
    const mismatch = versionMismatch(this.#hello, theirs);
    if (mismatch !== null) {
      this.#end('version_mismatch', mismatch, role === 'responder' ? 'version_mismatch' : null);
      return;
    }
    if (theirs.pattern !== this.#hello.pattern) {
      const detail =
        this.#hello.pattern === 'XXpsk3'
          ? 'The other side does not use the cluster secret.'
          : 'The other side uses a cluster secret; this side has none.';
      this.#end('refused', detail, role === 'responder' ? 'refused' : null);
      return;
    }
    const hellos = role === 'initiator' ? [this.#helloBody, helloOfOther] : [helloOfOther, this.#helloBody];
    // Each with its length prefix, so that the border between the two is bound as well.
    const prologue = concat(...hellos.map(encodeFrame));
    const { pattern } = this.#hello;
    this.#handshake = new HandshakeState({ crypto, pattern, role, prologue, staticKeypair, psk });
    if (role === 'initiator') {
      this.#writeHandshake(this.#handshake);
      this.#phase = 'response';
    } else {
      this.#phase = 'request';
    }
  }

  #writeHandshake(handshake: HandshakeState): void {
    this.#transmit(prefixed(frameKinds.noise, handshake.writeMessage(noBytes)));
  }

  /** Reads the next handshake message, whose payload must be empty; null when the session has ended over it. */
  #readHandshake(body: Uint8Array): HandshakeState | null {
    const handshake = present(this.#handshake, 'a handshake');
    if (body[0] === frameKinds.noise && handshake.readMessage(body.subarray(1)).length === 0) return handshake;
    this.#junk();
    return null;
  }

  #split(handshake: HandshakeState): SealingChannel {
    const rekeyPieces = this.#options.rekeyPieces ?? rekeyPiecesDefault;
    const { sending, receiving } = handshake.split();
    this.#sealing = new SealingChannel(sending, rekeyPieces);
    this.#opening = new OpeningChannel(receiving, rekeyPieces);
    return this.#sealing;
  }

  #open(handshake: HandshakeState): void {
    this.#phase = 'open';
    this.#handshake = null;
    this.#decoder.limitBytes = frameBytesMax;
    this.#options.sink.onOpen(handshake.remoteStatic);
  }

  #takeMessage(body: Uint8Array): void {
    const encoded = present(this.#opening, 'an opening channel').open(body);
    if (encoded === null) {
      this.#end('forged', 'A frame is not authentic: it was altered, repeated, moved or left out.');
      return;
    }
    let message: Receives;
    try {
      message = this.#options.dialect.check(decodeCbor(encoded));
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#end('malformed', `The other side sent no valid message: ${error.message}.`);
      return;
    }
    this.#options.sink.onMessage(message);
  }

  #junk(): void {
    this.#end('malformed', `The other side does not speak octaskly's protocol (phase ${this.#phase}).`);
  }

  #handshakeFailed(error: NoiseError): void {
    if (this.#phase === 'proof' && error.at === 'payload' && this.#options.psk !== null) {
      this.#end('wrong_secret', 'The other side does not know the cluster secret.', 'wrong_secret');
    } else if (error.at === 'length') {
      this.#end('malformed', `The handshake failed: ${error.message}.`);
    } else {
      this.#end('forged', `The handshake failed: ${error.message}.`);
    }
  }

  #declined(reason: DeclineReason): void {
    switch (reason) {
      case 'version_mismatch':
        this.#end('version_mismatch', 'The other side does not speak this version of the protocol.');
        return;
      case 'wrong_secret':
        this.#end('wrong_secret', 'The other side says that this side does not know the cluster secret.');
        return;
      case 'refused':
        this.#end('refused', 'The other side refuses this connection.');
        return;
      default:
        unreachable(reason);
    }
  }
}

function prefixed(kind: number, body: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(kind), body);
}
