import { describe, expect, test } from 'bun:test';
import { present } from '../../../src/base/assert.ts';
import { nativeCrypto } from '../../../src/runtime/crypto.ts';
import { messageBytesMax } from '../../../src/wire/channel.ts';
import { workerDialect } from '../../../src/wire/dialects.ts';
import { encodeFrame, frameHeaderBytes } from '../../../src/wire/frame.ts';
import { encodeDecline } from '../../../src/wire/hello.ts';
import { entriesMax, type WorkerMessage } from '../../../src/wire/messages.ts';
import { codes, keys, makePair, opened, settle } from './pairing.ts';
import { assignments, dispatcherMessages, workerMessages } from './samples.ts';

describe('Session', () => {
  test('opens on both sides and tells each the key of the other', () => {
    const { worker, dispatcher } = opened();
    expect(worker.remoteKey).toBe(keys.dispatcher.publicKey.toHex());
    expect(dispatcher.remoteKey).toBe(keys.worker.publicKey.toHex());
  });

  test('carries every message both ways, one byte at a time', () => {
    const sides = makePair();
    const bytewise = (frame: Uint8Array) => Array.from(frame, (byte) => Uint8Array.of(byte));
    settle(sides, bytewise);
    for (const message of workerMessages) sides.worker.session.send(message);
    for (const message of dispatcherMessages) sides.dispatcher.session.send(message);
    settle(sides, bytewise);
    expect(sides.dispatcher.messages).toEqual([...workerMessages]);
    expect(sides.worker.messages).toEqual([...dispatcherMessages]);
  });

  test('carries a burst in one chunk in order', () => {
    const { worker, dispatcher } = opened();
    for (let offset = 0; offset < 500; offset++) {
      worker.session.send({ kind: 'stdinTaken', taskId: '01hxyz456789', attempt: 1, offset, open: true });
    }
    dispatcher.session.receive(new Uint8Array(Buffer.concat(worker.out)));
    expect(dispatcher.messages.map((message) => (message.kind === 'stdinTaken' ? message.offset : -1))).toEqual(
      Array.from({ length: 500 }, (_, i) => i),
    );
  });

  test('stops delivering when a handler stops it in the middle of a burst', () => {
    const sides = makePair(
      {},
      {
        sink: {
          transmit: (frame) => sides.dispatcher.out.push(frame),
          onOpen() {},
          onMessage(message) {
            sides.dispatcher.messages.push(message);
            sides.dispatcher.session.stop();
          },
          onEnd: (reason) => sides.dispatcher.ends.push(reason),
        },
      },
    );
    settle(sides);
    sides.worker.session.send({ kind: 'leaving' });
    sides.worker.session.send({ kind: 'goodbye' });
    sides.dispatcher.session.receive(new Uint8Array(Buffer.concat(sides.worker.out)));
    expect(sides.dispatcher.messages).toEqual([{ kind: 'leaving' }]);
    expect(sides.dispatcher.ends).toEqual([]);
  });

  test('ends with version_mismatch on both sides, each saying who is older', () => {
    const versions = { version: 9, versionMin: 8 };
    for (const sides of [makePair({ versions }), makePair({}, { versions })]) {
      settle(sides);
      expect(codes(sides.dispatcher)).toEqual(['version_mismatch']);
      expect(codes(sides.worker)).toEqual(['version_mismatch']);
      const [first, second] = [sides.worker.ends[0]?.detail, sides.dispatcher.ends[0]?.detail];
      expect([first, second].join()).toContain('Update this side.');
      expect([first, second].join()).toContain('Update the other side.');
    }
  });

  test('opens with a newer version that still understands this one', () => {
    const sides = makePair({ versions: { version: 9, versionMin: 1 } });
    settle(sides);
    expect(sides.worker.session.phase).toBe('open');
  });

  test('ends when a hello was altered on its way, for both are bound into the handshake', () => {
    for (const index of [0, 1]) {
      const sides = makePair({ versions: { version: 5, versionMin: 1 } }, { versions: { version: 5, versionMin: 1 } });
      settle(sides, (frame, i) => {
        if (i !== index) return [frame];
        const altered = frame.slice();
        // Version 4 is as acceptable as version 5: only the prologue can tell.
        altered[frameHeaderBytes + 10] = 4;
        return [altered];
      });
      expect(codes(sides.dispatcher)).toEqual(['forged']);
      expect(sides.worker.session.phase).not.toBe('open');
    }
  });

  test('believes a decline in clear before it is open, and not afterwards', () => {
    const decline = encodeFrame(encodeDecline('refused'));
    const before = makePair();
    before.worker.session.receive(decline);
    expect(codes(before.worker)).toEqual(['refused']);
    const after = opened();
    after.worker.session.receive(decline);
    expect(codes(after.worker)).toEqual(['forged']);
    const listener = makePair();
    listener.dispatcher.session.receive(decline);
    expect(codes(listener.dispatcher)).toEqual(['malformed']);
  });

  test('ends with forged when a frame is altered, repeated, moved or left out', () => {
    const tampered: readonly ((frames: readonly Uint8Array[]) => readonly (Uint8Array | undefined)[])[] = [
      ([a, b]) => [a, a, b],
      ([a, b]) => [b, a],
      ([, b]) => [b],
      ([a, b]) => [a?.map((byte, i) => (i === a.length - 1 ? byte ^ 1 : byte)), b],
      ([a]) => [encodeFrame(new Uint8Array(0)), a],
      ([a]) => [encodeFrame(new Uint8Array(16)), a],
    ];
    for (const tamper of tampered) {
      const { worker, dispatcher } = opened();
      worker.session.send({ kind: 'leaving' });
      worker.session.send({ kind: 'goodbye' });
      for (const frame of tamper(worker.out)) if (frame !== undefined) dispatcher.session.receive(frame);
      expect(codes(dispatcher)).toEqual(['forged']);
    }
  });

  test('ends with oversized for a frame beyond the limit of its phase', () => {
    const before = makePair();
    before.dispatcher.session.receive(Uint8Array.of(0, 0, 4, 1));
    expect(codes(before.dispatcher)).toEqual(['oversized']);
    const after = opened();
    after.dispatcher.session.receive(Uint8Array.of(0, 0, 4, 1));
    expect(codes(after.dispatcher)).toEqual([]);
    const large = opened();
    large.dispatcher.session.receive(Uint8Array.of(1, 0, 0, 1));
    expect(codes(large.dispatcher)).toEqual(['oversized']);
  });

  test('ends with malformed for sealed junk, for the other direction, and for another protocol', () => {
    // A dialect that packs anything stands for a peer that holds the secret and misbehaves.
    const rows: readonly unknown[][] = [[], ['nonsense'], ['alive'], ['report', [['started']]], ['leaving', 1]];
    for (const row of rows) {
      const sides = makePair({ dialect: { ...workerDialect, pack: () => row } });
      settle(sides);
      sides.worker.session.send({ kind: 'leaving' });
      settle(sides);
      expect(codes(sides.dispatcher)).toEqual(['malformed']);
      expect(sides.dispatcher.messages).toEqual([]);
    }
    const http = makePair();
    http.dispatcher.session.receive(encodeFrame(new TextEncoder().encode('GET / HTTP/1.1')));
    expect(codes(http.dispatcher)).toEqual(['malformed']);
  });

  test('takes back the memory of the bytes of a file once they are done with, and of nothing else', () => {
    const given: Uint8Array[] = [];
    const crypto = { ...nativeCrypto, release: (bytes: Uint8Array) => void given.push(bytes) };
    const taken: { message: WorkerMessage; done: (() => void) | undefined }[] = [];
    const sink = {
      transmit: (frame: Uint8Array) => sides.dispatcher.out.push(frame),
      onOpen() {},
      onMessage: (message: WorkerMessage, done?: () => void) => void taken.push({ message, done }),
      onEnd() {},
    };
    const sides = makePair({}, { crypto, sink });
    settle(sides);
    const data = new Uint8Array(200_000).fill(7);
    sides.worker.session.send({ kind: 'blobData', parts: [{ blob: `sha256:${'ab'.repeat(32)}`, offset: 0, data }] });
    sides.worker.session.send({ kind: 'goodbye' });
    settle(sides);
    const [file, goodbye] = taken;
    if (file?.message.kind !== 'blobData') throw new Error('the bytes come first');
    expect(goodbye).toEqual({ message: { kind: 'goodbye' }, done: undefined });
    const view = present(file.message.parts[0], 'a part').data;
    expect(view).toEqual(data);
    given.length = 0;
    file.done?.();
    expect(given.map(({ buffer }) => buffer)).toEqual([view.buffer]);
  });

  test('ends once: nothing goes in or out afterwards', () => {
    const { worker, dispatcher } = opened();
    dispatcher.session.receive(encodeFrame(new Uint8Array(20)));
    dispatcher.session.receive(encodeFrame(new Uint8Array(20)));
    dispatcher.session.endOfInput();
    dispatcher.session.send({ kind: 'alive' });
    worker.session.send({ kind: 'leaving' });
    for (const frame of worker.out) dispatcher.session.receive(frame);
    expect(codes(dispatcher)).toEqual(['forged']);
    expect(dispatcher.out).toEqual([]);
    expect(dispatcher.messages).toEqual([]);
  });

  test('tells an end in good order from one that cuts something off', () => {
    const good = opened();
    good.dispatcher.session.endOfInput();
    expect(codes(good.dispatcher)).toEqual(['closed']);
    const cut = opened();
    cut.dispatcher.session.receive(Uint8Array.of(0, 0));
    cut.dispatcher.session.endOfInput();
    expect(codes(cut.dispatcher)).toEqual(['connection_lost']);
    const early = makePair();
    early.dispatcher.session.endOfInput();
    expect(codes(early.dispatcher)).toEqual(['connection_lost']);
  });

  test('sends a list too long for one message as several', () => {
    const { worker, dispatcher } = opened();
    const entries = Array.from({ length: entriesMax * 2 + 5 }, (_, i) => ({
      kind: 'returned' as const,
      taskId: '01hxyz456789',
      attempt: i + 1,
    }));
    worker.session.send({ kind: 'report', entries });
    for (const frame of worker.out) dispatcher.session.receive(frame);
    expect(dispatcher.messages.length).toBe(4);
    expect(dispatcher.messages.flatMap((message) => (message.kind === 'report' ? message.entries : []))).toEqual(
      entries,
    );
  });

  test('sends assignments of more than 16 MiB as several messages, and ends over a single one', () => {
    const [, second] = assignments;
    if (second === undefined) throw new Error('there are two assignments');
    const argv = (count: number) => Array.from({ length: count }, () => 'x'.repeat(100_000));
    const large = { ...second, spec: { ...second.spec, argv: argv(100) } };
    const sides = opened();
    sides.dispatcher.session.send({ kind: 'assign', attempts: [large, large, large] });
    settle(sides);
    const got = sides.worker.messages.flatMap((message) => (message.kind === 'assign' ? message.attempts : []));
    expect(got.map((attempt) => attempt.spec.argv?.length)).toEqual([100, 100, 100]);
    const huge = { ...second, spec: { ...second.spec, argv: argv(Math.ceil(messageBytesMax / 100_000)) } };
    sides.dispatcher.session.send({ kind: 'assign', attempts: [huge] });
    expect(codes(sides.dispatcher)).toEqual(['oversized']);
  });
});
