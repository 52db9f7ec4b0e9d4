/**
 * The opening of a session: from the first byte to two sealed directions, as a state machine over frame bodies.
 *
 *   phase       dialler (initiator)                          listener (responder)
 *   hello       has sent its hello; takes a hello  ─┐        takes a hello, answers with its own ─> request
 *   response    has sent message 1; takes message 2 ┘        -
 *   request     -                                            takes message 1, sends message 2 ─> proof
 *   proof       -                                            takes message 3, sends accept ─> opened
 *   acceptance  has sent message 3; takes accept ─> opened   -
 *
 * The dialler says in its hello by what it asks to be admitted. With a key to show, that is Noise XXpsk3: the listener
 * learns who dials in message 3, before it needs the pre-shared key, and only then looks for the keys that would do. A
 * dialler that knows the key of the node it means hangs up before message 3 when another answers: it tells a stranger neither its
 * own static key nor anything made with its pre-shared key. Without a key it is Noise XX, and the payloads of messages 1
 * and 3 carry the commitment and the nonce of `admission.ts`.
 *
 * The dialler calls the link open only after the sealed accept: with XXpsk3 only that proves that the listener holds the
 * key too. The listener sees a wrong key in message 3 and says so in clear, for the sake of a good sentence on the other
 * side; such a decline is believed before the end of the opening only, where the worst it does is what cutting the wire
 * does.
 */

import { present, unreachable } from '../base/assert.ts';
import {
  type Admission,
  admissionOf,
  approvalCode,
  type Claim,
  commitmentBytes,
  commitmentTo,
  fingerprint,
  nonceBytes,
  type Proof,
} from './admission.ts';
import { OpeningChannel, rekeyPiecesDefault, SealingChannel } from './channel.ts';
import { encodeFrame } from './frame.ts';
import {
  type DeclineReason,
  decodeDecline,
  decodeHello,
  encodeDecline,
  encodeHello,
  frameKinds,
  type Hello,
  versionMismatch,
} from './hello.ts';
import type { Lane } from './lanes.ts';
import { protocolVersion, protocolVersionMin } from './messages.ts';
import { concat, HandshakeState, type KeyPair, type NoiseCrypto, NoiseError } from './noise.ts';
import { claimed, declined, type Unopened, unopened, wrongProof } from './unopened.ts';

/** A pre-shared key a listener would accept; 32 bytes. `keyId` names the cluster secret behind it. */
export interface Candidate {
  readonly psk: Uint8Array;
  readonly keyId: string;
}

/** What a listener accepts. */
export interface Gate {
  /** Claims that are listened to; others are declined before the handshake. */
  readonly admits: readonly Claim['by'][];
  /**
   * The keys with which the node with this static public key (32 bytes) shows its claim to be true, the likeliest first.
   * Called when the node has proved that the static key is its own; never for the claim `nothing`.
   */
  candidates(claim: Claim, remoteKey: Uint8Array): readonly Candidate[];
}

/** Which end of the connection this is, and what that end needs to know. */
export type Side =
  | { readonly role: 'initiator'; readonly proof: Proof }
  | { readonly role: 'responder'; readonly gate: Gate };

export interface OpeningOptions {
  readonly side: Side;
  readonly crypto: NoiseCrypto;
  readonly staticKeypair: KeyPair;
  /** Protocol versions spoken; the default is this program's. */
  readonly versions?: Pick<Hello, 'version' | 'versionMin'>;
  /** Pieces after which a direction takes a new key; both sides must agree. */
  readonly rekeyPieces?: number;
}

/** Both directions of a lane. */
export interface Channels {
  readonly sealing: SealingChannel;
  readonly opening: OpeningChannel;
}

/** Both sides are authenticated. */
export interface Opened {
  readonly kind: 'opened';
  /** Of `control`. */
  readonly channels: Channels;
  /** Both directions of another lane, under keys of their own; to be asked for once a lane. */
  channelsOf(lane: Exclude<Lane, 'control'>): Channels;
  /** The other's static public key, 32 bytes. */
  readonly remoteKey: Uint8Array;
  readonly admission: Admission;
  /** The version of the protocol that is spoken: the newest that both sides know. */
  readonly protocol: number;
}

type Phase = 'hello' | 'response' | 'request' | 'proof' | 'acceptance';

const noBytes = new Uint8Array(0);
const utf8 = new TextEncoder();

/** One connection's opening. `transmit` takes frame bodies for the other side. */
export class Opening {
  readonly #options: OpeningOptions;
  readonly #transmit: (body: Uint8Array) => void;
  readonly #hello: Hello;
  readonly #helloBody: Uint8Array;
  /** What the dialler claims: of the listener once it has heard it. */
  #claim: Claim = { by: 'nothing' };
  #phase: Phase = 'hello';
  #handshake: HandshakeState | null = null;
  #channels: Channels | null = null;
  /** The dialler's nonce; the listener's copy of the commitment to it. Of use when nothing is claimed. */
  #nonce: Uint8Array = noBytes;
  #commitment: Uint8Array = noBytes;
  #candidates: readonly Candidate[] = [];
  #protocol: number;

  constructor(options: OpeningOptions, transmit: (body: Uint8Array) => void) {
    const { side, versions } = options;
    this.#options = options;
    this.#transmit = transmit;
    if (side.role === 'initiator') this.#claim = side.proof;
    this.#hello = { ...(versions ?? { version: protocolVersion, versionMin: protocolVersionMin }), claim: this.#claim };
    this.#helloBody = encodeHello(this.#hello);
    this.#protocol = this.#hello.version;
  }

  /** The dialler speaks first; the listener has nothing to say yet. Call once, when connected. */
  start(): void {
    if (this.#options.side.role === 'initiator') this.#transmit(this.#helloBody);
  }

  /** Takes a frame in, which is valid during the call only; null = goes on. Nothing may be taken after an outcome. */
  take(body: Uint8Array): Opened | Unopened | null {
    const { side } = this.#options;
    if (body[0] === frameKinds.decline && side.role === 'initiator') return declined(decodeDecline(body), side.proof);
    try {
      return this.#takeInPhase(body);
    } catch (error) {
      if (!(error instanceof NoiseError)) throw error;
      return this.#failed(error);
    }
  }

  #takeInPhase(body: Uint8Array): Opened | Unopened | null {
    switch (this.#phase) {
      case 'hello':
        return this.#takeHello(body);
      case 'request':
        return this.#takeRequest(body);
      case 'response':
        return this.#takeResponse(body);
      case 'proof':
        return this.#takeProof(body);
      case 'acceptance':
        return this.#takeAcceptance(body);
      default:
        return unreachable(this.#phase);
    }
  }

  #takeHello(body: Uint8Array): Unopened | null {
    const { side } = this.#options;
    const theirs = decodeHello(body);
    if (theirs === null) return this.#junk();
    // A copy before anything else: `body` is the decoder's, and the prologue wants the bytes as they came.
    const helloOfOther = body.slice();
    if (side.role === 'responder') this.#transmit(this.#helloBody);
    const mismatch = versionMismatch(this.#hello, theirs);
    if (mismatch !== null) return this.#decline('version_mismatch', 'version_mismatch', mismatch);
    this.#protocol = Math.min(this.#hello.version, theirs.version);
    if (side.role === 'responder') {
      const { claim } = theirs;
      if (claim === null) return this.#decline('refused', 'refused', 'It asks to be admitted in an unknown way.');
      if (!side.gate.admits.includes(claim.by))
        return this.#decline('refused', 'refused', `It ${claimed[claim.by]}, and such nodes are not taken here.`);
      this.#claim = claim;
    }
    this.#shakeHands(side.role === 'initiator' ? [this.#helloBody, helloOfOther] : [helloOfOther, this.#helloBody]);
    return null;
  }

  /** Begins the handshake over both hellos, the dialler's first. */
  #shakeHands(hellos: readonly Uint8Array[]): void {
    const { side, crypto, staticKeypair } = this.#options;
    const handshake = new HandshakeState({
      crypto,
      role: side.role,
      pattern: this.#claim.by === 'nothing' ? 'XX' : 'XXpsk3',
      // Each with its length prefix, so that the border between the two is bound as well.
      prologue: concat(...hellos.map(encodeFrame)),
      staticKeypair,
      psks: (remoteKey) => this.#psks(remoteKey),
    });
    this.#handshake = handshake;
    if (side.role === 'responder') {
      this.#phase = 'request';
      return;
    }
    if (this.#claim.by === 'nothing') {
      this.#nonce = crypto.randomBytes(nonceBytes);
      this.#commitment = commitmentTo(crypto, this.#nonce, staticKeypair.publicKey);
    }
    this.#write(handshake, this.#commitment);
    this.#phase = 'response';
  }

  #psks(remoteKey: Uint8Array): readonly Uint8Array[] {
    const { side } = this.#options;
    if (side.role === 'initiator') return side.proof.by === 'nothing' ? [] : [side.proof.psk];
    this.#candidates = side.gate.candidates(this.#claim, remoteKey);
    return this.#candidates.map(({ psk }) => psk);
  }

  /** Message 1, at the listener. */
  #takeRequest(body: Uint8Array): Unopened | null {
    const payload = this.#read(body);
    if (payload?.length !== (this.#claim.by === 'nothing' ? commitmentBytes : 0)) return this.#junk();
    this.#commitment = payload;
    this.#write(present(this.#handshake, 'a handshake'), noBytes);
    this.#phase = 'proof';
    return null;
  }

  /** Message 2, at the dialler. */
  #takeResponse(body: Uint8Array): Unopened | null {
    const payload = this.#read(body);
    if (payload?.length !== 0) return this.#junk();
    const handshake = present(this.#handshake, 'a handshake');
    const stranger = this.#strangerThere(handshake.remoteStatic);
    if (stranger !== null) return stranger;
    this.#write(handshake, this.#nonce);
    this.#phase = 'acceptance';
    return null;
  }

  /** Somebody else than the node this dialler means to speak to. */
  #strangerThere(remoteKey: Uint8Array): Unopened | null {
    const { side, crypto } = this.#options;
    const key = side.role === 'initiator' ? keyMeant(side.proof) : null;
    if (key === null || remoteKey.toHex() === key) return null;
    const [there, meant] = [remoteKey, Uint8Array.fromHex(key)].map((each) => fingerprint(crypto, each));
    const who = this.#claim.by === 'peer' ? 'node' : 'dispatcher';
    return unopened('wrong_key', `Another ${who} answers: its key is ${there}, and ${meant} was meant.`);
  }

  /** Message 3, at the listener. */
  #takeProof(body: Uint8Array): Opened | Unopened {
    const { crypto } = this.#options;
    const payload = this.#read(body);
    if (payload?.length !== (this.#claim.by === 'nothing' ? nonceBytes : 0)) return this.#junk();
    const handshake = present(this.#handshake, 'a handshake');
    if (this.#claim.by === 'nothing') {
      const shown = commitmentTo(crypto, payload, handshake.remoteStatic);
      if (shown.some((byte, i) => byte !== this.#commitment[i]))
        return unopened('forged', 'The other side shows another key or number than it committed to.');
    }
    const { sealing } = this.#split(handshake);
    this.#transmit(prefixed(frameKinds.accept, sealing.seal([])));
    return this.#opened(handshake);
  }

  #takeAcceptance(body: Uint8Array): Opened | Unopened {
    if (body[0] !== frameKinds.accept) return this.#junk();
    const handshake = present(this.#handshake, 'a handshake');
    const proof = this.#split(handshake).opening.open(body.subarray(1), 0);
    if (proof?.length !== 0) return unopened('forged', 'The acceptance of the other side is not authentic.');
    return this.#opened(handshake);
  }

  #opened(handshake: HandshakeState): Opened {
    const { crypto } = this.#options;
    const channels = present(this.#channels, 'two sealed directions');
    const candidate = this.#candidates[handshake.pskIndex ?? this.#candidates.length];
    const code = approvalCode(crypto, handshake.handshakeHash);
    const admission = admissionOf(this.#claim, { keyId: candidate?.keyId ?? '', code });
    return {
      kind: 'opened',
      channels,
      channelsOf: (lane) => this.#channelsFrom(handshake.split(utf8.encode(`octaskly lane ${lane}`))),
      remoteKey: handshake.remoteStatic,
      admission,
      protocol: this.#protocol,
    };
  }

  #split(handshake: HandshakeState): Channels {
    this.#channels = this.#channelsFrom(handshake.split());
    return this.#channels;
  }

  #channelsFrom({ sending, receiving }: ReturnType<HandshakeState['split']>): Channels {
    const rekeyPieces = this.#options.rekeyPieces ?? rekeyPiecesDefault;
    return {
      sealing: new SealingChannel(sending, rekeyPieces),
      opening: new OpeningChannel(receiving, rekeyPieces),
    };
  }

  #write(handshake: HandshakeState, payload: Uint8Array): void {
    this.#transmit(prefixed(frameKinds.noise, handshake.writeMessage(payload)));
  }

  /** The payload of the next handshake message; null when the frame holds none. */
  #read(body: Uint8Array): Uint8Array | null {
    if (body[0] !== frameKinds.noise) return null;
    return present(this.#handshake, 'a handshake').readMessage(body.subarray(1));
  }

  #failed(error: NoiseError): Unopened {
    if (this.#phase === 'proof' && error.at === 'payload' && this.#claim.by !== 'nothing')
      return this.#decline('wrong_secret', 'wrong_secret', wrongProof[this.#claim.by].there);
    return unopened(error.at === 'length' ? 'malformed' : 'forged', `The handshake failed: ${error.message}.`);
  }

  /** The listener says why in clear; the dialler just hangs up. */
  #decline(reason: DeclineReason, code: Unopened['code'], detail: string): Unopened {
    if (this.#options.side.role === 'responder') this.#transmit(encodeDecline(reason));
    return unopened(code, detail);
  }

  #junk(): Unopened {
    return unopened('malformed', `The other side does not speak octaskly's protocol (phase ${this.#phase}).`);
  }
}

/** The only static key (hex) a dialler with this proof speaks to; null = any. */
function keyMeant(proof: Proof): string | null {
  if ('dispatcherKey' in proof) return proof.dispatcherKey;
  return proof.by === 'peer' ? proof.peerKey : null;
}

function prefixed(kind: number, body: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(kind), body);
}
