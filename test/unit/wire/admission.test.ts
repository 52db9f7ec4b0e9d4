import { describe, expect, test } from 'bun:test';
import { nativeCrypto } from '../../../src/runtime/crypto.ts';
import { admissionOf, approvalCode, commitmentTo, fingerprint, type Proof } from '../../../src/wire/admission.ts';
import { codes, dialler, keys, listener, makePair, opened, psk, settle } from './pairing.ts';

const otherPsk = new Uint8Array(32).fill(4);
const dispatcherKey = keys.dispatcher.publicKey.toHex();
const proofs: readonly Proof[] = [
  { by: 'secret', psk },
  { by: 'credential', psk, dispatcherKey },
  { by: 'invite', sums: null, inviteId: '0011223344556677', psk, dispatcherKey },
  { by: 'peer', psk, peerKey: dispatcherKey },
  { by: 'peer', psk, peerKey: null },
  { by: 'nothing' },
];

describe('a session opened by each proof', () => {
  test('tells the listener what was shown and under which secret, the dialler without that', () => {
    for (const proof of proofs) {
      const { worker, dispatcher } = opened({ side: dialler(proof) });
      const code = dispatcher.admission?.by === 'nothing' ? dispatcher.admission.code : '';
      expect(dispatcher.admission).toEqual(admissionOf(proof, { keyId: 'present', code }));
      expect(worker.admission).toEqual(admissionOf(proof, { keyId: '', code }));
      expect(code).toMatch(proof.by === 'nothing' ? /^\d{6}$/ : /^$/);
    }
  });

  test('asks for the keys of the claim and of the node that has proved its own key, and names the one that fits', () => {
    const asked: unknown[] = [];
    const candidates: Parameters<typeof listener>[0] = {
      candidates: (claim, remoteKey) => {
        asked.push(claim, remoteKey.toHex());
        return [
          { psk: otherPsk, keyId: 'present' },
          { psk, keyId: 'previous' },
        ];
      },
    };
    const { dispatcher } = opened(
      { side: dialler({ by: 'invite', sums: null, inviteId: '0011223344556677', psk, dispatcherKey }) },
      { side: listener(candidates) },
    );
    expect(dispatcher.admission).toEqual({ by: 'invite', inviteId: '0011223344556677', keyId: 'previous' });
    expect(asked).toEqual([{ by: 'invite', sums: null, inviteId: '0011223344556677' }, keys.worker.publicKey.toHex()]);
  });

  test('ends with wrong_secret on both sides, each in words of the proof, when the key is not the one', () => {
    const words = {
      secret: 'cluster secret',
      credential: 'credential',
      invite: 'join token',
      peer: 'no member',
    } as const;
    for (const proof of proofs) {
      if (proof.by === 'nothing') continue;
      const sides = makePair({ side: dialler({ ...proof, psk: otherPsk }) });
      settle(sides);
      expect([codes(sides.worker), codes(sides.dispatcher)]).toEqual([['wrong_secret'], ['wrong_secret']]);
      expect([sides.worker.remoteKey, sides.dispatcher.remoteKey]).toEqual([null, null]);
      for (const { ends } of [sides.worker, sides.dispatcher]) expect(ends[0]?.detail).toContain(words[proof.by]);
    }
  });

  test('ends with wrong_secret when the listener has no key at all', () => {
    const sides = makePair({}, { side: listener({ candidates: () => [] }) });
    settle(sides);
    expect([codes(sides.worker), codes(sides.dispatcher)]).toEqual([['wrong_secret'], ['wrong_secret']]);
  });

  test('cannot be had with the proof of one kind under the claim of another', () => {
    const fits = { secret: psk, credential: otherPsk };
    const gate = {
      candidates: (claim: { by: string }) => [{ keyId: '', psk: claim.by === 'secret' ? psk : otherPsk }],
    };
    for (const by of ['secret', 'credential'] as const) {
      const wrong = by === 'secret' ? fits.credential : fits.secret;
      const sides = makePair({ side: dialler({ by, psk: wrong, dispatcherKey }) }, { side: listener(gate) });
      settle(sides);
      expect(codes(sides.dispatcher)).toEqual(['wrong_secret']);
    }
  });

  test('ends with refused on both sides, in whole sentences, where who has nothing to show is not taken', () => {
    const sides = makePair({ side: dialler({ by: 'nothing' }) }, { side: listener({ admits: ['secret'] }) });
    settle(sides);
    expect([codes(sides.worker), codes(sides.dispatcher)]).toEqual([['refused'], ['refused']]);
    expect(sides.worker.ends[0]?.detail).toContain('neither the cluster secret nor a join token');
    expect(sides.dispatcher.ends[0]?.detail).toContain('nothing to show');
  });

  test('ends with refused on both sides for a peer where workers are meant, and for a worker where peers are', () => {
    const peer: Proof = { by: 'peer', psk, peerKey: null };
    for (const [proof, admits, words] of [
      [peer, ['secret', 'credential', 'invite', 'nothing'], 'comes as a peer'],
      [{ by: 'secret', psk }, ['peer'], 'claims to know the cluster secret'],
    ] as const) {
      const sides = makePair({ side: dialler(proof) }, { side: listener({ admits }) });
      settle(sides);
      expect([codes(sides.worker), codes(sides.dispatcher)]).toEqual([['refused'], ['refused']]);
      expect(sides.dispatcher.ends[0]?.detail).toContain(words);
    }
  });

  test('ends with wrong_key before the dialler says who it is, when another node answers', () => {
    const meant = nativeCrypto.generateKeypair().publicKey;
    for (const proof of proofs) {
      if (proof.by === 'secret' || proof.by === 'nothing' || ('peerKey' in proof && proof.peerKey === null)) continue;
      const key = meant.toHex();
      const sides = makePair({
        side: dialler(proof.by === 'peer' ? { ...proof, peerKey: key } : { ...proof, dispatcherKey: key }),
      });
      const sent: number[] = [];
      settle(sides, (frame, index) => {
        if (index % 2 === 0) sent.push(frame.length);
        return [frame];
      });
      expect(codes(sides.worker)).toEqual(['wrong_key']);
      expect(sides.worker.ends[0]?.detail).toContain(fingerprint(nativeCrypto, meant));
      expect(sides.worker.ends[0]?.detail).toContain(fingerprint(nativeCrypto, keys.dispatcher.publicKey));
      // Its hello and message 1, an ephemeral key, and nothing else.
      expect(sent).toEqual([4 + 14 + (proof.by === 'invite' ? 8 : 0), 4 + 1 + 32 + 16]);
      expect(sides.dispatcher.remoteKey).toBeNull();
    }
  });
});

test('a session of a node that is no member yet takes frames of 16 KiB, that of a member of 16 MiB', () => {
  for (const proof of proofs) {
    const isMember = proof.by !== 'nothing' && proof.by !== 'invite';
    for (const [length, end] of [
      [16 * 1024, []],
      [16 * 1024 + 1, isMember ? [] : ['oversized']],
      [16 * 1024 * 1024 + 1, ['oversized']],
    ] as const) {
      const { dispatcher } = opened({ side: dialler(proof) });
      const prefix = new Uint8Array(4);
      new DataView(prefix.buffer).setUint32(0, length);
      dispatcher.session.receive(prefix);
      expect(codes(dispatcher).join(), `${proof.by} ${length}`).toBe(end.join());
    }
  }
});

describe('commitmentTo(), approvalCode() and fingerprint()', () => {
  test('commitmentTo() depends on every byte of nonce and key, and not only on both in a row', () => {
    const [nonce, key] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    const seen = new Set([
      commitmentTo(nativeCrypto, nonce, key).toHex(),
      commitmentTo(nativeCrypto, key, nonce).toHex(),
    ]);
    for (let at = 0; at < 32; at++) {
      seen.add(commitmentTo(nativeCrypto, nonce.with(at, 9), key).toHex());
      seen.add(commitmentTo(nativeCrypto, nonce, key.with(at, 9)).toHex());
    }
    expect(seen.size).toBe(66);
  });

  test('approvalCode() has six digits, leading zeros too, and is spread evenly', () => {
    const drawn = Array.from({ length: 5000 }, (_, i) =>
      approvalCode(nativeCrypto, new Uint8Array(32).fill(i).with(0, i >> 8)),
    );
    expect(drawn.every((code) => /^\d{6}$/.test(code))).toBe(true);
    const firsts = Array.from({ length: 10 }, (_, digit) => drawn.filter((code) => code[0] === `${digit}`).length);
    for (const count of firsts) expect(Math.abs(count - 500)).toBeLessThan(120);
  });

  test('fingerprint() is what ssh writes: SHA256: and base64 without padding', () => {
    const expected = new Bun.CryptoHasher('sha256').update(new Uint8Array(32)).digest('base64').replace(/=+$/, '');
    expect(fingerprint(nativeCrypto, new Uint8Array(32))).toBe(`SHA256:${expected}`);
  });
});
