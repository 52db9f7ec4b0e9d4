/**
 * The records of the service that is announced here (RFC 6763 sections 4 to 9), as they are on one link: the names point
 * to the addresses of that interface alone.
 */

import type { MdnsLink, MdnsService } from './contract.ts';
import { addressesMax, rfc } from './limits.ts';
import { canonical, enumerationName, hostName, instanceName, typeName } from './names.ts';
import { familyOf } from './networks.ts';
import { plainAddress } from './packet.ts';
import { keyOf, type Question, type ResourceRecord } from './records.ts';

/** A service under the names it has now. */
export interface Named {
  readonly service: MdnsService;
  readonly instance: string;
  /** Label, without `.local`. */
  readonly host: string;
}

export interface OwnRecords {
  /** PTR of the service, then of its type. */
  readonly shared: readonly ResourceRecord[];
  /** SRV and TXT. */
  readonly instance: readonly ResourceRecord[];
  /** A and AAAA. */
  readonly host: readonly ResourceRecord[];
  /** What is not there, by canonical name. */
  readonly negative: ReadonlyMap<string, ResourceRecord>;
}

/** Most bytes of one string of a TXT record; a longer one is left out. */
const txtBytesMax = 255;

/** The records of a service on a link. */
export function ownRecords({ service, instance, host }: Named, link: MdnsLink): OwnRecords {
  const type = typeName(service.type);
  const name = instanceName(instance, service.type);
  const target = hostName(host);
  const { hostTtlSeconds, otherTtlSeconds } = rfc;
  const shared = { ttlSeconds: otherTtlSeconds, unique: false };
  const unique = { ttlSeconds: hostTtlSeconds, unique: true };
  const addresses = addressRecords(target, link);
  const types = [...new Set(addresses.map(({ body }) => body.type))];
  return {
    shared: [
      { name: type, ...shared, body: { type: 'PTR', target: name } },
      { name: enumerationName, ...shared, body: { type: 'PTR', target: type } },
    ],
    instance: [
      { name, ...unique, body: { type: 'SRV', target, port: service.port, priority: 0, weight: 0 } },
      { name, ...unique, ttlSeconds: otherTtlSeconds, body: { type: 'TXT', strings: txtStrings(service.txt) } },
    ],
    host: addresses,
    negative: new Map([
      [canonical(name), { name, ...unique, body: { type: 'NSEC', types: ['TXT', 'SRV'] } }],
      [canonical(target), { name: target, ...unique, body: { type: 'NSEC', types } }],
    ]),
  };
}

function addressRecords(name: string, link: MdnsLink): ResourceRecord[] {
  const record = (type: 'A' | 'AAAA', address: string): ResourceRecord => ({
    name,
    ttlSeconds: rfc.hostTtlSeconds,
    unique: true,
    body: { type, address: plainAddress(address) },
  });
  const of = (family: 4 | 6): string[] => link.addresses.filter((address) => familyOf(address) === family);
  return [
    ...of(4)
      .slice(0, addressesMax)
      .map((address) => record('A', address)),
    ...of(6)
      .slice(0, addressesMax)
      .map((address) => record('AAAA', address)),
  ];
}

/** `key=value` each, as one character per byte; a single empty string when there is none (RFC 6763 section 6.1). */
function txtStrings(txt: Readonly<Record<string, string>>): string[] {
  const strings = Object.entries(txt)
    .map(([key, value]) => new TextEncoder().encode(`${key}=${value}`))
    .filter(({ length }) => length <= txtBytesMax)
    .map((bytes) => String.fromCharCode(...bytes));
  return strings.length > 0 ? strings : [''];
}

/** Everything there is to announce. */
export function allOf({ shared, instance, host }: OwnRecords): ResourceRecord[] {
  return [...shared, ...instance, ...host];
}

/** What is to be said goodbye for: all but the type, which others may have too. */
export function goodbyesOf({ shared, instance, host }: OwnRecords): ResourceRecord[] {
  return [...shared.slice(0, 1), ...instance, ...host];
}

/** Answers to a question: records, or that there are none of the type at a name of ours; nothing when it is not ours. */
export function answersTo(own: OwnRecords, question: Question): ResourceRecord[] {
  const name = canonical(question.name);
  const atName = allOf(own).filter((record) => canonical(record.name) === name);
  const asked = atName.filter(({ body }) => question.type === 'ANY' || body.type === question.type);
  if (asked.length > 0) return asked;
  const negative = own.negative.get(name);
  return negative === undefined ? [] : [negative];
}

/** What is sent along with answers, so that nobody needs to ask on (RFC 6763 section 12, RFC 6762 section 6.1). */
export function alongWith(own: OwnRecords, answers: readonly ResourceRecord[]): ResourceRecord[] {
  const given = new Set(answers.map(keyOf));
  const types = new Set(answers.map(({ body }) => body.type));
  const pointsHere = answers.some((record) => record.body.type === 'PTR' && record.name !== enumerationName);
  const instance = pointsHere ? own.instance : [];
  const hostMatters = pointsHere || types.has('SRV') || types.has('A') || types.has('AAAA');
  const host = hostMatters ? own.host : [];
  const bothFamilies = new Set(own.host.map(({ body }) => body.type)).size > 1;
  const hostKey = hostMatters && !bothFamilies ? own.host[0]?.name : undefined;
  const negative = hostKey === undefined ? undefined : own.negative.get(canonical(hostKey));
  return [...instance, ...host, ...(negative === undefined ? [] : [negative])].filter(
    (each) => !given.has(keyOf(each)),
  );
}
