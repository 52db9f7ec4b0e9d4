/**
 * The hosts of our own networks as the system's table of neighbours has them, and the default router. A host that is of
 * the same network and does not answer the question for its hardware address is off, or kept apart from us.
 *
 * Deliberately not here: scanning. Only what somebody wanted to reach is in that table.
 * References: ip-neighbour(8), arp(7), route(8); `/proc/net/route` has addresses in the byte order of the machine.
 */

import { readFileSync } from 'node:fs';
import type { NeighbourFacts } from '../discovery/network-facts.ts';
import { askTool } from './tool-answer.ts';

/** Most neighbours that are told of. */
const neighboursMax = 256;

/** What is known of the neighbours just now. Takes `timeoutMs` at most; never rejects. */
export async function readNeighbours(timeoutMs: number): Promise<NeighbourFacts[]> {
  if (process.platform === 'darwin') {
    const answer = await askTool(['arp', '-an'], timeoutMs);
    return arpNeighbours(answer?.text ?? '').slice(0, neighboursMax);
  }
  if (process.platform !== 'linux' && process.platform !== 'android') return [];
  const answer = await askTool(['ip', 'neigh', 'show'], timeoutMs);
  const found = answer?.status === 0 ? ipNeighbours(answer.text) : procNeighbours(textOf('/proc/net/arp'));
  return found.slice(0, neighboursMax);
}

/** The default router of IPv4; null = none, or not told. */
export async function readGateway(timeoutMs: number): Promise<string | null> {
  if (process.platform !== 'darwin') return procGateway(textOf('/proc/net/route'));
  const answer = await askTool(['route', '-n', 'get', 'default'], timeoutMs);
  return /gateway: ([\d.]+)/.exec(answer?.text ?? '')?.[1] ?? null;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** `192.168.1.7 dev eth0 lladdr 02:00:… REACHABLE`. What is STALE answered at some time, and nobody knows about now. */
export function ipNeighbours(text: string): NeighbourFacts[] {
  return [...text.matchAll(/^(\S+) dev (\S+).*\b(REACHABLE|DELAY|FAILED|INCOMPLETE)\s*$/gm)].map(
    ([, address = '', interfaceName = '', state = '']) => {
      return { address, interfaceName, answers: state === 'REACHABLE' || state === 'DELAY' };
    },
  );
}

/** `/proc/net/arp`: address, type, flags (0x2 = complete), hardware address, mask, device. */
export function procNeighbours(text: string): NeighbourFacts[] {
  return [...text.matchAll(/^([\d.]+)\s+0x\w+\s+0x(\w+)\s+\S+\s+\S+\s+(\S+)/gm)].map(
    ([, address = '', flags = '', interfaceName = '']) => {
      return { address, interfaceName, answers: (Number.parseInt(flags, 16) & 2) !== 0 };
    },
  );
}

/** `? (192.168.1.7) at (incomplete) on en0 ifscope [ethernet]`. */
export function arpNeighbours(text: string): NeighbourFacts[] {
  return [...text.matchAll(/\(([\d.]+)\) at (\S+) on (\S+)/g)].map(([, address = '', hardware, interfaceName = '']) => {
    return { address, interfaceName, answers: hardware !== '(incomplete)' };
  });
}

/** Of `/proc/net/route`, the row for 0.0.0.0/0: `eth0 00000000 010200C0 0003 …`. */
export function procGateway(text: string): string | null {
  const [, hex] = /^\S+\s+00000000\s+([0-9A-F]{8})\s+\S+\s+\S+\s+\S+\s+\S+\s+00000000\b/m.exec(text) ?? [];
  if (hex === undefined || hex === '00000000') return null;
  // Little-endian on every machine this program is made for.
  return [...Uint8Array.fromHex(hex)].toReversed().join('.');
}
