/** Which addresses lie on a network this machine is on. Asked of the system each time: interfaces come and go. */

import { networkInterfaces } from 'node:os';
import { inNetwork } from '../discovery/mdns/networks.ts';

/** True for an address (not a name) on one of this machine's own networks. */
export function isNear(host: string): boolean {
  const networks = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return networks.some(({ cidr }) => cidr !== null && inNetwork(host, cidr));
}
