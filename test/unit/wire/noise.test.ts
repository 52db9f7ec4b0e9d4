import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nativeCrypto } from '../../../src/runtime/crypto.ts';
import { createPortableCrypto } from '../../../src/wire/crypto-portable.ts';
import {
  type HandshakeOptions,
  HandshakeState,
  type NoiseCrypto,
  NoiseError,
  type Pattern,
} from '../../../src/wire/noise.ts';
import { drawBytes, seeded } from './seeded.ts';

const twins: readonly (readonly [string, NoiseCrypto])[] = [
  ['native', nativeCrypto],
  ['portable', createPortableCrypto((count) => new Uint8Array(randomBytes(count)))],
];

const vectorsFile = join(import.meta.dir, '../../../../shared/vectors/noise.json');

interface Vector {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly init_psks?: readonly string[];
  readonly init_static: string;
  readonly init_ephemeral: string;
  readonly resp_prologue: string;
  readonly resp_psks?: readonly string[];
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly handshake_hash: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text);

function vectorSide(crypto: NoiseCrypto, vector: Vector, role: 'initiator' | 'responder'): HandshakeState {
  const initiates = role === 'initiator';
  const [psk] = (initiates ? vector.init_psks : vector.resp_psks) ?? [];
  return new HandshakeState({
    crypto,
    pattern: vector.protocol_name.includes('psk3') ? 'XXpsk3' : 'XX',
    role,
    prologue: hex(initiates ? vector.init_prologue : vector.resp_prologue),
    staticKeypair: crypto.keypairOf(hex(initiates ? vector.init_static : vector.resp_static)),
    psks: () => (psk === undefined ? [] : [hex(psk)]),
    ephemeral: crypto.keypairOf(hex(initiates ? vector.init_ephemeral : vector.resp_ephemeral)),
  });
}

describe.skipIf(!existsSync(vectorsFile))('HandshakeState against the published vectors', () => {
  const vectors: readonly Vector[] = existsSync(vectorsFile)
    ? JSON.parse(readFileSync(vectorsFile, 'utf8')).vectors
    : [];
  for (const vector of vectors) {
    for (const [name, crypto] of twins) {
      test(`${vector.protocol_name}, ${name} crypto: every message and the handshake hash`, () => {
        const sides = [vectorSide(crypto, vector, 'initiator'), vectorSide(crypto, vector, 'responder')] as const;
        const handshake = vector.messages.slice(0, 3);
        handshake.forEach(({ payload, ciphertext }, i) => {
          const [writer, reader] = i % 2 === 0 ? sides : [sides[1], sides[0]];
          expect(writer.writeMessage(hex(payload)).toHex()).toBe(ciphertext);
          expect(reader.readMessage(hex(ciphertext)).toHex()).toBe(payload);
        });
        for (const side of sides) {
          expect(side.finished).toBe(true);
          expect(side.handshakeHash.toHex()).toBe(vector.handshake_hash);
        }
        const ciphers = [sides[0].split(), sides[1].split()] as const;
        const transport = vector.messages.slice(3);
        expect(transport.length).toBeGreaterThan(0);
        transport.forEach(({ payload, ciphertext }, i) => {
          const [writer, reader] = i % 2 === 1 ? ciphers : [ciphers[1], ciphers[0]];
          expect(writer.sending.encrypt(new Uint8Array(0), hex(payload)).toHex()).toBe(ciphertext);
          expect(reader.receiving.decrypt(new Uint8Array(0), hex(ciphertext))?.toHex()).toBe(payload);
        });
      });
    }
  }
});

interface Pair {
  readonly initiator: HandshakeState;
  readonly responder: HandshakeState;
}

function pair(pattern: Pattern, changes: Partial<HandshakeOptions> = {}): Pair {
  const [[, first], [, second]] = twins as [(typeof twins)[number], (typeof twins)[number]];
  const common = { pattern, prologue: hex('0102'), psks: () => [new Uint8Array(32).fill(7)] };
  return {
    initiator: new HandshakeState({
      ...common,
      role: 'initiator',
      crypto: first,
      staticKeypair: first.generateKeypair(),
    }),
    responder: new HandshakeState({
      ...common,
      role: 'responder',
      crypto: second,
      staticKeypair: second.generateKeypair(),
      ...changes,
    }),
  };
}

const nothing = new Uint8Array(0);

/** Where the handshake fails, as "message:part"; null when it does not. */
function failure(sides: Pair, tamper: (message: Uint8Array, index: number) => Uint8Array = (m) => m): string | null {
  for (let i = 0; i < 3; i++) {
    const [writer, reader] = i % 2 === 0 ? [sides.initiator, sides.responder] : [sides.responder, sides.initiator];
    try {
      reader.readMessage(tamper(writer.writeMessage(nothing), i));
    } catch (error) {
      if (!(error instanceof NoiseError)) throw error;
      return `${i}:${error.at}`;
    }
  }
  return null;
}

describe('HandshakeState', () => {
  for (const pattern of ['XX', 'XXpsk3'] as const) {
    test(`${pattern}: the twins agree on hash, keys and ciphers`, () => {
      const sides = pair(pattern);
      expect(failure(sides)).toBeNull();
      expect(sides.initiator.handshakeHash).toEqual(sides.responder.handshakeHash);
      const [initiator, responder] = [sides.initiator.split(), sides.responder.split()];
      const sealed = initiator.sending.encrypt(nothing, hex('aabb'));
      expect(responder.receiving.decrypt(nothing, sealed)).toEqual(hex('aabb'));
      expect(initiator.receiving.decrypt(nothing, responder.sending.encrypt(nothing, hex('cc')))).toEqual(hex('cc'));
    });

    test(`${pattern}: any altered or truncated byte of any message ends it`, () => {
      for (const [index, length] of [32, 96, 64].entries()) {
        const total = length + (pattern === 'XXpsk3' && index === 0 ? 16 : 0);
        for (let at = 0; at < total; at += 5) {
          const altered = (message: Uint8Array, i: number): Uint8Array => {
            if (i !== index) return message;
            const copy = message.slice();
            copy[at] = (copy[at] ?? 0) ^ 1;
            return copy;
          };
          // Message 1 of XX is a bare key: altering it shows in message 2, where the keys differ.
          expect(failure(pair(pattern), altered)).not.toBeNull();
          expect(failure(pair(pattern), (m, i) => (i === index ? m.slice(0, at) : m))).not.toBeNull();
        }
      }
    });
  }

  test('shows a wrong pre-shared key at the payload of message 3, and only there', () => {
    expect(failure(pair('XXpsk3', { psks: () => [new Uint8Array(32).fill(8)] }))).toBe('2:payload');
    expect(failure(pair('XXpsk3', { psks: () => [] }))).toBe('2:payload');
  });

  test('XXpsk3: the responder finds the pre-shared key among several, knowing by then who the initiator is', () => {
    const candidates = [8, 9, 7, 6].map((fill) => new Uint8Array(32).fill(fill));
    const asked: string[] = [];
    const psks = (remoteStatic: Uint8Array) => {
      asked.push(remoteStatic.toHex());
      return candidates;
    };
    const staticKeypair = nativeCrypto.generateKeypair();
    const { responder } = pair('XXpsk3', { psks });
    const initiator = new HandshakeState({
      crypto: nativeCrypto,
      pattern: 'XXpsk3',
      role: 'initiator',
      prologue: hex('0102'),
      staticKeypair,
      psks: () => [new Uint8Array(32).fill(7)],
    });
    expect(failure({ initiator, responder })).toBeNull();
    expect([responder.pskIndex, initiator.pskIndex]).toEqual([2, null]);
    expect(asked).toEqual([staticKeypair.publicKey.toHex()]);
    expect(responder.handshakeHash).toEqual(initiator.handshakeHash);
    const sealed = initiator.split().sending.encrypt(nothing, hex('aabb'));
    expect(responder.split().receiving.decrypt(nothing, sealed)).toEqual(hex('aabb'));
  });

  test('shows a differing prologue at the first sealed part', () => {
    expect(failure(pair('XXpsk3', { prologue: hex('0103') }))).toBe('0:payload');
    expect(failure(pair('XX', { prologue: hex('0103') }))).toBe('1:static');
  });

  test('refuses ephemeral keys of low order', () => {
    for (const low of ['00'.repeat(32), `01${'00'.repeat(31)}`]) {
      const replaced = (message: Uint8Array, i: number): Uint8Array => {
        if (i !== 0) return message;
        const copy = message.slice();
        copy.set(hex(low));
        return copy;
      };
      // The responder meets the key when it writes message 2.
      expect(failure(pair('XX'), replaced)).toBe('1:dh');
    }
  });
});

describe('the two twins of NoiseCrypto', () => {
  const [[, native], [, portable]] = twins as [(typeof twins)[number], (typeof twins)[number]];

  test('agree on everything (seed 7)', () => {
    const draw = seeded(7);
    for (let i = 0; i < 40; i++) {
      const [privateKey, otherKey, key] = [drawBytes(draw, 32), drawBytes(draw, 32), drawBytes(draw, 32)];
      const own = native.keypairOf(privateKey);
      expect(own).toEqual(portable.keypairOf(privateKey));
      const { publicKey } = portable.keypairOf(otherKey);
      const shared = native.dh(privateKey, publicKey);
      expect(shared).not.toBeNull();
      expect(shared).toEqual(portable.dh(privateKey, publicKey));
      expect(shared).toEqual(native.dh(otherKey, own.publicKey));
      const data = drawBytes(draw, draw(300));
      expect(native.sha256(data)).toEqual(portable.sha256(data));
      expect(native.hmacSha256(key, data)).toEqual(portable.hmacSha256(key, data));
      const input = { key, nonce: drawBytes(draw, 12), ad: drawBytes(draw, draw(40)), data };
      const sealed = native.seal(input);
      expect(sealed).toEqual(portable.seal(input));
      for (const crypto of [native, portable]) {
        expect(crypto.open({ ...input, data: sealed })).toEqual(data);
        const forged = sealed.slice();
        forged[draw(forged.length)] = (forged[0] ?? 0) ^ 0x55 ^ draw(256) || 1;
        if (!Buffer.from(forged).equals(sealed)) expect(crypto.open({ ...input, data: forged })).toBeNull();
        expect(crypto.open({ ...input, ad: Uint8Array.of(...input.ad, 1), data: sealed })).toBeNull();
        expect(crypto.open({ ...input, data: sealed.subarray(0, 15) })).toBeNull();
      }
    }
  });

  test('give null for public keys of low order', () => {
    const lowOrder = [
      '00'.repeat(32),
      `01${'00'.repeat(31)}`,
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      `ec${'ff'.repeat(30)}7f`,
    ];
    for (const crypto of [native, portable]) {
      const { privateKey } = crypto.generateKeypair();
      for (const low of lowOrder) expect(crypto.dh(privateKey, hex(low))).toBeNull();
    }
  });

  test('refuse private keys that have not 32 bytes', () => {
    for (const crypto of [native, portable]) {
      expect(() => crypto.keypairOf(new Uint8Array(31))).toThrow('31 bytes instead of 32');
    }
  });
});
