/** Addresses of this machine and their networks, as arithmetic. Pure. */

import { inNetwork } from '../discovery/mdns/networks.ts';

/** `fe80::1%eth0` in its two parts; zone '' = none was given. */
export function zoned(address: string): { readonly address: string; readonly zone: string } {
  const at = address.indexOf('%');
  return at < 0 ? { address, zone: '' } : { address: address.slice(0, at), zone: address.slice(at + 1) };
}

/** The directed broadcast address of an IPv4 network; null for IPv6, and for networks too small to have one. */
export function broadcastOf(address: string, prefix: number): string | null {
  const bytes = address.split('.').map(Number);
  if (bytes.length !== 4 || prefix < 1 || prefix > 30) return null;
  return bytes.map((byte, index) => byte | (0xff >> Math.min(8, Math.max(0, prefix - index * 8)))).join('.');
}

/** True for addresses of this machine alone. */
export function isLoopback(address: string): boolean {
  return inNetwork(address, '127.0.0.0/8') || inNetwork(address, '::1/128');
}
