/** Probing, announcing, ties, conflicts and goodbyes (RFC 6762 sections 8 to 10) between machines on one wire. */

import { describe, expect, test } from 'bun:test';
import { keyOf, type ResourceRecord } from '../../../../src/discovery/mdns/records.ts';
import { established, link, service, Wire } from './wire.ts';

const named = 'pi._octaskly._tcp.local';
const srv = (port: number, name = named): ResourceRecord => ({
  name,
  ttlSeconds: 120,
  unique: true,
  body: { type: 'SRV', target: 'other.local', port, priority: 0, weight: 0 },
});

describe('publish()', () => {
  test('probes three times, a quarter of a second apart, for an answer by unicast, and then announces ever more seldom', () => {
    const wire = new Wire();
    wire.join('d', '10.0.0.1').publish(service, 0);
    wire.pass(20_000);
    const sent = wire.packets();
    const probes = sent.filter(({ message }) => !message.response);
    expect(probes).toHaveLength(3);
    const first = probes[0]?.at ?? -1;
    expect(first).toBeGreaterThanOrEqual(0);
    expect(first).toBeLessThan(250);
    expect(probes.map(({ at }) => at - first)).toEqual([0, 250, 500]);
    for (const { message } of probes) {
      expect(message.questions).toEqual([
        { name: named, type: 'ANY', unicast: true },
        { name: 'octaskly-1f2e.local', type: 'ANY', unicast: true },
      ]);
      expect(message.authorities.map(({ body }) => body.type)).toEqual(['SRV', 'TXT', 'A']);
    }
    const announced = sent.filter(({ message }) => message.response);
    expect(announced.map(({ at }) => at - first)).toEqual([750, 1750, 3750]);
    expect(announced[0]?.message.answers.map(({ body, unique }) => [body.type, unique])).toEqual([
      ['PTR', false],
      ['PTR', false],
      ['SRV', true],
      ['TXT', true],
      ['A', true],
    ]);
    expect(wire.news('d')).toEqual([{ kind: 'established', instance: 'pi', host: 'octaskly-1f2e.local' }]);
  });

  test('gives one who starts to browse at the same moment what it looks for within a second', () => {
    const wire = new Wire();
    wire.join('d', '10.0.0.1').publish(service, 0);
    wire.join('w', '10.0.0.2').browse(service.type, 0);
    wire.pass(1000);
    expect(wire.found('w')).toEqual([
      {
        instance: 'pi',
        type: service.type,
        host: 'octaskly-1f2e.local',
        port: 7878,
        txt: service.txt,
        addresses: [{ address: '10.0.0.1', interfaceName: 'lan', onLink: false }],
      },
    ]);
  });

  test('announces new text at once, without probing anew', () => {
    const { wire, d } = established();
    wire.join('w', '10.0.0.2').browse(service.type, wire.now);
    wire.pass(500);
    wire.packets();
    wire.news('w');
    d.publish({ ...service, txt: { id: 'b' } }, wire.now);
    wire.pass(100);
    expect(wire.packets().filter(({ message }) => !message.response)).toEqual([]);
    wire.pass(2000);
    expect(wire.found('w').at(-1)?.txt).toEqual({ id: 'b' });
  });

  test('gives three machines that want one name three names', () => {
    const wire = new Wire();
    for (const [place, name] of ['a', 'b', 'c'].entries())
      wire.join(name, `10.0.0.${place + 1}`).publish({ ...service, host: `host-${name}`, port: 1000 + place }, 0);
    wire.join('w', '10.0.0.9').browse(service.type, 0);
    wire.pass(15_000);
    const last = ['a', 'b', 'c'].map((name) => wire.news(name).findLast(({ kind }) => kind === 'established'));
    expect(last.map((each) => (each?.kind === 'established' ? each.instance : '')).sort()).toEqual([
      'pi',
      'pi (2)',
      'pi (3)',
    ]);
    const ports = new Map(wire.found('w').map(({ instance, port }) => [instance, port]));
    expect([...ports.keys()].sort()).toEqual(['pi', 'pi (2)', 'pi (3)']);
    expect([...ports.values()].sort()).toEqual([1000, 1001, 1002]);
  });

  test('takes another host label when only that is in use', () => {
    const { wire } = established();
    wire.join('e', '10.0.0.2').publish({ ...service, instance: 'other' }, wire.now);
    wire.pass(5000);
    expect(wire.news('e')).toEqual([
      { kind: 'renamed', from: 'octaskly-1f2e', to: 'octaskly-1f2e-2' },
      { kind: 'established', instance: 'other', host: 'octaskly-1f2e-2.local' },
    ]);
    expect(wire.news('d')).toEqual([]);
  });

  test('finds a name with a dot in it', () => {
    const wire = new Wire();
    wire.join('d', '10.0.0.1').publish({ ...service, instance: 'Pi 4.1 ü' }, 0);
    wire.join('w', '10.0.0.2').browse(service.type, 0);
    wire.pass(600_000);
    expect(wire.news('w').map((each) => (each.kind === 'found' ? each.service.instance : each.kind))).toEqual([
      'Pi 4.1 ü',
    ]);
  });
});

describe('a tie', () => {
  /** Another probes, right after our first probe, with an SRV record of that port at our name. */
  function probed(port: number): number[] {
    const wire = new Wire();
    wire.join('d', '10.0.0.1').publish(service, 0);
    wire.pass(300);
    const before = wire.packets().filter(({ message }) => !message.response).length;
    const question = { name: named, type: 'ANY', unicast: true };
    const target = 'octaskly-1f2e.local';
    const authorities: ResourceRecord[] = [
      { ...srv(port), body: { type: 'SRV', target, port, priority: 0, weight: 0 } },
      { ...srv(port), body: { type: 'TXT', strings: ['txtvers=1', 'id=a'] } },
    ];
    wire.inject({ questions: [question], authorities });
    const lostAt = wire.now;
    wire.pass(3000);
    const probes = wire.packets().filter(({ message }) => !message.response);
    return [before, ...probes.map(({ at }) => at - lostAt)];
  }

  test('is lost to the greater data: probes begin anew a second later', () => {
    const [, ...later] = probed(9999);
    expect(later).toEqual([1000, 1250, 1500]);
  });

  test('is won against the smaller data: probes go on', () => {
    const [before = 0, ...later] = probed(1);
    expect(before + later.length).toBe(3);
    expect(later[0]).toBeLessThan(250);
  });
});

describe('a conflict', () => {
  test('while probing leads to the next name at once', () => {
    const wire = new Wire();
    wire.join('d', '10.0.0.1').publish(service, 0);
    wire.pass(300);
    wire.inject({ response: true, answers: [srv(1)] });
    expect(wire.news('d')).toEqual([{ kind: 'renamed', from: 'pi', to: 'pi (2)' }]);
    wire.pass(1500);
    expect(wire.news('d')).toEqual([{ kind: 'established', instance: 'pi (2)', host: 'octaskly-1f2e.local' }]);
  });

  test('later is settled by probing again with the same name', () => {
    const { wire } = established();
    wire.inject({ response: true, answers: [srv(1)] });
    wire.pass(5000);
    const sent = wire.packets();
    expect(sent.filter(({ message }) => !message.response)).toHaveLength(3);
    expect(sent.filter(({ message }) => message.response).length).toBeGreaterThanOrEqual(2);
    expect(wire.news('d')).toEqual([]);
  });

  test('is none when the record is ours, on whatever link it was said', () => {
    const wire = new Wire();
    wire.join('d', null).publish(service, 0);
    wire.up('d', link('10.0.0.1', 'eth0'), 'lan');
    wire.up('d', link('10.0.0.2', 'wlan0'), 'lan');
    wire.pass(10_000);
    expect(wire.news('d').map(({ kind }) => kind)).toEqual(['established']);
  });

  test('without end slows probing down', () => {
    const wire = new Wire();
    wire.join('d', '10.0.0.1').publish(service, 0);
    const taken = (): void => {
      for (let attempt = 1; attempt < 200; attempt += 1)
        wire.inject({
          response: true,
          answers: [srv(1, attempt === 1 ? named : `pi (${attempt})._octaskly._tcp.local`)],
        });
    };
    for (let second = 0; second < 30; second += 1) {
      taken();
      wire.packets();
      wire.pass(1000);
    }
    expect(wire.packets().length).toBeLessThan(20);
  });
});

describe('goodbye', () => {
  test('is said by withdraw(), and tells others at once', () => {
    const { wire, d } = established();
    wire.join('w', '10.0.0.2').browse(service.type, wire.now);
    wire.pass(2000);
    expect(wire.found('w')).toHaveLength(1);
    wire.packets();
    d.withdraw(wire.now);
    wire.settle();
    const [bye] = wire.packets();
    expect(bye?.message.answers.map(({ ttlSeconds, body }) => [ttlSeconds, body.type])).toEqual([
      [0, 'PTR'],
      [0, 'SRV'],
      [0, 'TXT'],
      [0, 'A'],
    ]);
    expect(wire.news('w')).toEqual([{ kind: 'lost', instance: 'pi' }]);
    wire.pass(2000);
    expect(wire.news('w')).toEqual([]);
  });

  test('of an address that moved: the new one is found, the old one gone a second later', () => {
    const { wire } = established();
    wire.join('w', '10.0.0.2').browse(service.type, wire.now);
    wire.pass(2000);
    wire.news('w');
    wire.up('d', link('10.0.0.7'));
    wire.pass(4000);
    expect(wire.found('w').at(-1)?.addresses).toEqual([{ address: '10.0.0.7', interfaceName: 'lan', onLink: false }]);
  });

  test('is said for an address that went while another stayed, and nothing is probed for anew', () => {
    const wire = new Wire();
    wire.join('d', null).publish(service, 0);
    const both = { ...link('fd00::1'), addresses: ['fd00::1', '10.0.0.1'] };
    wire.up('d', both);
    wire.pass(5000);
    wire.packets();
    wire.up('d', { ...both, addresses: ['fd00::1'] });
    wire.pass(10);
    const [goodbye, announced] = wire.packets();
    expect(goodbye?.message.answers).toMatchObject([{ ttlSeconds: 0, body: { type: 'A', address: '10.0.0.1' } }]);
    expect(announced?.message.response).toBe(true);
    expect(announced?.message.answers.map(({ body }) => body.type)).not.toContain('A');
  });

  /** One interface with both families, as two links of one wire each. */
  const twoFamilies = (name: string, last: number) =>
    ([4, 6] as const).map((family) => {
      const own = family === 4 ? `10.0.${name}.${last}` : `fe80::${last}`;
      const addresses = [`10.0.${name}.${last}`, `fe80::${last}`];
      return {
        ...link(own, `${name}/${family}`),
        interfaceName: name,
        addresses,
        networks: [`10.0.${name}.0/24`, 'fe80::/64'],
      };
    });

  test('by IPv6 of an address that was heard by IPv4 takes it from the list at once, and the service stays', () => {
    const wire = new Wire();
    wire.join('d', null).publish(service, 0);
    wire.join('w', null).browse(service.type, 0);
    for (const each of twoFamilies('1', 1)) wire.up('d', each);
    for (const each of twoFamilies('1', 2)) wire.up('w', each);
    wire.pass(5000);
    const last = wire.found('w').at(-1);
    expect(last?.addresses.map((each) => each.address)).toEqual(['10.0.1.1', 'fe80::1']);
    wire.down('d', '1/4');
    wire.up('d', { ...link('fe80::1', '1/6'), interfaceName: '1' });
    expect(
      wire
        .found('w')
        .at(-1)
        ?.addresses.map((each) => each.address),
    ).toEqual(['fe80::1']);
    wire.pass(300_000);
    expect(wire.news('w')).toEqual([]);
  });

  test('of an interface that is gone is said by the others', () => {
    const wire = new Wire();
    wire.join('d', null).publish(service, 0);
    wire.join('w', null).browse(service.type, 0);
    for (const name of ['1', '2']) {
      for (const each of twoFamilies(name, Number(`1${name}`))) wire.up('d', each);
      for (const each of twoFamilies(name, Number(`2${name}`))) wire.up('w', each);
    }
    wire.pass(5000);
    wire.news('w');
    wire.packets();
    for (const id of ['1/4', '1/6']) wire.down('d', id);
    const hosts = wire
      .found('w')
      .at(-1)
      ?.addresses.map((each) => each.address);
    expect(hosts).toEqual(['10.0.2.12', 'fe80::12']);
    const said = wire.packets().filter(({ link: id, message: { response } }) => response && id.startsWith('2/'));
    const gone = said.flatMap(({ message: { answers } }) => answers.filter(({ ttlSeconds }) => ttlSeconds === 0));
    expect(gone.map(({ body }) => body)).toContainEqual({ type: 'A', address: '10.0.1.11' });
  });

  test('of an address that is announced again within a second is taken back', () => {
    const { wire } = established();
    wire.join('w', '10.0.0.2').browse(service.type, wire.now);
    wire.pass(2000);
    const answer = (ttlSeconds: number): ResourceRecord => ({
      ...{ name: 'octaskly-1f2e.local', ttlSeconds, unique: true },
      body: { type: 'A', address: '10.0.0.1' },
    });
    wire.news('w');
    wire.inject({ response: true, answers: [answer(0)] });
    expect(wire.news('w')).toEqual([{ kind: 'lost', instance: 'pi' }]);
    wire.inject({ response: true, answers: [answer(120)] });
    expect(wire.found('w')).toHaveLength(1);
    wire.pass(5000);
    expect(wire.news('w')).toEqual([]);
  });

  test('is not needed where a link went down', () => {
    const { wire } = established();
    wire.join('w', '10.0.0.2').browse(service.type, wire.now);
    wire.pass(2000);
    wire.news('w');
    wire.down('w', 'lan');
    expect(wire.news('w')).toEqual([{ kind: 'lost', instance: 'pi' }]);
  });
});

test('keyOf() tells records apart by name, type and data alone', () => {
  expect(keyOf({ ...srv(1), name: 'PI._octaskly._tcp.local', ttlSeconds: 1 })).toBe(keyOf(srv(1)));
  expect(keyOf(srv(2))).not.toBe(keyOf(srv(1)));
});
