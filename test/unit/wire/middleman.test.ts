/** Somebody in the middle of a handshake without a key: what two people who compare six digits are protected from. */

import { describe, expect, test } from 'bun:test';
import { nativeCrypto } from '../../../src/runtime/crypto.ts';
import { approvalCode, commitmentTo } from '../../../src/wire/admission.ts';
import { createPortableCrypto } from '../../../src/wire/crypto-portable.ts';
import { dispatcherDialect, workerDialect } from '../../../src/wire/dialects.ts';
import { encodeFrame } from '../../../src/wire/frame.ts';
import { decodeHello, encodeHello, frameKinds } from '../../../src/wire/hello.ts';
import { protocolVersion, protocolVersionMin } from '../../../src/wire/messages.ts';
import { concat, HandshakeState, type KeyPair, type NoiseCrypto } from '../../../src/wire/noise.ts';
import { Session } from '../../../src/wire/session.ts';
import { dialler, listener, makePair, opened, settle } from './pairing.ts';
import { drawBytes, seeded } from './seeded.ts';

const stranger = { side: dialler({ by: 'nothing' }) };

/** Keys and nonces from a seed, so that no digits agree by chance in one run and not in another. */
function seededCrypto(seed: number): NoiseCrypto {
  const draw = seeded(seed);
  return createPortableCrypto((count) => drawBytes(draw, count));
}

function codeOf(end: { readonly admission: ReturnType<typeof makePair>['worker']['admission'] }): string | null {
  return end.admission?.by === 'nothing' ? end.admission.code : null;
}

describe('the six digits', () => {
  test('are the same on both sides, and others in every session', () => {
    const seen = new Set<string | null>();
    for (let seed = 0; seed < 20; seed++) {
      const crypto = seededCrypto(seed);
      const end = () => ({ crypto, staticKeypair: crypto.generateKeypair() });
      const { worker, dispatcher } = opened({ ...stranger, ...end() }, end());
      expect(codeOf(worker)).toMatch(/^\d{6}$/);
      expect(codeOf(worker)).toBe(codeOf(dispatcher));
      seen.add(codeOf(worker));
    }
    expect(seen.size).toBe(20);
  });

  test('differ when somebody with keys of its own relays two sessions', () => {
    for (let seed = 0; seed < 20; seed++) {
      const crypto = seededCrypto(1000 + seed);
      const end = () => ({ crypto, staticKeypair: crypto.generateKeypair() });
      const middle = end();
      // What the device dials is the one in the middle, who dials the dispatcher, each with a session in good order.
      const device = opened({ ...stranger, ...end() }, middle);
      const dispatcher = opened({ ...stranger, ...middle }, end());
      expect(device.worker.remoteKey).toBe(dispatcher.dispatcher.remoteKey);
      expect(codeOf(device.worker)).not.toBe(codeOf(dispatcher.dispatcher));
    }
  });

  test('are not shown on both sides when a frame was altered on its way', () => {
    for (let target = 0; target < 5; target++) {
      const sides = makePair(stranger);
      settle(sides, (frame, index) => [index === target ? frame.with(-1, (frame.at(-1) ?? 0) ^ 1) : frame]);
      expect([codeOf(sides.worker), codeOf(sides.dispatcher)]).toContain(null);
    }
  });
});

/** A dialler by hand, which may show in message 3 something else than it committed to in message 1. */
function dialByHand({ committed, shown }: Record<'committed' | 'shown', { nonce: Uint8Array; keys: KeyPair }>): {
  readonly ends: readonly string[];
  readonly code: string | null;
} {
  const ends: string[] = [];
  const out: Uint8Array[] = [];
  let code: string | null = null;
  const listening = new Session({
    side: listener(),
    crypto: nativeCrypto,
    staticKeypair: nativeCrypto.generateKeypair(),
    dialect: dispatcherDialect,
    sink: {
      transmit: (frame) => out.push(frame.slice(4)),
      onOpen: (_key, admission) => {
        code = admission.by === 'nothing' ? admission.code : null;
      },
      onMessage() {},
      onEnd: (end) => ends.push(end.code),
    },
  });
  const hello = encodeHello({ version: protocolVersion, versionMin: protocolVersionMin, claim: { by: 'nothing' } });
  listening.receive(encodeFrame(hello));
  const handshake = new HandshakeState({
    crypto: nativeCrypto,
    pattern: 'XX',
    role: 'initiator',
    prologue: concat(encodeFrame(hello), encodeFrame(out.shift() ?? new Uint8Array(0))),
    staticKeypair: shown.keys,
    psks: () => [],
  });
  const say = (payload: Uint8Array): void =>
    listening.receive(encodeFrame(concat(Uint8Array.of(frameKinds.noise), handshake.writeMessage(payload))));
  say(commitmentTo(nativeCrypto, committed.nonce, committed.keys.publicKey));
  handshake.readMessage((out.shift() ?? new Uint8Array(0)).subarray(1));
  say(shown.nonce);
  return { ends, code };
}

describe('the commitment', () => {
  const own = { nonce: new Uint8Array(32).fill(1), keys: nativeCrypto.generateKeypair() };

  test('binds who dials: after it has seen the key of the listener it can change neither nonce nor static key', () => {
    expect(dialByHand({ committed: own, shown: own })).toEqual({ ends: [], code: expect.stringMatching(/^\d{6}$/) });
    const others = [
      { ...own, nonce: own.nonce.with(31, 2) },
      { ...own, keys: nativeCrypto.generateKeypair() },
      { nonce: new Uint8Array(32), keys: nativeCrypto.generateKeypair() },
    ];
    for (const shown of others) expect(dialByHand({ committed: own, shown })).toEqual({ ends: ['forged'], code: null });
  });

  test('hides what the digits depend on from who listens, until that one is bound by message 2', () => {
    // The one in the middle knows the device's static key (it met it before), sees message 1 and fixes its own keys. For
    // each nonce the device may hold, the digits are others: nothing to search for before message 3.
    const device = nativeCrypto.generateKeypair();
    const deviceEphemeral = nativeCrypto.generateKeypair();
    const middle = { staticKeypair: nativeCrypto.generateKeypair(), ephemeral: nativeCrypto.generateKeypair() };
    const digits = (nonce: Uint8Array, announced: Uint8Array): string => {
      const common = { crypto: nativeCrypto, pattern: 'XX', prologue: new Uint8Array(0), psks: () => [] } as const;
      const left = new HandshakeState({
        ...common,
        role: 'initiator',
        staticKeypair: device,
        ephemeral: deviceEphemeral,
      });
      const right = new HandshakeState({ ...common, ...middle, role: 'responder' });
      right.readMessage(left.writeMessage(announced));
      left.readMessage(right.writeMessage(new Uint8Array(0)));
      right.readMessage(left.writeMessage(nonce));
      return approvalCode(nativeCrypto, right.handshakeHash);
    };
    const announced = commitmentTo(nativeCrypto, own.nonce, device.publicKey);
    const seen = new Set(
      Array.from({ length: 300 }, (_, i) => digits(new Uint8Array(32).fill(i).with(0, i >> 8), announced)),
    );
    // Two of 300 out of a million are alike in one run out of 22; three pairs in one out of 500,000.
    expect(seen.size).toBeGreaterThan(296);
  });

  test('is drawn anew for every connection', () => {
    const announcements = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const sides = makePair(stranger);
      settle(sides, (frame, index) => {
        if (index === 2) announcements.add(frame.subarray(4 + 1 + 32).toHex());
        return [frame];
      });
    }
    expect(announcements.size).toBe(20);
  });
});

test('decodeHello() of what a listener says claims nothing, whatever was claimed of it', () => {
  const sides = makePair({ dialect: workerDialect });
  settle(sides, (frame, index) => {
    if (index === 1) expect(decodeHello(frame.subarray(4))?.claim).toEqual({ by: 'nothing' });
    return [frame];
  });
  expect(sides.worker.session.phase).toBe('open');
});
