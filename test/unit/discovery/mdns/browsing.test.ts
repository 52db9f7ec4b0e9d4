/** Asking, remembering, completing and forgetting (RFC 6762 sections 5, 7 and 10, RFC 6763 section 4). */

import { describe, expect, test } from 'bun:test';
import { createMdns } from '../../../../src/discovery/mdns/mdns.ts';
import { encodeMessage } from '../../../../src/discovery/mdns/packet.ts';
import { message, type RecordBody, type ResourceRecord } from '../../../../src/discovery/mdns/records.ts';
import { established, link, service, Wire } from './wire.ts';

const type = '_octaskly._tcp.local';
const record = (name: string, body: RecordBody, ttlSeconds = 120): ResourceRecord => ({
  name,
  ttlSeconds,
  unique: body.type !== 'PTR',
  body,
});
const pointer = (name: string, ttlSeconds = 4500) =>
  record(type, { type: 'PTR', target: `${name}.${type}` }, ttlSeconds);
const srv = (name: string, target = 'h.local', ttlSeconds = 120) =>
  record(`${name}.${type}`, { type: 'SRV', target, port: 1, priority: 0, weight: 0 }, ttlSeconds);
const txt = (name: string) => record(`${name}.${type}`, { type: 'TXT', strings: ['a=1', 'A=2', 'b', '=c'] }, 4500);
const address = (text: string, host = 'h.local') =>
  record(host, { type: text.includes(':') ? 'AAAA' : 'A', address: text });

/** A machine `w` that browses, with what it asked so far taken away. */
function browsing(ms = 500): Wire {
  const wire = new Wire();
  wire.join('w', '10.0.0.2').browse(service.type, 0);
  wire.pass(ms);
  wire.packets();
  return wire;
}

/** Types of what was asked for. */
const askedFor = (wire: Wire): string[] =>
  wire
    .packets()
    .flatMap(({ message: { questions } }) => questions.map((each) => each.type))
    .sort();

describe('browse()', () => {
  test('asks within 120 ms, then after one second, two, four … up to an hour', () => {
    const wire = new Wire();
    wire.join('w', '10.0.0.2').browse(service.type, 0);
    wire.pass(6 * 3_600_000);
    const times = wire.packets().map(({ at }) => at);
    expect(times[0]).toBeGreaterThanOrEqual(20);
    expect(times[0]).toBeLessThanOrEqual(120);
    const gaps = times.slice(1).map((at, place) => Math.round((at - (times[place] ?? 0)) / 1000));
    expect(gaps.slice(0, 13)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600]);
    expect(gaps.at(-1)).toBe(3600);
  });

  test('wants the first answer by unicast, and those that follow for the group', () => {
    const wire = new Wire();
    wire.join('w', '10.0.0.2').browse(service.type, 0);
    wire.pass(4000);
    const wanted = wire.packets().map(({ message: { questions } }) => questions.map(({ unicast }) => unicast));
    expect(wanted).toEqual([[true], [false], [false]]);
  });

  test('is answered at once, though the service told the group just before', () => {
    const wire = new Wire();
    wire.join('d', '10.0.0.1').publish(service, 0);
    while (wire.packets().every(({ message: { response } }) => !response)) wire.pass(10);
    const announcedAt = wire.now;
    wire.join('w', '10.0.0.2').browse(service.type, wire.now);
    wire.pass(130);
    expect(wire.now - announcedAt).toBeLessThan(200);
    expect(wire.found('w')).toHaveLength(1);
  });

  test('finds an established service in a quarter of a second, and says what it knows when it asks again', () => {
    const { wire } = established();
    wire.join('w', '10.0.0.2').browse(service.type, wire.now);
    wire.pass(240);
    expect(wire.found('w')).toHaveLength(1);
    wire.packets();
    wire.pass(1100);
    const [again, ...answers] = wire.packets();
    expect(again?.message.answers.map(({ body }) => body)).toEqual([{ type: 'PTR', target: `pi.${type}` }]);
    expect(answers).toEqual([]);
  });

  test('holds a question back that another has just asked, if it knows no more than we do', () => {
    const wire = new Wire();
    wire.join('w', '10.0.0.2').browse(service.type, 0);
    wire.inject({ questions: [{ name: type, type: 'PTR', unicast: false }] });
    wire.pass(900);
    expect(wire.packets()).toEqual([]);
    const other = new Wire();
    other.join('w', '10.0.0.2').browse(service.type, 0);
    other.inject({ questions: [{ name: type, type: 'PTR', unicast: false }], answers: [pointer('x')] });
    other.pass(900);
    expect(other.packets()).toHaveLength(1);
  });

  test('keeps a service as long as it answers: it is asked for at 80 % of its life', () => {
    const { wire } = established();
    wire.join('w', '10.0.0.2').browse(service.type, wire.now);
    wire.pass(500);
    const heardAt = wire.now - 500;
    wire.packets();
    wire.pass(110_000);
    const asked = wire.packets().filter(({ by, message }) => by === 'w' && message.questions[0]?.type !== 'PTR');
    // What comes along with the first answer spares the other question.
    expect(['SRV', 'A']).toContain(asked[0]?.message.questions[0]?.type ?? '');
    expect(((asked[0]?.at ?? 0) - heardAt) / 120_000).toBeWithin(0.8, 0.825);
    wire.pass(3 * 3_600_000);
    expect(wire.news('w').map(({ kind }) => kind)).toEqual(['found']);
  });

  test('reports a service that fell silent as lost when its host is not heard for two minutes', () => {
    const { wire } = established();
    wire.join('w', '10.0.0.2').browse(service.type, wire.now);
    wire.pass(500);
    wire.news('w');
    // The harness takes the wire away first: no goodbye arrives.
    wire.down('d', 'lan');
    wire.pass(119_000);
    expect(wire.news('w')).toEqual([]);
    wire.pass(2000);
    expect(wire.news('w')).toEqual([{ kind: 'lost', instance: 'pi' }]);
  });

  test('completes a service of which only the pointer was heard', () => {
    const wire = browsing();
    wire.inject({ response: true, answers: [pointer('x')] });
    wire.pass(130);
    expect(askedFor(wire)).toEqual(['SRV', 'TXT']);
    wire.inject({ response: true, answers: [txt('x'), srv('x')] });
    wire.pass(130);
    expect(askedFor(wire)).toEqual(['A', 'AAAA']);
    expect(wire.news('w')).toEqual([]);
    wire.inject({ response: true, answers: [address('10.0.0.99')] });
    expect(wire.found('w').map(({ txt: text, addresses }) => [text, addresses])).toEqual([
      [{ a: '1', b: '' }, [{ address: '10.0.0.99', interfaceName: 'lan', onLink: false }]],
    ]);
  });

  test('asks four times for what expires, at 80, 85, 90 and 95 % of its life', () => {
    const wire = browsing(4000);
    const from = wire.now;
    wire.inject({ response: true, answers: [pointer('x'), srv('x', 'h.local', 1000), txt('x'), address('10.0.0.9')] });
    wire.pass(1_000_000);
    const asked = wire.packets().filter(({ message: { questions } }) => questions.some((each) => each.type === 'SRV'));
    const shares = asked.map(({ at }) => (at - from) / 1_000_000);
    expect(shares.slice(0, 4).map((share) => Math.floor((share + 0.0001) * 20) / 20)).toEqual([0.8, 0.85, 0.9, 0.95]);
    expect(wire.news('w').map(({ kind }) => kind)).toEqual(['found', 'lost']);
  });

  test('drops what a record with the cache-flush bit replaces, a second later, and not what came just before it', () => {
    const wire = browsing();
    const all = [pointer('x'), srv('x'), txt('x'), address('10.0.0.1'), address('10.0.0.2')];
    wire.inject({ response: true, answers: all });
    wire.pass(3000);
    expect(wire.found('w').at(-1)?.addresses).toHaveLength(2);
    wire.inject({ response: true, answers: [address('10.0.0.3')] });
    expect(wire.found('w').at(-1)?.addresses).toHaveLength(3);
    wire.pass(1000);
    expect(
      wire
        .found('w')
        .at(-1)
        ?.addresses.map((each) => each.address),
    ).toEqual(['10.0.0.3']);
  });

  test('names the addresses of the link’s own network first, and those of each link', () => {
    const wire = new Wire();
    wire.join('w', null).browse(service.type, 0);
    wire.up('w', { ...link('192.168.1.2'), networks: ['192.168.1.2/24'] });
    wire.inject(
      {
        response: true,
        answers: [pointer('x'), srv('x'), txt('x'), address('fe80::1'), address('10.9.9.9'), address('192.168.1.9')],
      },
      { address: '192.168.1.9', port: 5353 },
    );
    expect(wire.found('w')[0]?.addresses.map((each) => each.address)).toEqual(['192.168.1.9', 'fe80::1', '10.9.9.9']);
  });

  test('takes no address that is nobody’s, and of other networks private ones alone', () => {
    const wire = new Wire();
    wire.join('w', null).browse(service.type, 0);
    wire.up('w', { ...link('192.168.1.2'), networks: ['192.168.1.2/24', '2001:db8::2/64'] });
    const impossible = ['127.0.0.1', '224.0.0.1', '255.255.255.255', '0.0.0.0', '192.168.1.255', '8.8.8.8'];
    const more = ['::1', '::', 'ff02::1', '2600::1'];
    const from = { address: '192.168.1.9', port: 5353 };
    const say = (...answers: ResourceRecord[]): void => wire.inject({ response: true, answers }, from);
    say(pointer('x'), srv('x'), txt('x'), ...[...impossible, ...more].map((each) => address(each)));
    expect(wire.news('w')).toEqual([]);
    say(...['172.16.0.1', '192.168.1.9', '2001:db8::9'].map((each) => address(each)));
    const [found] = wire.found('w');
    expect(found?.addresses.map(({ address: text, onLink }) => [text, onLink])).toEqual([
      ['192.168.1.9', true],
      ['2001:db8::9', true],
      ['172.16.0.1', false],
    ]);
  });
});

describe('received()', () => {
  test('ignores answers from other ports, from other networks, and on links that are none', () => {
    const mdns = createMdns({ chance: () => 0 });
    mdns.linkUp({ ...link('192.168.1.2'), networks: ['192.168.1.0/24'] }, 0);
    mdns.browse(service.type, 0);
    const bytes = encodeMessage(
      message({ response: true, answers: [pointer('x'), srv('x'), txt('x'), address('10.0.0.9')] }),
    );
    mdns.received({ link: 'lan', from: { address: '192.168.1.9', port: 5354 }, bytes }, 0);
    mdns.received({ link: 'lan', from: { address: '192.168.2.9', port: 5353 }, bytes }, 0);
    mdns.received({ link: 'none', from: { address: '192.168.1.9', port: 5353 }, bytes }, 0);
    expect(mdns.take().news).toEqual([]);
    expect(mdns.counts).toEqual({ received: 3, malformed: 0, ignored: 3, limited: 0, sent: 0 });
    mdns.received({ link: 'lan', from: { address: '192.168.2.9', port: 5353 }, bytes, toGroup: true }, 0);
    expect(mdns.take().news).toHaveLength(1);
  });

  test('counts what is beyond the rate of its sender apart', () => {
    const mdns = createMdns({ chance: () => 0, limits: { sourcePacketsPerSecond: 1, sourcePacketsBurst: 2 } });
    mdns.linkUp(link('10.0.0.2'), 0);
    const from = { address: '10.0.0.9', port: 5353 };
    for (let count = 0; count < 5; count += 1) mdns.received({ link: 'lan', from, bytes: new Uint8Array(3) }, 0);
    expect(mdns.counts).toMatchObject({ received: 5, malformed: 2, limited: 3, ignored: 0 });
  });

  test('lets no sender have more than its share of the memory, nor all of them more than there is', () => {
    const mdns = createMdns({ chance: () => 0.5, limits: { cacheRecordsMax: 64, sourceRecordsMax: 16 } });
    mdns.linkUp(link('10.0.0.2'), 0);
    mdns.browse(service.type, 0);
    let found = 0;
    const say = (from: string, name: string, at: number): void => {
      const answers = [pointer(name), srv(name, `${name}.local`), txt(name), address('10.0.0.9', `${name}.local`)];
      const bytes = encodeMessage(message({ response: true, answers }));
      mdns.received({ link: 'lan', from: { address: from, port: 5353 }, bytes }, at);
      found += mdns.take().news.filter(({ kind }) => kind === 'found').length;
    };
    for (let count = 0; count < 300; count += 1) say('10.0.0.66', `bad${count}`, count);
    expect(found).toBe(4);
    for (let count = 0; count < 300; count += 1) say(`10.0.1.${count % 250}`, `worse${count}`, 300 + count);
    expect(found).toBeLessThan(40);
  });

  test('takes ten thousand packets of many senders well within a second', () => {
    const { wire, d } = established();
    d.browse(service.type, wire.now);
    const packets = Array.from({ length: 100 }, (_, place) =>
      encodeMessage(
        message({
          response: true,
          answers: [pointer(`n${place}`), srv(`n${place}`), txt(`n${place}`), address('10.0.0.9')],
        }),
      ),
    );
    const query = encodeMessage(message({ questions: [{ name: type, type: 'PTR', unicast: false }] }));
    const before = Bun.nanoseconds();
    for (let count = 0; count < 10_000; count += 1) {
      const bytes = count % 2 === 0 ? query : (packets[count % 100] ?? query);
      d.received({ link: 'lan', from: { address: `10.0.2.${count % 200}`, port: 5353 }, bytes }, wire.now + count / 10);
      d.take();
      if (count % 10 === 0) d.passed(wire.now + count / 10);
    }
    expect((Bun.nanoseconds() - before) / 1e6).toBeLessThan(5000);
  });
});
