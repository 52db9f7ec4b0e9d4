/** What `doctor net HOST` finds out about one other host: name, ports, handshake, clock. */

import { isIP } from 'node:net';
import { inNetwork } from '../discovery/mdns/networks.ts';
import type { HandshakeFacts, HostFacts, ListedInterface, Reach } from '../discovery/network-facts.ts';
import { nativeCrypto } from '../runtime/crypto.ts';
import { fingerprintOf } from '../runtime/keys.ts';
import { createLinks } from '../runtime/links.ts';
import { clockAheadMs, reachOf, resolveHost } from '../runtime/net-probe.ts';
import { isLoopback } from '../runtime/networks.ts';
import type { Membership } from './doctor-belonging.ts';

/** Longest each step may take, ms; they follow each other, and together stay below the six seconds of `doctor`. */
const resolveMsMax = 1500;
const connectMsMax = 2200;
const speakMsMax = 1800;

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly apiPort: number;
}

/** What is known of `target`. Takes 5.5 s at most; never rejects for the network's sake. */
export async function examineHost(
  target: Target,
  { membership, interfaces }: { readonly membership: Membership; readonly interfaces: readonly ListedInterface[] },
): Promise<HostFacts> {
  const resolved = await resolveHost(target.host, resolveMsMax);
  const unknown = { ...target, isSelf: false, sameNetwork: null, reach: null, apiReach: null };
  const silent = { handshake: null, clockAheadMs: null };
  if (!resolved.ok) return { ...unknown, ...silent, addresses: [], address: null, unresolved: resolved.reason };
  const { addresses } = resolved;
  const reached = await firstThatAnswers(addresses, target);
  const { address, reach, apiReach } = reached;
  const [handshake, ahead] = await Promise.all([
    reach === 'open' ? shakeHands({ host: address, port: target.port }, membership) : null,
    apiReach === 'open' ? clockAheadMs({ host: address, port: target.apiPort }, speakMsMax) : null,
  ]);
  const home = interfaces.find((each) => each.addresses.some((own) => isOfNetwork(address, own)));
  return {
    ...target,
    ...{ addresses, unresolved: null, address, reach, apiReach, handshake, clockAheadMs: ahead },
    isSelf:
      isLoopback(address) || interfaces.some((each) => each.addresses.some((own) => own.startsWith(`${address}/`))),
    sameNetwork: home?.name ?? null,
  };
}

function isOfNetwork(address: string, own: string): boolean {
  return isIP(address) !== 0 && inNetwork(address, own);
}

interface Reached {
  readonly address: string;
  readonly reach: Reach;
  readonly apiReach: Reach;
}

/** Of several addresses the first that is open, else the first that answers at all, else the first. */
async function firstThatAnswers(addresses: readonly string[], { port, apiPort }: Target): Promise<Reached> {
  const tried = await Promise.all(
    addresses.map(async (address): Promise<Reached> => {
      const [reach, apiReach] = await Promise.all(
        [port, apiPort].map((each) => reachOf({ host: address, port: each }, connectMsMax)),
      );
      return { address, reach: reach ?? 'filtered', apiReach: apiReach ?? 'filtered' };
    }),
  );
  const order: readonly Reach[] = ['open', 'refused', 'filtered', 'unreachable'];
  const [best] = tried.toSorted((a, b) => order.indexOf(a.reach) - order.indexOf(b.reach));
  return best ?? { address: '', reach: 'unreachable', apiReach: 'unreachable' };
}

/** Speaks as a worker does, up to the point where it would join. */
async function shakeHands(
  address: { readonly host: string; readonly port: number },
  { proof, keypair }: Membership,
): Promise<HandshakeFacts> {
  const limits = { handshakeTimeoutMs: speakMsMax };
  const links = createLinks({ crypto: nativeCrypto, staticKeypair: keypair, limits });
  const ignore = { onMessage: () => {}, onDrain: () => {}, onEnd: () => {} };
  const dialled = await links.dial({ ...address, proof }, () => ignore);
  if (!dialled.ok) return { outcome: dialled.end.code, detail: dialled.end.detail, fingerprint: null };
  dialled.link.close('doctor has seen enough');
  return { outcome: 'open', detail: '', fingerprint: fingerprintOf(dialled.link.remoteKey) };
}
