/**
 * The Noise Protocol Framework, revision 34, as much of it as is spoken here: the patterns XX and XXpsk3 over 25519,
 * AESGCM and SHA256. Written to be read beside the specification; its section numbers stand at each piece.
 *
 *   XX:       -> e              XXpsk3:  -> e
 *             <- e, ee, s, es            <- e, ee, s, es
 *             -> s, se                   -> s, se, psk
 *
 * Does no I/O and owns no primitive: `NoiseCrypto` brings them, so that the native and the portable twin can be compared.
 * Private keys and chain keys are not wiped from memory: JavaScript cannot promise that. Not here: fallback patterns,
 * other sizes, 0-RTT.
 */

import { assert, present } from '../base/assert.ts';

/** An X25519 key pair, 32 raw bytes each. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

/** The primitives of Noise sections 4.1 to 4.3 (DH, cipher, hash functions). All synchronous. */
export interface NoiseCrypto {
  generateKeypair(): KeyPair;
  /** Memory in which anything may stand, for what is written over at once. */
  memory(bytes: number): Uint8Array;
  /** Gives back what `memory`, `seal` or `open` gave, so that it is used again; nobody may hold a view of it any more. */
  release(bytes: Uint8Array): void;
  /** Cryptographically strong. */
  randomBytes(count: number): Uint8Array;
  /** The pair of a 32-byte private key. Throws `RangeError` for another length. */
  keypairOf(privateKey: Uint8Array): KeyPair;
  /** 32 bytes; null for a public key without a usable result (low order). */
  dh(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | null;
  sha256(data: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** AES-256-GCM with a 12-byte nonce: ciphertext, then the 16-byte tag. */
  seal(input: AeadInput): Uint8Array;
  /** As `seal` of all the parts in a row, written into `into`, which has room for exactly that. */
  sealInto(input: Omit<AeadInput, 'data'>, parts: readonly Uint8Array[], into: Uint8Array): void;
  /** The plaintext, as a plain `Uint8Array`; null when the tag does not fit. */
  open(input: AeadInput): Uint8Array | null;
}

export interface AeadInput {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ad: Uint8Array;
  /** What to seal, or what to open with its tag at the end. */
  readonly data: Uint8Array;
}

/** Section 4.1: DHLEN. */
export const dhBytes = 32;
/** Bytes of an AESGCM tag. */
export const tagBytes = 16;
/** Section 3: largest Noise message, handshake or transport. */
export const noiseMessageBytesMax = 65_535;

export type Pattern = 'XX' | 'XXpsk3';
export type Role = 'initiator' | 'responder';

type Token = 'e' | 's' | 'ee' | 'es' | 'se' | 'psk';

/** Sections 7.5 and 9.4. */
const patterns: Readonly<Record<Pattern, readonly (readonly Token[])[]>> = {
  XX: [['e'], ['e', 'ee', 's', 'es'], ['s', 'se']],
  XXpsk3: [['e'], ['e', 'ee', 's', 'es'], ['s', 'se', 'psk']],
};

/**
 * A handshake message that cannot be taken. `at` says which part failed: its length, a DH with an unusable key, the
 * sealed static key, or the payload. A wrong pre-shared key shows at the payload of the third message, and only there.
 */
export class NoiseError extends Error {
  override readonly name = 'NoiseError';
  readonly at: 'length' | 'dh' | 'static' | 'payload';

  constructor(at: NoiseError['at'], message: string) {
    super(message);
    this.at = at;
  }
}

const noBytes = new Uint8Array(0);

/** Section 5.1: a key and a counter. Without a key it passes data through. */
export class CipherState {
  readonly crypto: NoiseCrypto;
  #key: Uint8Array | null;
  /** Section 12.4 (AESGCM): the nonce is 4 zero bytes and the counter as 64 bits, big-endian. */
  readonly #nonce = new Uint8Array(12);
  readonly #view = new DataView(this.#nonce.buffer);
  #n = 0;

  constructor(crypto: NoiseCrypto, key: Uint8Array | null) {
    this.crypto = crypto;
    this.#key = key;
  }

  get hasKey(): boolean {
    return this.#key !== null;
  }

  /** EncryptWithAd. */
  encrypt(ad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    if (this.#key === null) return plaintext;
    const sealed = this.crypto.seal({ key: this.#key, nonce: this.#nonce, ad, data: plaintext });
    this.#advance();
    return sealed;
  }

  /** EncryptWithAd of all the parts in a row, without data that goes with them; `into` has room for them and the tag. */
  encryptInto(parts: readonly Uint8Array[], into: Uint8Array): void {
    const key = present(this.#key, 'the key of a cipher that seals messages');
    this.crypto.sealInto({ key, nonce: this.#nonce, ad: noBytes }, parts, into);
    this.#advance();
  }

  /** DecryptWithAd: null when authentication fails; the counter stays where it was then. */
  decrypt(ad: Uint8Array, ciphertext: Uint8Array): Uint8Array | null {
    if (this.#key === null) return ciphertext;
    if (ciphertext.length < tagBytes) return null;
    const plaintext = this.crypto.open({ key: this.#key, nonce: this.#nonce, ad, data: ciphertext });
    if (plaintext !== null) this.#advance();
    return plaintext;
  }

  /** Rekey (sections 4.2, 11.3): the counter goes on. */
  rekey(): void {
    const nonce = new Uint8Array(12).fill(0xff, 4);
    const key = present(this.#key, 'the key of a cipher that is rekeyed');
    const sealed = this.crypto.seal({ key, nonce, ad: noBytes, data: new Uint8Array(32) });
    this.#key = sealed.slice(0, 32);
  }

  #advance(): void {
    this.#n += 1;
    assert(this.#n < Number.MAX_SAFE_INTEGER, 'a Noise cipher has used up its nonces');
    this.#view.setUint32(4, Math.floor(this.#n / 2 ** 32));
    this.#view.setUint32(8, this.#n >>> 0);
  }
}

/** Section 5.2: chaining key, handshake hash, and the cipher they feed. */
class SymmetricState {
  readonly #crypto: NoiseCrypto;
  #chainingKey: Uint8Array;
  #cipher: CipherState;
  hash: Uint8Array;

  /** `hash` is the chaining key at the beginning, too. */
  constructor(crypto: NoiseCrypto, hash: Uint8Array) {
    this.#crypto = crypto;
    this.hash = hash;
    this.#chainingKey = hash;
    this.#cipher = new CipherState(crypto, null);
  }

  /** InitializeSymmetric: a name of at most HASHLEN bytes is padded with zeros, not hashed; ours have 28 and 32. */
  static named(crypto: NoiseCrypto, protocolName: string): SymmetricState {
    const name = new TextEncoder().encode(protocolName);
    assert(name.length <= 32, 'a Noise protocol name is longer than a hash');
    const hash = new Uint8Array(32);
    hash.set(name);
    return new SymmetricState(crypto, hash);
  }

  /** What it would be with this pre-shared key; itself stays as it is. The cipher need not be copied: it gets a new key. */
  withKeyAndHash(input: Uint8Array): SymmetricState {
    const copy = new SymmetricState(this.#crypto, this.hash);
    copy.#chainingKey = this.#chainingKey;
    copy.mixKeyAndHash(input);
    return copy;
  }

  get hasKey(): boolean {
    return this.#cipher.hasKey;
  }

  mixKey(input: Uint8Array): void {
    const [chainingKey, key] = this.#hkdf(input, 2);
    this.#chainingKey = chainingKey;
    this.#cipher = new CipherState(this.#crypto, key);
  }

  mixHash(data: Uint8Array): void {
    this.hash = this.#crypto.sha256(concat(this.hash, data));
  }

  /** Section 9.1 uses this for pre-shared keys. */
  mixKeyAndHash(input: Uint8Array): void {
    const [chainingKey, hashed, key] = this.#hkdf(input, 3);
    this.#chainingKey = chainingKey;
    this.mixHash(hashed);
    this.#cipher = new CipherState(this.#crypto, key);
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const ciphertext = this.#cipher.encrypt(this.hash, plaintext);
    this.mixHash(ciphertext);
    return ciphertext;
  }

  decryptAndHash(ciphertext: Uint8Array): Uint8Array | null {
    const plaintext = this.#cipher.decrypt(this.hash, ciphertext);
    if (plaintext !== null) this.mixHash(ciphertext);
    return plaintext;
  }

  /** Split: the cipher of the initiator's messages, then that of the responder's; another pair for each `label`. */
  split(label: Uint8Array): readonly [CipherState, CipherState] {
    const [first, second] = this.#hkdf(label, 2);
    return [new CipherState(this.#crypto, first), new CipherState(this.#crypto, second)];
  }

  /** Section 4.3. The third output is empty unless asked for. */
  #hkdf(input: Uint8Array, outputs: 2 | 3): readonly [Uint8Array, Uint8Array, Uint8Array] {
    const { hmacSha256 } = this.#crypto;
    const temp = hmacSha256(this.#chainingKey, input);
    const first = hmacSha256(temp, Uint8Array.of(1));
    const second = hmacSha256(temp, concat(first, Uint8Array.of(2)));
    return [first, second, outputs === 3 ? hmacSha256(temp, concat(second, Uint8Array.of(3))) : noBytes];
  }
}

export interface HandshakeOptions {
  readonly crypto: NoiseCrypto;
  readonly pattern: Pattern;
  readonly role: Role;
  /** What both sides must already agree on. */
  readonly prologue: Uint8Array;
  readonly staticKeypair: KeyPair;
  /**
   * The pre-shared keys of XXpsk3, 32 bytes each, for the node with this static key; asked for once, at message 3, when
   * that key is known and authentic. The initiator uses the first, the responder tries one after the other: it may hold
   * several. Unused by XX.
   */
  readonly psks: (remoteStatic: Uint8Array) => readonly Uint8Array[];
  /** Only for published vectors; otherwise drawn anew, which the security of the handshake rests on. */
  readonly ephemeral?: KeyPair;
}

/** Section 5.3. Messages are written and read in turn, the initiator writes first; three in all. */
export class HandshakeState {
  readonly #options: HandshakeOptions;
  #symmetric: SymmetricState;
  #ephemeral: KeyPair | null;
  #remoteEphemeral: Uint8Array | null = null;
  #remoteStatic: Uint8Array | null = null;
  #pskIndex: number | null = null;
  #next = 0;

  constructor(options: HandshakeOptions) {
    this.#options = options;
    this.#symmetric = SymmetricState.named(options.crypto, `Noise_${options.pattern}_25519_AESGCM_SHA256`);
    this.#symmetric.mixHash(options.prologue);
    this.#ephemeral = options.ephemeral ?? null;
  }

  get finished(): boolean {
    return this.#next === patterns[this.#options.pattern].length;
  }

  /** Section 11.2: names this session; both sides have the same. */
  get handshakeHash(): Uint8Array {
    return this.#symmetric.hash;
  }

  /** The other side's static public key, once it was read. */
  get remoteStatic(): Uint8Array {
    return present(this.#remoteStatic, 'the static key of the other side');
  }

  /** Which of `psks` the other side used; null before message 3 was read, and without any. */
  get pskIndex(): number | null {
    return this.#pskIndex;
  }

  /** WriteMessage. */
  writeMessage(payload: Uint8Array): Uint8Array {
    const { crypto, staticKeypair, pattern, psks } = this.#options;
    const symmetric = this.#symmetric;
    const parts: Uint8Array[] = [];
    for (const token of this.#takeTokens('writes')) {
      if (token === 'e') {
        this.#ephemeral ??= crypto.generateKeypair();
        parts.push(this.#ephemeral.publicKey);
        symmetric.mixHash(this.#ephemeral.publicKey);
        // Section 9.2: with a psk modifier the ephemeral key is mixed in as a key as well.
        if (pattern === 'XXpsk3') symmetric.mixKey(this.#ephemeral.publicKey);
      } else if (token === 's') {
        parts.push(symmetric.encryptAndHash(staticKeypair.publicKey));
      } else if (token === 'psk') {
        symmetric.mixKeyAndHash(checkedPsk(psks(this.remoteStatic)[0]));
      } else {
        this.#mix(token);
      }
    }
    parts.push(symmetric.encryptAndHash(payload));
    return concat(...parts);
  }

  /** ReadMessage: the payload. Throws `NoiseError`; the handshake is of no use afterwards. */
  readMessage(message: Uint8Array): Uint8Array {
    const symmetric = this.#symmetric;
    let at = 0;
    const take = (bytes: number): Uint8Array => {
      if (message.length - at < bytes) throw new NoiseError('length', 'a handshake message is too short');
      at += bytes;
      return message.slice(at - bytes, at);
    };
    if (message.length > noiseMessageBytesMax) throw new NoiseError('length', 'a handshake message is too long');
    const tokens = this.#takeTokens('reads');
    for (const token of tokens) {
      if (token === 'e') {
        this.#remoteEphemeral = take(dhBytes);
        symmetric.mixHash(this.#remoteEphemeral);
        if (this.#options.pattern === 'XXpsk3') symmetric.mixKey(this.#remoteEphemeral);
      } else if (token === 's') {
        this.#remoteStatic = symmetric.decryptAndHash(take(dhBytes + (symmetric.hasKey ? tagBytes : 0)));
        if (this.#remoteStatic === null) throw new NoiseError('static', 'a static key is not authentic');
      } else if (token !== 'psk') {
        this.#mix(token);
      }
    }
    // "psk" is the last token before the payload (9.4), so the payload tells which key it is.
    const rest = message.subarray(at);
    const payload = tokens.includes('psk') ? this.#openByPsk(rest) : symmetric.decryptAndHash(rest);
    if (payload === null) throw new NoiseError('payload', 'a handshake payload is not authentic');
    return payload;
  }

  /**
   * Split: after the last message, the ciphers for what is sent and what is received. With a `label` they are a further
   * pair, for a stream beside the first: HKDF of the chaining key with the label instead of nothing (as the extension
   * "Additional Symmetric Keys" draws its own), so no pair tells anything about another.
   */
  split(label: Uint8Array = noBytes): { readonly sending: CipherState; readonly receiving: CipherState } {
    assert(this.finished, 'a Noise handshake is split before its end');
    const [initiators, responders] = this.#symmetric.split(label);
    return this.#options.role === 'initiator'
      ? { sending: initiators, receiving: responders }
      : { sending: responders, receiving: initiators };
  }

  /** Opens the payload of message 3 with the first key that fits, and goes on with that. */
  #openByPsk(sealed: Uint8Array): Uint8Array | null {
    for (const [index, psk] of this.#options.psks(this.remoteStatic).entries()) {
      const tried = this.#symmetric.withKeyAndHash(checkedPsk(psk));
      const payload = tried.decryptAndHash(sealed);
      if (payload === null) continue;
      this.#symmetric = tried;
      this.#pskIndex = index;
      return payload;
    }
    return null;
  }

  #takeTokens(act: 'writes' | 'reads'): readonly Token[] {
    const initiatorWrites = this.#next % 2 === 0;
    const writes = initiatorWrites === (this.#options.role === 'initiator');
    assert(writes === (act === 'writes'), 'a Noise handshake message is taken out of turn');
    const tokens = present(patterns[this.#options.pattern][this.#next], 'a further handshake message');
    this.#next += 1;
    return tokens;
  }

  /** The tokens that mix in a secret: "es" is the initiator's ephemeral with the responder's static key, and so on. */
  #mix(token: 'ee' | 'es' | 'se'): void {
    const [initiators, responders] = [token[0], token[1]];
    const [ours, theirs] = this.#options.role === 'initiator' ? [initiators, responders] : [responders, initiators];
    const local = ours === 'e' ? present(this.#ephemeral, 'our ephemeral key') : this.#options.staticKeypair;
    const remote = theirs === 'e' ? this.#remoteEphemeral : this.#remoteStatic;
    const shared = this.#options.crypto.dh(local.privateKey, present(remote, 'a key of the other side'));
    // Section 12.1 leaves it open to refuse a zero result; taking one would let a peer choose the shared secret.
    if (shared === null || shared.every((byte) => byte === 0))
      throw new NoiseError('dh', 'a public key is of low order');
    this.#symmetric.mixKey(shared);
  }
}

function checkedPsk(psk: Uint8Array | undefined): Uint8Array {
  assert(psk?.length === 32, 'XXpsk3 needs a pre-shared key of 32 bytes');
  return psk;
}

/** The parts in a row, in one new array. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
