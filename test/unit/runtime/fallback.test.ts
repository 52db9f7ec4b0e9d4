/** When a dial goes the better way, and when the other one. */

import { beforeEach, expect, test } from 'bun:test';
import type { Carrier, CarrierHandlers, Transport } from '../../../src/ports/transport.ts';
import { createFallbackTransport } from '../../../src/runtime/fallback.ts';

/** What was done, in order. */
let done: string[] = [];
let said: string[] = [];
/** What the next dials come to: '' = connected, else why not. */
let better: string[] = [];
let other: string[] = [];

const ignoring: CarrierHandlers = { onData() {}, onDrain() {}, onClose() {} };
const log = {
  debug() {},
  info: (text: string) => said.push(text),
  warn: (text: string, fields?: object) => said.push(`${text} ${JSON.stringify(fields)}`),
  error() {},
};

function scripted(name: 'tcp' | 'quic', outcomes: () => string[]): Transport {
  return {
    name,
    listen: () => Promise.reject(new Error('not here')),
    dial: async ({ timeoutMs }, take) => {
      const outcome = outcomes().shift();
      done.push(`${name} ${Math.round(timeoutMs / 100) * 100}`);
      if (outcome !== '') throw new Error(outcome);
      take({ remote: name, cut: () => done.push(`${name} cut`) } as Partial<Carrier> as Carrier);
    },
  };
}

const transport = () =>
  createFallbackTransport({
    better: scripted('quic', () => better),
    other: scripted('tcp', () => other),
    briefMs: 1000,
    patienceMs: 1500,
    log,
  });

const take = ({ remote }: Carrier): CarrierHandlers => {
  done.push(`taken ${remote}`);
  return ignoring;
};
const target = { host: '10.0.0.1', port: 7878, timeoutMs: 10_000 };

beforeEach(() => {
  [done, said, better, other] = [[], [], [], []];
});

test('a dial goes the better way alone where that connects', async () => {
  better = ['', ''];
  const dialled = transport();
  await dialled.dial(target, take);
  await dialled.dial(target, take);
  expect(done).toEqual(['quic 1000', 'taken quic', 'quic 1000', 'taken quic']);
  expect(said).toEqual(['QUIC is used']);
});

test('a dial goes the better way too when whoever is dialled came up in the meantime', async () => {
  [better, other] = [['silence', ''], ['']];
  await transport().dial(target, take);
  expect(done).toEqual(['quic 1000', 'tcp 10000', 'quic 1500', 'taken quic', 'tcp cut']);
  expect(said).toEqual(['QUIC is used']);
});

test('a dial falls back when somebody is there and the better way does not get through, and says so once', async () => {
  [better, other] = [
    ['silence', 'silence', 'silence', 'silence', ''],
    ['', ''],
  ];
  const dialled = transport();
  await dialled.dial(target, take);
  await dialled.dial(target, take);
  expect(done.slice(0, 4)).toEqual(['quic 1000', 'tcp 10000', 'quic 1500', 'taken tcp']);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/^QUIC does not get through .*TCP is used instead .*"reason":"silence"/);
  await dialled.dial(target, take);
  expect(said[1]).toBe('QUIC gets through again and is used');
});

test('a dial that fails both ways fails with the reason of the other way, and nothing is said', async () => {
  [better, other] = [['silence'], ['nothing listens there']];
  await expect(transport().dial(target, take)).rejects.toThrow('nothing listens there');
  expect(said).toEqual([]);
});
