/**
 * A process of the network tests: sends what no Multicast DNS packet should be, by IPv4, as fast as it can. Arguments:
 * the address to send from, and how many packets of each kind. Every packet is drawn from a fixed seed.
 */

import { createSocket } from 'node:dgram';

const [address = '', count = ''] = process.argv.slice(2);
const countEach = Number(count);
let seed = 7;
const byte = (): number => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  return (seed >>> 16) & 255;
};
const header = (flags: number, counts: readonly number[]): number[] =>
  [0, flags, ...counts].flatMap((value) => [value >> 8, value & 255]);
const name = [...'\x09_octaskly\x04_tcp\x05local\x00'].map((each) => each.charCodeAt(0));

/** Kinds of packets, by what is wrong with them. */
const kinds: readonly (() => number[])[] = [
  // Noise, of any length.
  () => Array.from({ length: byte() * 5 }, byte),
  // A name that points at itself, and one that points ahead.
  () => [...header(0, [1, 0, 0, 0]), 0xc0, 12, 0, 12, 0, 1],
  () => [...header(0x8400, [0, 1, 0, 0]), 0xc0, 200, 0, 12, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12],
  // More records than there are bytes.
  () => [...header(0x8400, [65_535, 65_535, 65_535, 65_535]), ...name, 0, 12, 0, 1],
  // A record longer than the packet.
  () => [...header(0x8400, [0, 1, 0, 0]), ...name, 0, 12, 0, 1, 0, 0, 0, 9, 255, 255, 1],
  // Good answers for names nobody has.
  () => {
    const instance = [16, ...Array.from({ length: 16 }, () => 97 + (byte() % 26)), 0xc0, 12];
    return [...header(0x8400, [0, 1, 0, 0]), ...name, 0, 12, 0, 1, 0, 0, 17, 148, 0, instance.length, ...instance];
  },
  // Good questions, all the time.
  () => [...header(0, [1, 0, 0, 0]), ...name, 0, 12, 0, 1],
];

const socket = createSocket({ type: 'udp4', reuseAddr: true });
socket.on('error', () => undefined);
socket.bind(5353, '0.0.0.0', async () => {
  socket.setMulticastInterface(address);
  socket.setMulticastTTL(255);
  for (let round = 0; round < countEach; round += 1) {
    for (const kind of kinds) socket.send(Uint8Array.from(kind()), 5353, '224.0.0.251', () => undefined);
    if (round % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  setTimeout(() => process.exit(0), 200);
});
