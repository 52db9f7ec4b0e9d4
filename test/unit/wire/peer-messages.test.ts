import { describe, expect, test } from 'bun:test';
import { decodeCbor, encodeCbor } from '../../../src/wire/cbor.ts';
import { peerDialect } from '../../../src/wire/dialects.ts';
import { MalformedMessage } from '../../../src/wire/fields.ts';
import { blobsAskedMax, offeredMax, type PeerMessage } from '../../../src/wire/peer-messages.ts';
import { assignments, entries } from './samples.ts';
import { seeded } from './seeded.ts';

const key = { taskId: '01hxyz456789', attempt: 1 };
const blob = `sha256:${'0f'.repeat(32)}`;
const [assignment = assignments[1]] = assignments;
if (assignment === undefined) throw new Error('there is a sample of an assignment');

/** One of every kind, with every optional part both present and absent. */
const messages: readonly PeerMessage[] = [
  { kind: 'peerHello', id: 'ab12', name: 'pi-2', version: '0.1.0' },
  { kind: 'blobWanted', ranges: [{ blob, offset: 5, length: 7 }] },
  { kind: 'blobData', parts: [{ blob, offset: 3, data: Uint8Array.of(1, 2) }] },
  { kind: 'blobRefused', blob, detail: 'it is not here' },
  { kind: 'blobAsked', blobs: [blob] },
  { kind: 'blobHere', blob, bytes: 2 ** 40, have: 17 },
  { kind: 'blobHere', blob, bytes: null, have: 0 },
  { kind: 'workWanted', slots: 3 },
  { kind: 'offer', attempts: assignments },
  { kind: 'offerAnswered', taken: [key], declined: [] },
  { kind: 'run', task: assignment },
  { kind: 'runAnswered', taskId: key.taskId, refusal: null },
  { kind: 'runAnswered', taskId: key.taskId, refusal: 'It is leaving.' },
  { kind: 'output', ...key, stream: 'stderr', offset: 4, data: Uint8Array.of(9) },
  { kind: 'stdin', ...key, offset: 0, data: new Uint8Array(0), eof: true },
  { kind: 'stdinTaken', ...key, offset: 12, open: false },
  { kind: 'report', entries },
  { kind: 'ack', attempts: [key] },
  { kind: 'cancel', attempts: [key] },
  { kind: 'alive' },
];

const travelled = (message: PeerMessage): PeerMessage =>
  peerDialect.check(decodeCbor(encodeCbor(peerDialect.pack(message))));

describe('peerDialect', () => {
  test.each(messages.map((message) => [message.kind, message] as const))('carries %s as it is', (_kind, message) => {
    expect(travelled(message)).toEqual(message);
  });

  test.each(messages.map((message) => [message.kind, message] as const))(
    'refuses %s with a field more or less',
    (_kind, message) => {
      const row = peerDialect.pack(message);
      expect(() => peerDialect.check([...row, 1])).toThrow(MalformedMessage);
      if (row.length > 1) expect(() => peerDialect.check(row.slice(0, -1))).toThrow(MalformedMessage);
    },
  );

  test('refuses lists that are too long', () => {
    const many = Array.from({ length: blobsAskedMax + 1 }, () => blob);
    expect(() => travelled({ kind: 'blobAsked', blobs: many })).toThrow(MalformedMessage);
    const offered = Array.from({ length: offeredMax + 1 }, () => assignment);
    expect(() => travelled({ kind: 'offer', attempts: offered })).toThrow(MalformedMessage);
  });

  test('halves what is a list, and says the same by both halves', () => {
    const halves = peerDialect.halve({ kind: 'report', entries });
    expect(halves?.flatMap((half) => (half.kind === 'report' ? half.entries : []))).toEqual([...entries]);
    expect(peerDialect.halve({ kind: 'cancel', attempts: [key, key] })).toEqual([
      { kind: 'cancel', attempts: [key] },
      { kind: 'cancel', attempts: [key] },
    ]);
    expect(peerDialect.halve({ kind: 'ack', attempts: [key] })).toBeNull();
    expect(peerDialect.halve({ kind: 'alive' })).toBeNull();
  });

  test('20,000 altered rows (seed 7) are a message or malformed, and nothing else', () => {
    const draw = seeded(7);
    const strange = [null, -1, 2 ** 60, 1.5, '', 'x'.repeat(100), [], {}, true, new Uint8Array(32), [[]], undefined];
    for (let round = 0; round < 20_000; round++) {
      const row: unknown[] = peerDialect.pack(messages[draw(messages.length)] ?? { kind: 'alive' });
      const place = draw(row.length);
      const value = row[place];
      if (Array.isArray(value) && draw(2) === 0) row[place] = value.map(() => strange[draw(strange.length)]);
      else row[place] = strange[draw(strange.length)];
      try {
        peerDialect.check(row);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedMessage);
      }
    }
  });
});
