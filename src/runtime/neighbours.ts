/**
 * The hosts of our own networks as the system's table of neighbours has them, and the default router. A host that is of
 * the same network and does not answer the question for its hardware address is off, or kept apart from us.
 *
 * An entry that is whole shows that a host answered at some time: it outlives a host that is gone by half a minute, and on
 * macOS by twenty. So it counts as an answer only where the system tells that it was confirmed just now.
 *
 * Deliberately not here: scanning. Only what somebody wanted to reach is in that table.
 * References: ip-neighbour(8), arp(8), route(8); `/proc/net/route` has addresses in the byte order of the machine.
 */

import type { NeighbourFacts } from '../discovery/network-facts.ts';
import { textOf } from './small-files.ts';
import { askTool } from './tool-answer.ts';

/** Most neighbours that are told of. */
const neighboursMax = 256;
const toolMsMax = 500;
/** How often is looked whether a neighbour has answered, ms. */
const lookMs = 100;

/**
 * What is known of the neighbours just now; those count as answering that did so within `recentMs` (whole seconds, as the
 * system counts). Takes `timeoutMs` at most; never rejects.
 */
export async function readNeighbours(recentMs: number, timeoutMs: number): Promise<NeighbourFacts[]> {
  if (process.platform === 'darwin') {
    const answer = await askTool(['arp', '-an'], timeoutMs);
    return arpNeighbours(answer?.text ?? '').slice(0, neighboursMax);
  }
  if (process.platform !== 'linux' && process.platform !== 'android') return [];
  const answer = await askTool(['ip', '-s', 'neigh', 'show'], timeoutMs);
  const found =
    answer?.status === 0 ? ipNeighbours(answer.text, recentMs) : procNeighbours(textOf('/proc/net/arp') ?? '');
  return found.slice(0, neighboursMax);
}

/**
 * Whether one neighbour answers for its hardware address now; null = that cannot be found out. Where this account may, the
 * system is told to confirm its entry at once, as it does by itself every half minute. Takes `timeoutMs` and two calls of
 * a tool at most; never rejects.
 */
export async function neighbourAnswers(
  { address, interfaceName }: Pick<NeighbourFacts, 'address' | 'interfaceName'>,
  timeoutMs: number,
): Promise<boolean | null> {
  const look = async (): Promise<boolean | null> => {
    const all = await readNeighbours(0, toolMsMax);
    return all.find((each) => each.address === address && each.interfaceName === interfaceName)?.answers ?? null;
  };
  if ((await look()) === false) return false;
  const confirm = ['ip', 'neigh', 'change', address, 'dev', interfaceName, 'nud', 'probe'] as const;
  if (process.platform !== 'linux' || (await askTool(confirm, toolMsMax))?.status !== 0) return null;
  for (const until = performance.now() + timeoutMs; performance.now() < until; ) {
    if (await look()) return true;
    await Bun.sleep(lookMs);
  }
  return false;
}

/** The default router of IPv4; null = none, or not told. */
export async function readGateway(timeoutMs: number): Promise<string | null> {
  if (process.platform !== 'darwin') return procGateway(textOf('/proc/net/route') ?? '');
  const answer = await askTool(['route', '-n', 'get', 'default'], timeoutMs);
  return /gateway: ([\d.]+)/.exec(answer?.text ?? '')?.[1] ?? null;
}

/**
 * `192.168.1.7 dev eth0 lladdr 02:00:…  used 12/3/40probes 1 REACHABLE`: seconds since it was used, confirmed and updated.
 * While it is probed (PROBE) nobody has answered yet, and what is STALE or DELAY answered at some time.
 */
export function ipNeighbours(text: string, recentMs: number): NeighbourFacts[] {
  const rows = /^(\S+) dev (\S+)(.*)\b(REACHABLE|STALE|DELAY|PROBE|FAILED|INCOMPLETE)\s*$/gm;
  return [...text.matchAll(rows)].map(([, address = '', interfaceName = '', facts = '', state = '']) => {
    if (state === 'FAILED' || state === 'INCOMPLETE') return { address, interfaceName, answers: false };
    const confirmedSeconds = Number(/\bused \d+\/(\d+)\//.exec(facts)?.[1] ?? Number.POSITIVE_INFINITY);
    const recent = state === 'REACHABLE' && confirmedSeconds * 1000 <= recentMs;
    return { address, interfaceName, answers: recent ? true : null };
  });
}

/** `/proc/net/arp`: address, type, flags (0x2 = complete), hardware address, mask, device. */
export function procNeighbours(text: string): NeighbourFacts[] {
  return [...text.matchAll(/^([\d.]+)\s+0x\w+\s+0x(\w+)\s+\S+\s+\S+\s+(\S+)/gm)].map(
    ([, address = '', flags = '', interfaceName = '']) => {
      return { address, interfaceName, answers: (Number.parseInt(flags, 16) & 2) !== 0 ? null : false };
    },
  );
}

/** `? (192.168.1.7) at (incomplete) on en0 ifscope [ethernet]`. */
export function arpNeighbours(text: string): NeighbourFacts[] {
  return [...text.matchAll(/\(([\d.]+)\) at (\S+) on (\S+)/g)].map(([, address = '', hardware, interfaceName = '']) => {
    return { address, interfaceName, answers: hardware === '(incomplete)' ? false : null };
  });
}

/** Of `/proc/net/route`, the row for 0.0.0.0/0: `eth0 00000000 010200C0 0003 …`. */
export function procGateway(text: string): string | null {
  const [, hex] = /^\S+\s+00000000\s+([0-9A-F]{8})\s+\S+\s+\S+\s+\S+\s+\S+\s+00000000\b/m.exec(text) ?? [];
  if (hex === undefined || hex === '00000000') return null;
  // Little-endian on every machine this program is made for.
  return [...Uint8Array.fromHex(hex)].toReversed().join('.');
}
