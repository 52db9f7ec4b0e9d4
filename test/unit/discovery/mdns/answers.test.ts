/** What is answered, when, and to whom (RFC 6762 sections 5 to 7). */

import { describe, expect, test } from 'bun:test';
import { answersTo, ownRecords } from '../../../../src/discovery/mdns/own.ts';
import type { ResourceRecord } from '../../../../src/discovery/mdns/records.ts';
import { established, link, service, type Wire } from './wire.ts';

const type = '_octaskly._tcp.local';
const named = `pi.${type}`;
const ask = (name: string, of: string, unicast = false) => ({ name, type: of, unicast });
const pointer = (ttlSeconds: number): ResourceRecord => ({
  name: type,
  ttlSeconds,
  unique: false,
  body: { type: 'PTR', target: named },
});
const browser = { address: '10.0.0.50', port: 5353 };

/** Types of the records of all answers sent by then, with when they were. */
function answered(wire: Wire, ms: number): { after: number; types: string[] }[] {
  const from = wire.now;
  wire.pass(ms);
  return wire
    .packets()
    .map(({ at, message }) => ({ after: at - from, types: message.answers.map(({ body }) => body.type) }));
}

describe('a question', () => {
  test('for a pointer is answered to the group after 20 to 120 ms, with all that goes along', () => {
    const { wire } = established();
    wire.inject({ questions: [ask(type, 'PTR')] }, browser);
    wire.pass(19);
    expect(wire.packets()).toEqual([]);
    wire.pass(101);
    const [answer, ...others] = wire.packets();
    expect(others).toEqual([]);
    expect(answer?.to).toBe('group');
    expect(answer?.message.answers).toEqual([pointer(4500)]);
    expect(answer?.message.additionals.map(({ body }) => body.type)).toEqual(['SRV', 'TXT', 'A', 'other']);
  });

  test.each([
    [named, 'SRV', 'SRV'],
    [named.toUpperCase().replace('_TCP.LOCAL', '_tcp.local'), 'TXT', 'TXT'],
    ['octaskly-1f2e.local', 'A', 'A'],
  ])('for %s %s, which is ours alone, is answered at once', (name, of, expected) => {
    const { wire } = established();
    wire.inject({ questions: [ask(name, of)] }, browser);
    expect(answered(wire, 1000)).toEqual([{ after: 0, types: [expected] }]);
  });

  test('for all types of services names ours; one of anything else is not answered', () => {
    const { wire } = established();
    wire.inject({ questions: [ask('_services._dns-sd._udp.local', 'PTR')] }, browser);
    wire.inject({ questions: [ask('_http._tcp.local', 'PTR'), ask('other.local', 'A')] }, browser);
    wire.pass(500);
    expect(wire.packets().map(({ message }) => message.answers.map(({ body }) => body))).toEqual([
      [{ type: 'PTR', target: type }],
    ]);
  });

  test('for an address we have none of is answered: there is none', () => {
    const own = ownRecords({ service, instance: 'pi', host: 'h' }, link('10.0.0.1'));
    expect(answersTo(own, ask('h.local', 'AAAA')).map(({ body }) => body)).toEqual([{ type: 'NSEC', types: ['A'] }]);
    expect(answersTo(own, ask('h.local', 'ANY')).map(({ body }) => body.type)).toEqual(['A']);
    expect(answersTo(own, ask('i.local', 'AAAA'))).toEqual([]);
  });

  test('is not answered by whoever is still probing', () => {
    const { wire, d } = established();
    d.publish({ ...service, instance: 'new' }, wire.now);
    wire.packets();
    wire.inject({ questions: [ask(type, 'PTR')] }, browser);
    wire.pass(500);
    expect(wire.packets().filter(({ message }) => message.response)).toHaveLength(1); // the goodbye
  });

  test('with the answer in it is not answered, save when that is to end within half its life', () => {
    const { wire } = established();
    wire.inject({ questions: [ask(type, 'PTR')], answers: [pointer(2250)] }, browser);
    expect(answered(wire, 500)).toEqual([]);
    wire.inject({ questions: [ask(type, 'PTR')], answers: [pointer(2249)] }, browser);
    expect(answered(wire, 500)).toHaveLength(1);
  });

  test('whose known answers follow is answered half a second later, or not at all when ours is among them', () => {
    const { wire } = established();
    wire.inject({ questions: [ask(type, 'PTR')], truncated: true }, browser);
    const [late] = answered(wire, 1000);
    expect(late?.after).toBeGreaterThanOrEqual(400);
    wire.pass(2000);
    wire.inject({ questions: [ask(type, 'PTR')], truncated: true }, browser);
    wire.inject({ answers: [pointer(4500)] }, browser);
    expect(answered(wire, 1000)).toEqual([]);
    wire.inject({ questions: [ask(type, 'PTR')], truncated: true }, browser);
    wire.inject({ answers: [pointer(4500)] }, { address: '10.0.0.51', port: 5353 });
    expect(answered(wire, 1000)).toHaveLength(1);
  });

  test('is answered once by the group: not after another gave the answer, not twice within a second', () => {
    const { wire } = established();
    const enumeration = '_services._dns-sd._udp.local';
    wire.inject({ questions: [ask(enumeration, 'PTR')] }, browser);
    wire.inject({
      response: true,
      answers: [{ ...pointer(4500), name: enumeration, body: { type: 'PTR', target: type } }],
    });
    expect(answered(wire, 500)).toEqual([]);
    for (let count = 0; count < 50; count += 1) wire.inject({ questions: [ask(named, 'SRV')] }, browser);
    expect(answered(wire, 5000).map(({ after }) => after)).toEqual([0, 1000]);
  });

  test('by one who wants a unicast answer is answered so when the group has heard it lately', () => {
    const { wire } = established();
    wire.inject({ questions: [ask(type, 'PTR', true)] }, browser);
    expect(wire.packets().map(({ to }) => to)).toEqual([browser]);
    wire.pass(2_000_000);
    wire.packets();
    wire.inject({ questions: [ask(type, 'PTR', true)] }, browser);
    wire.pass(200);
    expect(wire.packets().map(({ to }) => to)).toEqual(['group']);
  });

  test('from another port is answered as DNS would: to it alone, id and question back, short-lived, without the bit', () => {
    const { wire } = established();
    const from = { address: '10.0.0.50', port: 40_000 };
    wire.inject({ id: 4711, questions: [ask(named, 'SRV')] }, from);
    const [answer] = wire.packets();
    expect(answer?.to).toEqual(from);
    expect(answer?.message).toMatchObject({ id: 4711, questions: [ask(named, 'SRV')], truncated: false });
    const all = [...(answer?.message.answers ?? []), ...(answer?.message.additionals ?? [])];
    expect(all.map(({ body }) => body.type)).toEqual(['SRV', 'A']);
    for (const record of all) expect([record.ttlSeconds, record.unique]).toEqual([10, false]);
  });

  test('of one host that never stops is answered at a bounded rate', () => {
    const { wire, d } = established();
    for (let count = 0; count < 300; count += 1)
      wire.inject({ questions: [ask(named, 'SRV')] }, { address: '10.0.0.50', port: 40_000 });
    expect(wire.packets()).toHaveLength(40);
    expect(d.counts.ignored).toBe(260);
  });

  test('for a probed name of ours is answered to the group, also a quarter of a second after the last time', () => {
    const { wire } = established();
    const probe = { questions: [ask(named, 'ANY', true)], authorities: [{ ...pointer(1), name: named }] };
    wire.inject(probe, browser);
    wire.pass(250);
    wire.inject(probe, browser);
    wire.pass(250);
    expect(wire.packets().map(({ to }) => to)).toEqual(['group', 'group']);
  });
});

describe('large answers', () => {
  const addresses = Array.from({ length: 16 }, (_, place) => [`10.1.0.${place}`, `fd00::${place + 1}`]).flat();
  const txt = Object.fromEntries(Array.from({ length: 8 }, (_, place) => [`key${place}`, 'x'.repeat(200)]));

  test('are cut into packets that fit a frame; a single one says that something is missing', () => {
    const { wire, d } = established();
    wire.up('d', { id: 'lan', interfaceName: 'lan', family: 4, addresses });
    d.publish({ ...service, txt }, wire.now);
    wire.pass(5000);
    const announced = wire.packets().filter(({ message }) => message.response && message.answers.length > 0);
    expect(announced.length).toBeGreaterThan(2);
    expect(announced.every(({ message }) => !message.truncated)).toBeTrue();
    wire.inject(
      { questions: [ask(named, 'ANY'), ask('octaskly-1f2e.local', 'ANY')] },
      { address: '10.0.0.50', port: 40_000 },
    );
    const [legacy] = wire.packets();
    expect(legacy?.message.truncated).toBeTrue();
    expect(legacy?.message.answers.length).toBeGreaterThan(20);
  });
});
