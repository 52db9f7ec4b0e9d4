/** Messages as bytes: what is written is read again, and nothing that is read ever throws or takes long. */

import { describe, expect, test } from 'bun:test';
import { createMdns } from '../../../../src/discovery/mdns/mdns.ts';
import { inNetwork } from '../../../../src/discovery/mdns/networks.ts';
import { decodeMessage, encodeMessage } from '../../../../src/discovery/mdns/packet.ts';
import { type Message, message } from '../../../../src/discovery/mdns/records.ts';
import { seeded } from '../../core/seeded.ts';
import { link, service } from './wire.ts';

const sample: Message = message({
  id: 7,
  response: true,
  questions: [{ name: 'Pi 4\x1f1._x._tcp.local', type: 'ANY', unicast: true }],
  answers: [
    { name: '_x._tcp.local', ttlSeconds: 9, unique: false, body: { type: 'PTR', target: 'Pi 4\x1f1._x._tcp.local' } },
    {
      name: 'a.local',
      ttlSeconds: 9,
      unique: true,
      body: { type: 'SRV', target: 'h.local', port: 1, priority: 2, weight: 3 },
    },
    { name: 'a.local', ttlSeconds: 9, unique: true, body: { type: 'TXT', strings: ['k=\xff', ''] } },
  ],
  additionals: [
    { name: 'h.local', ttlSeconds: 9, unique: true, body: { type: 'A', address: '10.0.0.1' } },
    { name: 'h.local', ttlSeconds: 9, unique: true, body: { type: 'AAAA', address: 'fe80::1' } },
  ],
});

/** A header with these counts, and what follows it. */
function raw(counts: readonly [number, number, number, number], ...rest: number[]): Uint8Array {
  const header = [0, 0, 0x84, 0, ...counts.flatMap((count) => [count >> 8, count & 255])];
  return Uint8Array.from([...header, ...rest]);
}

describe('decodeMessage()', () => {
  test('reads what encodeMessage() wrote', () => expect(decodeMessage(encodeMessage(sample))).toEqual(sample));

  test('sees the unicast bit and dots inside labels on the wire', () => {
    const bytes = encodeMessage(message({ questions: [{ name: 'a\x1fb.local', type: 'PTR', unicast: true }] }));
    expect([...bytes.subarray(12, 16)]).toEqual([3, 97, 46, 98]);
    expect([...bytes.subarray(-4)]).toEqual([0, 12, 0x80, 1]);
  });

  test.each([
    ['nothing', new Uint8Array(0)],
    ['half a header', new Uint8Array(11)],
    ['more than 9000 bytes', new Uint8Array(9001)],
    ['65535 of everything', raw([65_535, 65_535, 65_535, 65_535])],
    ['records that are not there', raw([0, 3, 0, 0])],
    ['a name that points to itself', raw([1, 0, 0, 0], 0xc0, 12, 0, 12, 0, 1)],
    ['a name that points onwards', raw([1, 0, 0, 0], 0xc0, 16, 0, 12, 0, 1, 0)],
    [
      'two names that point to each other',
      raw([2, 0, 0, 0], 1, 97, 0xc0, 20, 0, 12, 0, 1, 1, 97, 0xc0, 12, 0, 12, 0, 1),
    ],
    ['a label beyond the end', raw([1, 0, 0, 0], 63, 97)],
    ['a label of a kind that is none', raw([1, 0, 0, 0], 0x80, 0, 0, 12, 0, 1)],
    ['data beyond the end', raw([0, 1, 0, 0], 0, 0, 16, 0, 1, 0, 0, 0, 9, 255, 255, 1)],
  ])('refuses %s', (_what, bytes) => expect(decodeMessage(bytes)).toBeNull());

  test('takes records whose data is not of their type, or of no use, as plain bytes', () => {
    const short = raw([0, 1, 0, 0], 0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 2, 10, 0);
    expect(decodeMessage(short)?.answers.map(({ body }) => body)).toEqual([
      { type: 'other', code: 1, bytes: Uint8Array.from([10, 0]) },
    ]);
  });

  test('leaves out names that could not be written again, and keeps the rest', () => {
    const a = [0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 1];
    const bytes = raw([0, 4, 0, 0], 1, 0xff, 0, ...a, 2, 97, 10, 0, ...a, 1, 0, 0, ...a, 1, 98, 0, ...a);
    expect(decodeMessage(bytes)?.answers.map(({ name }) => name)).toEqual(['b']);
  });

  test('of garbage from a seed never throws, and what it accepts can be written again', () => {
    const draw = seeded(6762);
    const good = encodeMessage(sample);
    const mdns = createMdns({ chance: () => 0.5 });
    mdns.linkUp(link('10.0.0.1'), 0);
    mdns.publish({ ...service, type: '_x._tcp' }, 0);
    mdns.browse('_x._tcp', 0);
    let read = 0;
    for (let round = 0; round < 30_000; round += 1) {
      const bytes = Uint8Array.from(good);
      for (let change = draw(6); change >= 0; change -= 1) bytes[draw(bytes.length)] = draw(256);
      const cut = bytes.subarray(0, draw(4) === 0 ? draw(bytes.length) : bytes.length);
      const heard = decodeMessage(cut);
      if (heard !== null) {
        read += 1;
        const known = heard.answers.filter(({ body }) => body.type !== 'other');
        expect(() =>
          encodeMessage(message({ ...heard, answers: known, authorities: [], additionals: [] })),
        ).not.toThrow();
      }
      const from = { address: `10.0.${draw(4)}.${draw(250)}`, port: draw(2) === 0 ? 5353 : 4000 };
      mdns.received({ link: 'lan', from, bytes: cut }, round);
      if (round % 10 === 0) mdns.passed(round);
      mdns.take();
    }
    expect(read).toBeGreaterThan(1000);
    expect(mdns.counts.received).toBe(30_000);
    expect(mdns.counts.malformed).toBeGreaterThan(1000);
  });
});

test.each([
  ['192.168.1.9', '192.168.1.2/24', true],
  ['192.168.2.9', '192.168.1.2/24', false],
  ['10.1.2.3', '0.0.0.0/0', true],
  ['fe80::1%eth0', 'fe80::abcd/64', true],
  ['fe80:0:0:1::1', 'fe80::/64', false],
  ['::ffff:10.0.0.1', '::ffff:a00:0/104', true],
  ['10.0.0.1', 'fe80::/64', false],
  ['nonsense', '10.0.0.0/8', false],
  ['10.0.0.1', '10.0.0.0', false],
])('inNetwork(%s, %s) is %p', (address, network, expected) => expect(inNetwork(address, network)).toBe(expected));
