/**
 * Which addresses belong to a link (RFC 6762 section 11), and which to nobody (RFC 6890). Addresses are text, a zone
 * (`%eth0`) is of no account. What is no address is in no network.
 */

import type { MdnsLink } from './contract.ts';

/** False when networks of that address's family are known on the link, and none of them holds it. */
export function isOfLink(link: MdnsLink, address: string): boolean {
  const family = familyOf(address);
  const networks = (link.networks ?? []).filter((network) => familyOf(network) === family);
  return networks.length === 0 || networks.some((network) => inNetwork(address, network));
}

/** `fe80::1` of `fe80::1%eth0`: which interface it is of says the zone, which others know nothing of. */
export function withoutZone(address: string): string {
  return address.replace(/%.*$/, '');
}

/** True for addresses that are one link's alone (RFC 4291 section 2.5.6), with or without a zone. */
export function isLinkLocal6(address: string): boolean {
  return inNetwork(address, 'fe80::/10');
}

/** 6 for whatever has a colon. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

/** Whether `address` lies in `network`, which is written `10.0.0.0/8` or `fe80::/64`; host bits of it are ignored. */
export function inNetwork(address: string, network: string): boolean {
  const [base = '', lengthText = ''] = network.split('/');
  const bits = familyOf(address) === 4 ? 32 : 128;
  const length = Number(lengthText);
  if (familyOf(base) !== familyOf(address) || !/^\d+$/.test(lengthText) || length > bits) return false;
  const one = numberOf(address);
  const other = numberOf(base);
  if (one === null || other === null) return false;
  const hostBits = BigInt(bits - length);
  return one >> hostBits === other >> hostBits;
}

const nobodys = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4', '240.0.0.0/4', '::/127', '::ffff:0:0/96', 'ff00::/8'];
const privates = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16', 'fc00::/7'];

/** True for what is no other host's address: unspecified, loopback, groups, broadcast, reserved. */
export function isNobodys(address: string): boolean {
  return nobodys.some((network) => inNetwork(address, network));
}

/** True for what the internet does not route: addresses of homes, of carriers' networks behind them, of one link. */
export function isPrivate(address: string): boolean {
  return privates.some((network) => inNetwork(address, network));
}

/** True for the two addresses of an IPv4 network that are no host's: that of the network, and its broadcast. */
export function isBroadcastOf(address: string, network: string): boolean {
  const bits = Number(network.split('/')[1]);
  if (familyOf(address) === 6 || bits > 30 || !inNetwork(address, network)) return false;
  const hosts = (1n << BigInt(32 - bits)) - 1n;
  const host = (numberOf(address) ?? 0n) & hosts;
  return host === 0n || host === hosts;
}

function numberOf(address: string): bigint | null {
  const text = withoutZone(address);
  return familyOf(text) === 4 ? joined(text.split('.'), /^\d{1,3}$/, '', 4) : numberOf6(text);
}

function numberOf6(text: string): bigint | null {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [, before = '', ...bytes] = dotted;
    const hex = bytes.map((byte) => Number(byte).toString(16).padStart(2, '0'));
    return numberOf6(`${before}${hex.slice(0, 2).join('')}:${hex.slice(2).join('')}`);
  }
  const [left = '', right, ...rest] = text.split('::');
  if (rest.length > 0) return null;
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  if (right === undefined) return joined(groups(left), /^[\da-f]{1,4}$/i, '0x', 8);
  const missing = 8 - groups(left).length - groups(right).length;
  if (missing < 1) return null;
  const all = [...groups(left), ...new Array<string>(missing).fill('0'), ...groups(right)];
  return joined(all, /^[\da-f]{1,4}$/i, '0x', 8);
}

function joined(parts: readonly string[], form: RegExp, prefix: string, count: number): bigint | null {
  if (parts.length !== count || !parts.every((part) => form.test(part))) return null;
  const shift = count === 4 ? 8n : 16n;
  return parts.reduce((sum, part) => (sum << shift) | BigInt(prefix + part), 0n);
}
