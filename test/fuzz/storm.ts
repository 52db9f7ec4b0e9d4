/**
 * A storm of frames on a session, from a seed: random ones and honest ones that were changed, before, in and after the
 * handshake, on either side, under every claim; and behind the handshake also messages that are sealed in good order and
 * hold what no node would say. What has to hold is checked with every frame: nothing is thrown, no message comes through
 * that an honest node could not have sent, every session ends with a known code, and answers stay small.
 *
 * The handshakes are real, but their key pairs come from a small pool and what two of them have in common is remembered:
 * X25519 itself is not what is tried here, and it would take all the time.
 */

import { nativeCrypto } from '../../src/runtime/crypto.ts';
import type { Proof } from '../../src/wire/admission.ts';
import { decodeCbor, encodeCbor } from '../../src/wire/cbor.ts';
import { dispatcherDialect, workerDialect } from '../../src/wire/dialects.ts';
import { encodeFrame, frameHeaderBytes } from '../../src/wire/frame.ts';
import type { DispatcherMessage, WorkerMessage } from '../../src/wire/messages.ts';
import type { KeyPair, NoiseCrypto } from '../../src/wire/noise.ts';
import { type Opened, Opening, type Side } from '../../src/wire/opening.ts';
import { type Dialect, Session } from '../../src/wire/session.ts';
import { dispatcherMessages, workerMessages } from '../unit/wire/samples.ts';
import { drawBytes, seeded } from '../unit/wire/seeded.ts';

export interface StormOptions {
  readonly frames: number;
  readonly seed: number;
}

export interface StormReport {
  readonly frames: number;
  /** Sessions that were struck. */
  readonly sessions: number;
  /** Frames by what the session was doing. */
  readonly during: Readonly<Record<'hello' | 'handshake' | 'open', number>>;
  /** Sessions by the code they ended with; `none` = survived. */
  readonly ends: Readonly<Record<string, number>>;
  /** Messages of an insider that passed every check. */
  readonly accepted: number;
  /** Longest time one frame took, ms. */
  readonly longestMs: number;
}

/** Every code a session may end with when bytes are all that happens to it. */
const codes = ['wrong_secret', 'wrong_key', 'version_mismatch', 'malformed', 'oversized', 'forged', 'refused', 'none'];
/** Bytes a session may answer to those of one storm, before it is open and after. */
const answerBytesMax = 1024;
/** Frames one session gets at most. */
const framesPerSession = 40;

type Draw = (below: number) => number;

/** The native primitives with `pairs` key pairs in all. Each use of the pool gives the next. */
function pooledCrypto(pairs: number): NoiseCrypto {
  const pool = Array.from({ length: pairs }, () => nativeCrypto.generateKeypair());
  const shared = new Map<string, Uint8Array | null>();
  const known = new Set(pool.map(({ publicKey }) => publicKey.toHex()));
  let next = 0;
  return {
    ...nativeCrypto,
    generateKeypair: () => pool[next++ % pairs] as KeyPair,
    dh(privateKey, publicKey) {
      const other = publicKey.toHex();
      if (!known.has(other)) return nativeCrypto.dh(privateKey, publicKey);
      const place = `${privateKey.toHex()} ${other}`;
      const found = shared.get(place) ?? nativeCrypto.dh(privateKey, publicKey);
      shared.set(place, found);
      return found;
    },
  };
}

const psk = new Uint8Array(32).fill(3);
const crypto = pooledCrypto(16);
const keys = { initiator: crypto.generateKeypair(), responder: crypto.generateKeypair() };
const dispatcherKey = keys.responder.publicKey.toHex();
const proofs: readonly Proof[] = [
  { by: 'secret', psk },
  { by: 'credential', psk, dispatcherKey },
  { by: 'invite', sums: null, inviteId: '0011223344556677', psk, dispatcherKey },
  { by: 'peer', psk, peerKey: dispatcherKey },
  { by: 'nothing' },
];

/** The struck session, and a peer that opens it in good order as far as it is wanted to. */
class Scene<Sends extends { readonly kind: string }, Receives extends { readonly kind: string }> {
  readonly session: Session<Sends, Receives>;
  readonly messages: Receives[] = [];
  /** Frames of the peer that have not been delivered. */
  readonly fromPeer: Uint8Array[] = [];
  end: string | null = null;
  answeredBytes = 0;
  peerOpened: Opened | null = null;
  readonly #peer: Opening;

  constructor(sides: { readonly struck: Side; readonly peer: Side }, dialect: Dialect<Sends, Receives>) {
    this.#peer = new Opening({ side: sides.peer, crypto, staticKeypair: keys[sides.peer.role] }, (body) => {
      this.fromPeer.push(encodeFrame(body));
    });
    this.session = new Session<Sends, Receives>({
      side: sides.struck,
      crypto,
      staticKeypair: keys[sides.struck.role],
      dialect,
      sink: {
        transmit: (frame) => this.#answered(frame),
        onOpen() {},
        onMessage: (message) => this.messages.push(message),
        onEnd: ({ code }) => {
          this.end = code;
        },
      },
    });
    this.#peer.start();
    this.session.start();
  }

  /** Delivers honest frames until `count` were, or none is left. */
  advance(count: number): void {
    for (let i = 0; i < count && this.fromPeer.length > 0; i++) {
      this.session.receive(this.fromPeer.shift() ?? new Uint8Array(0));
    }
    this.answeredBytes = 0;
  }

  #answered(frame: Uint8Array): void {
    this.answeredBytes += frame.length;
    if (this.peerOpened !== null || this.end !== null) return;
    const outcome = this.#peer.take(frame.subarray(frameHeaderBytes));
    if (outcome?.kind === 'opened') this.peerOpened = outcome;
  }
}

/** Changes, cuts, lengthens, repeats or replaces a frame. */
function mutated(draw: Draw, frame: Uint8Array): Uint8Array {
  const body = frame.slice(frameHeaderBytes);
  switch (draw(9)) {
    case 0:
      return drawBytes(draw, 1 + draw(80));
    case 1:
      return encodeFrame(drawBytes(draw, draw(120)));
    case 2:
      return encodeFrame(body.slice(0, draw(body.length + 1)));
    case 3:
      return encodeFrame(Uint8Array.of(...body, ...drawBytes(draw, 1 + draw(20))));
    case 4:
      // Of the right kind, and random behind it.
      return encodeFrame(Uint8Array.of(body[0] ?? 0, ...drawBytes(draw, draw(body.length + 20))));
    case 5: {
      // The length says something else than what follows.
      const lying = frame.slice();
      lying[draw(frameHeaderBytes)] = draw(256);
      return lying;
    }
    default:
      for (let flips = draw(3); flips >= 0 && body.length > 0; flips--) body[draw(body.length)] = draw(256);
      return encodeFrame(body);
  }
}

/** The CBOR of a message that was changed somewhere. */
function mutatedContent(draw: Draw, honest: Uint8Array, other: Uint8Array): Uint8Array {
  const content = honest.slice();
  switch (draw(6)) {
    case 0:
      return drawBytes(draw, draw(60));
    case 1:
      return content.slice(0, draw(content.length));
    case 2: {
      const at = draw(content.length);
      const from = draw(other.length);
      return Uint8Array.of(
        ...content.subarray(0, at),
        ...other.subarray(from, from + draw(40)),
        ...content.subarray(at),
      );
    }
    default:
      for (let flips = draw(2); flips >= 0; flips--) content[draw(content.length)] = draw(256);
      return content;
  }
}

class Storm<Sends extends { readonly kind: string }, Receives extends { readonly kind: string }> {
  readonly during = { hello: 0, handshake: 0, open: 0 };
  readonly ends: Record<string, number> = {};
  sessions = 0;
  accepted = 0;
  longestMs = 0;
  readonly #draw: Draw;
  readonly #dialect: Dialect<Sends, Receives>;
  readonly #back: Dialect<Receives, Sends>;
  readonly #contents: readonly Uint8Array[];

  /** `back` speaks the other direction; `samples` are what an honest peer says. */
  constructor(
    draw: Draw,
    dialect: Dialect<Sends, Receives>,
    back: Dialect<Receives, Sends>,
    samples: readonly Receives[],
  ) {
    this.#draw = draw;
    this.#dialect = dialect;
    this.#back = back;
    // Copies: the encoder gives views of a buffer it goes on to use.
    this.#contents = samples.map((sample) => encodeCbor(back.pack(sample)).slice());
  }

  get frames(): number {
    return this.during.hello + this.during.handshake + this.during.open;
  }

  /** Strikes one session. */
  strike(role: Side['role']): void {
    const draw = this.#draw;
    const proof = proofs[draw(proofs.length)] ?? { by: 'nothing' };
    const dialler: Side = { role: 'initiator', proof };
    const listener: Side = {
      role: 'responder',
      gate: {
        admits: ['secret', 'credential', 'invite', 'peer', ...(draw(8) > 0 ? (['nothing'] as const) : [])],
        candidates: () => [{ psk, keyId: 'present' }],
      },
    };
    const sides = role === 'initiator' ? { struck: dialler, peer: listener } : { struck: listener, peer: dialler };
    const scene = new Scene(sides, this.#dialect);
    const stage = draw(4);
    scene.advance(stage);
    this.sessions += 1;
    const phase = scene.session.phase === 'open' ? 'open' : stage === 0 ? 'hello' : 'handshake';
    const insider = phase === 'open' && draw(4) > 0 ? scene.peerOpened : null;
    const honest = scene.fromPeer[0] ?? encodeFrame(this.#content());
    for (let i = 0; i < framesPerSession && scene.session.phase !== 'ended'; i++) {
      const frame = insider === null ? mutated(draw, honest) : this.#sealed(insider);
      this.during[phase] += 1;
      this.#deliver(scene, frame);
      if (insider === null && scene.messages.length > 0) throw new Error(`a false message came through (${phase})`);
    }
    this.#judge(scene);
  }

  #content(): Uint8Array {
    return this.#contents[this.#draw(this.#contents.length)] ?? new Uint8Array(0);
  }

  #sealed({ channels: { sealing } }: Opened): Uint8Array {
    const content =
      this.#draw(4) === 0 ? this.#content() : mutatedContent(this.#draw, this.#content(), this.#content());
    return encodeFrame(sealing.seal([content]));
  }

  /** In one piece or in several. */
  #deliver(scene: Scene<Sends, Receives>, frame: Uint8Array): void {
    const cut = this.#draw(3) === 0 ? this.#draw(frame.length) : 0;
    const before = performance.now();
    if (cut > 0) scene.session.receive(frame.subarray(0, cut));
    scene.session.receive(frame.subarray(cut));
    this.longestMs = Math.max(this.longestMs, performance.now() - before);
  }

  #judge(scene: Scene<Sends, Receives>): void {
    const end = scene.end ?? 'none';
    if (!codes.includes(end)) throw new Error(`a session ended with ${end}`);
    if (scene.answeredBytes > answerBytesMax) throw new Error(`a session answered with ${scene.answeredBytes} bytes`);
    this.ends[end] = (this.ends[end] ?? 0) + 1;
    this.accepted += scene.messages.length;
    // What came through is a message in every field: it can be said again, and says the same then.
    for (const message of scene.messages) {
      const again = this.#dialect.check(decodeCbor(encodeCbor(this.#back.pack(message)).slice()));
      if (!Bun.deepEquals(again, message)) throw new Error(`a message changed: ${JSON.stringify(message)}`);
    }
  }
}

/** Runs until `frames` frames were delivered. Throws when something does not hold. */
export function runStorm({ frames, seed }: StormOptions): StormReport {
  const draw = seeded(seed);
  const onWorker = new Storm<WorkerMessage, DispatcherMessage>(
    draw,
    workerDialect,
    dispatcherDialect,
    dispatcherMessages,
  );
  const onDispatcher = new Storm<DispatcherMessage, WorkerMessage>(
    draw,
    dispatcherDialect,
    workerDialect,
    workerMessages,
  );
  while (onWorker.frames + onDispatcher.frames < frames) {
    // The dispatcher is what strangers reach.
    if (draw(3) === 0) onWorker.strike('initiator');
    else onDispatcher.strike('responder');
  }
  const ends: Record<string, number> = {};
  const during = { hello: 0, handshake: 0, open: 0 };
  for (const storm of [onWorker, onDispatcher]) {
    for (const [code, count] of Object.entries(storm.ends)) ends[code] = (ends[code] ?? 0) + count;
    for (const phase of ['hello', 'handshake', 'open'] as const) during[phase] += storm.during[phase];
  }
  return {
    frames: onWorker.frames + onDispatcher.frames,
    sessions: onWorker.sessions + onDispatcher.sessions,
    during,
    ends,
    accepted: onWorker.accepted + onDispatcher.accepted,
    longestMs: Math.max(onWorker.longestMs, onDispatcher.longestMs),
  };
}
