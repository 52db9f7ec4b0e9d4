/**
 * One connection's conversation, as a state machine over bytes: what arrives goes in by `receive`, what is to be sent,
 * the messages and the end come out by the sink. It knows no socket, no clock and no randomness of its own; how long a
 * handshake may take and how much may wait to be sent is the business of whoever owns the connection.
 *
 *   phase    takes                                    says
 *   opening  frames of the handshake (`opening.ts`)   likewise
 *   open     sealed messages                          sealed messages
 *   ended    nothing                                  nothing
 *
 * A connection has one lane or several (`lanes.ts`). The opening goes over `control`; then the dialler opens each further
 * lane with an empty sealed message, and nothing comes over it before that. Every lane and direction has keys and a
 * counter of its own, so nothing can be moved from one lane to another.
 *
 * Invariants: whatever arrives, nothing is thrown: the session ends with a code. It ends once; the sink's `onEnd` is
 * called exactly then and nothing after it. `onMessage` only sees messages that passed their check, each once, and those of
 * a lane in order.
 * Before `open` a frame may have 1 KiB, then 16 MiB, or 16 KiB where a node is no member yet; memory follows what has
 * arrived (`frame.ts`, `channel.ts`).
 * What a sink's function throws is our own mistake and is not caught here.
 */

import { present } from '../base/assert.ts';
import type { Admission } from './admission.ts';
import { decodeCbor, encodeCbor, encodeCborParts } from './cbor.ts';
import { messageBytesMax } from './channel.ts';
import { MalformedMessage } from './fields.ts';
import { encodeFrame, FrameDecoder, frameBytesMax, frameHeaderBytes, withLength } from './frame.ts';
import { enrolmentFrameBytesMax, handshakeFrameBytesMax } from './hello.ts';
import { type Lane, laneOf } from './lanes.ts';
import { entriesMax } from './messages.ts';
import { type Channels, type Opened, Opening, type OpeningOptions } from './opening.ts';
import type { Unopened } from './unopened.ts';

/** Why a session ended: the codes of `LinkEnd` that bytes alone can bring about. */
export interface SessionEnd {
  readonly code: 'closed' | 'connection_lost' | 'oversized' | Unopened['code'];
  /** A sentence for people. */
  readonly detail: string;
}

/** Where a session's results go. All calls come from inside `start`, `receive`, `send` or `endOfInput`. */
export interface SessionSink<Receives> {
  /** Bytes for the other side; whole frames, the sink's to keep. */
  transmit(frame: Uint8Array, lane: Lane): void;
  /** Both sides are authenticated; `remoteKey` is the other's static public key, 32 bytes. */
  onOpen(remoteKey: Uint8Array, admission: Admission): void;
  /** `done` is as that of `LinkHandlers`. */
  onMessage(message: Receives, done?: () => void): void;
  onEnd(end: SessionEnd): void;
}

/** One direction's messages and how they become rows. Present: `workerDialect`, `dispatcherDialect`. */
export interface Dialect<Sends, Receives> {
  /** As that version of the protocol has it; the default is this program's. */
  pack(message: Sends, protocol?: number): unknown[];
  /** Version of the protocol that brought this message; to an older one it is not said. Missing: all are as old as any. */
  since?(message: Sends): number;
  /** Likewise, what came in. Throws `MalformedMessage`. */
  check(value: unknown, protocol?: number): Receives;
  /** Two messages that say the same in order, or null. */
  halve(message: Sends): readonly [Sends, Sends] | null;
}

export interface SessionOptions<Sends, Receives> extends OpeningOptions {
  readonly dialect: Dialect<Sends, Receives>;
  readonly sink: SessionSink<Receives>;
}

type Phase = 'opening' | 'open' | 'ended';

/** What a session knows of a lane. */
interface Track {
  readonly decoder: FrameDecoder;
  /** Null until the session is open. */
  channels: Channels | null;
  /** Its first message is to be the dialler's empty one. */
  awaitsFirst: boolean;
}

/** What `HTTP`, the beginning of an answer (RFC 9112, 4), is as the length of a frame. */
const httpAsLength = 0x48545450;

export class Session<Sends extends { readonly kind: string }, Receives extends { readonly kind: string }> {
  readonly #options: SessionOptions<Sends, Receives>;
  readonly #control: Track;
  /** The lanes of the connection; what belongs on one it does not have goes over `control`. */
  readonly #tracks: Map<Lane, Track>;
  #phase: Phase = 'opening';
  /** What is spoken; 0 until it is open. */
  #protocol = 0;
  /** Null once it is over. */
  #handshake: Opening | null;

  constructor(options: SessionOptions<Sends, Receives>) {
    this.#options = options;
    this.#control = this.#newTrack();
    this.#tracks = new Map([['control', this.#control]]);
    this.#handshake = new Opening(options, (body) => options.sink.transmit(encodeFrame(body), 'control'));
  }

  get phase(): Phase {
    return this.#phase;
  }

  /**
   * The dialler speaks first; the listener has nothing to say yet. Call once, when connected. `lanes`: those the
   * connection has, `control` among them.
   */
  start(lanes: readonly Lane[] = ['control']): void {
    for (const lane of lanes) if (lane !== 'control') this.#tracks.set(lane, this.#newTrack());
    this.#handshake?.start();
  }

  /** Takes bytes of a lane in, in any chunking. `chunk` is not kept. */
  receive(chunk: Uint8Array, lane: Lane = 'control'): void {
    if (this.#phase === 'ended') return;
    const track = present(this.#tracks.get(lane), 'a lane of the connection');
    if (track.channels === null && track !== this.#control) {
      this.#end('malformed', `The other side speaks on the lane "${lane}" before the link is open.`);
      return;
    }
    const claimedBytes = track.decoder.push(chunk, (piece, restBytes) => {
      this.#takePiece(track, piece, restBytes);
      return !this.#hasEnded();
    });
    if (claimedBytes !== null) {
      const limit = track.decoder.limitBytes;
      if (claimedBytes === httpAsLength) {
        this.#end('oversized', 'The other side speaks HTTP: this is the port of its API, not the one for workers.');
        return;
      }
      this.#end('oversized', `The other side announced a frame of ${claimedBytes} bytes; ${limit} are allowed.`);
    }
  }

  /**
   * Sends a message; after the end it does nothing. Must be open. Lists too long for one message go out as several, which
   * means the same; one message that cannot be halved and does not fit into 16 MiB ends the session as `oversized`.
   */
  send(message: Sends): void {
    if (this.#phase === 'ended') return;
    const wanted = laneOf(message);
    const lane = this.#tracks.has(wanted) ? wanted : 'control';
    const { sealing } = present(this.#tracks.get(lane)?.channels, 'an open session');
    const { dialect } = this.#options;
    if ((dialect.since?.(message) ?? 0) > this.#protocol) return;
    const row = dialect.pack(message, this.#protocol);
    const tooMany = row.some((field) => Array.isArray(field) && field.length > entriesMax);
    // Messages of files are the ones with byte strings so large that it pays to look for them.
    const parts = tooMany ? null : wanted === 'blobs' ? encodeCborParts(row) : [encodeCbor(row)];
    const encodedBytes = (parts ?? []).reduce((sum, { length }) => sum + length, 0);
    if (parts !== null && encodedBytes <= messageBytesMax) {
      this.#options.sink.transmit(withLength(sealing.seal(parts, frameHeaderBytes)), lane);
      return;
    }
    const halves = dialect.halve(message);
    if (halves === null) {
      const size = parts === null ? `more than ${entriesMax} entries` : `${encodedBytes} bytes`;
      this.#end('oversized', `Cannot send a message of ${size}; ${messageBytesMax} bytes are allowed.`);
      return;
    }
    this.send(halves[0]);
    this.send(halves[1]);
  }

  /** The other side sends no more, on any lane: ends the session, in good order only between two frames of an open one. */
  endOfInput(): void {
    if (this.#phase !== 'open') this.#end('connection_lost', 'The other side hung up during the handshake.');
    else if (this.#isMidFrame()) this.#end('connection_lost', 'The connection ended in the middle of a frame.');
    else this.#end('closed', 'The other side hung up.');
  }

  /** Ends the session from this side without a call of `onEnd`: the owner knows. Idempotent. */
  stop(): void {
    this.#phase = 'ended';
    this.#handshake = null;
  }

  #newTrack(): Track {
    return { decoder: new FrameDecoder(handshakeFrameBytesMax), channels: null, awaitsFirst: false };
  }

  #isMidFrame(): boolean {
    return [...this.#tracks.values()].some(({ decoder }) => decoder.midFrame);
  }

  #hasEnded(): boolean {
    return this.#phase === 'ended';
  }

  #end(code: SessionEnd['code'], detail: string): void {
    if (this.#phase === 'ended') return;
    this.stop();
    this.#options.sink.onEnd({ code, detail });
  }

  /** A frame of the opening is smaller than a piece, so always one. */
  #takePiece(track: Track, piece: Uint8Array, restBytes: number): void {
    if (this.#phase !== 'open') {
      this.#open(piece);
      return;
    }
    const opened = present(track.channels, 'an open session').opening.open(piece, restBytes);
    if (opened === null) this.#end('forged', 'A frame is not authentic: it was altered, repeated, moved or left out.');
    else if (opened !== 'further') this.#takeMessage(track, opened);
  }

  #open(body: Uint8Array): void {
    const outcome = present(this.#handshake, 'a session that is being opened').take(body);
    if (outcome === null) return;
    if (outcome.kind === 'unopened') {
      this.#end(outcome.code, outcome.detail);
      return;
    }
    this.#phase = 'open';
    this.#protocol = outcome.protocol;
    this.#handshake = null;
    this.#openTracks(outcome);
    this.#options.sink.onOpen(outcome.remoteKey, outcome.admission);
  }

  #openTracks({ admission: { by }, channels, channelsOf }: Opened): void {
    const { side, sink } = this.#options;
    for (const [lane, track] of this.#tracks) {
      track.decoder.limitBytes = by === 'nothing' || by === 'invite' ? enrolmentFrameBytesMax : frameBytesMax;
      track.channels = lane === 'control' ? channels : channelsOf(lane);
      if (lane === 'control') continue;
      if (side.role === 'responder') track.awaitsFirst = true;
      else sink.transmit(withLength(track.channels.sealing.seal([], frameHeaderBytes)), lane);
    }
  }

  #takeMessage(track: Track, encoded: Uint8Array): void {
    if (track.awaitsFirst) {
      track.awaitsFirst = false;
      if (encoded.length > 0) this.#end('malformed', 'The other side opened a lane with a message.');
      return;
    }
    let message: Receives;
    try {
      message = this.#options.dialect.check(decodeCbor(encoded), this.#protocol);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#end('malformed', `The other side sent no valid message: ${error.message}.`);
      return;
    }
    const { sink, crypto } = this.#options;
    sink.onMessage(message, laneOf(message) === 'blobs' ? () => crypto.release(encoded) : undefined);
  }
}
