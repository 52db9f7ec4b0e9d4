/** When a dial goes the better way, and when the other one. */

import { beforeEach, expect, test } from 'bun:test';
import type { Carrier, CarrierHandlers, Choice, Transport } from '../../../src/ports/transport.ts';
import { createFallbackTransport } from '../../../src/runtime/fallback.ts';

/** What was done, in order. */
let done: string[] = [];
let said: string[] = [];
/** What the next dials come to: '' = connected, else why not. */
let better: string[] = [];
let other: string[] = [];

/** What the carrier made last tells. */
let latest: CarrierHandlers | null = null;

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
      latest = take({ remote: name, cut: () => done.push(`${name} cut`) } as Partial<Carrier> as Carrier);
    },
  };
}

const transport = () =>
  createFallbackTransport({
    better: scripted('quic', () => better),
    other: scripted('tcp', () => other),
    unable: (host) => (host.startsWith('fe80:') ? 'not to such addresses' : null),
    usual: { briefMs: 1000, patienceMs: 1500 },
    doubtful: { briefMs: 300, patienceMs: 400 },
    log,
  });

const take = ({ remote }: Carrier, choice?: Choice): CarrierHandlers => {
  done.push(`taken ${remote}`);
  expect(choice?.name).toBe(remote as 'tcp' | 'quic');
  choice?.kept();
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

test('a connection that is not kept is not told of', async () => {
  better = [''];
  await transport().dial(target, () => ignoring);
  expect(said).toEqual([]);
});

test('a dial after the better way went silent is quick to fall back, until somebody is met or nobody is there', async () => {
  [better, other] = [
    ['', 'silence', 'silence', '', 'silence', 'silence'],
    ['', 'nothing listens there'],
  ];
  const dialled = transport();
  const goneSilent = (): void => latest?.onClose({ cause: 'stalled', detail: '' });
  await dialled.dial(target, take);
  goneSilent();
  await dialled.dial(target, take);
  expect(done.slice(2)).toEqual(['quic 300', 'tcp 10000', 'quic 400', 'taken tcp']);
  await dialled.dial(target, take);
  goneSilent();
  await expect(dialled.dial(target, take)).rejects.toThrow();
  await expect(dialled.dial(target, take)).rejects.toThrow();
  expect(done.slice(6)).toEqual(['quic 1000', 'taken quic', 'quic 300', 'tcp 10000', 'quic 1000', 'tcp 10000']);
});

test('an address of no use to the better way is dialled the other way, after those beside it had their time', async () => {
  other = [''];
  const startedAt = performance.now();
  await transport().dial({ ...target, host: 'fe80::1%eth0' }, take);
  expect(performance.now() - startedAt).toBeGreaterThan(950);
  // What is left of ten seconds after one that was waited for; a busy machine waits longer.
  const [dialled, ...after] = done;
  expect(dialled).toMatch(/^tcp (8\d00|9000)$/);
  expect(after).toEqual(['taken tcp']);
  expect(said[0]).toContain('"reason":"not to such addresses"');
});
