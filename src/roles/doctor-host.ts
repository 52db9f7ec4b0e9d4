/** What `doctor net HOST` finds out about one other host: name, ports, handshake, neighbour, beacons, clock. */

import { isIP } from 'node:net';
import { inNetwork, withoutZone } from '../discovery/mdns/networks.ts';
import type { HandshakeFacts, HeardNode, HostFacts, ListedInterface, Reach } from '../discovery/network-facts.ts';
import { nativeCrypto } from '../runtime/crypto.ts';
import { fingerprintOf, peerPsk } from '../runtime/keys.ts';
import { createLinks } from '../runtime/links.ts';
import { neighbourAnswers } from '../runtime/neighbours.ts';
import { clockAheadMs, type Resolution, reachOf, resolveHost } from '../runtime/net-probe.ts';
import { isLoopback } from '../runtime/networks.ts';
import { version } from '../version.ts';
import type { DispatcherMessage } from '../wire/messages.ts';
import type { Membership } from './doctor-belonging.ts';
import type { Listening } from './doctor-listening.ts';

/** Longest each step may take, ms; they follow each other, and together stay below the six seconds of `doctor`. */
const resolveMsMax = 1500;
const connectMsMax = 2200;
const speakMsMax = 1600;
const askMsMax = 400;
/** Only a host whose ports do not answer is asked for its hardware address: it takes the place of the handshake. */
const neighbourMsMax = 1200;

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly apiPort: number;
}

/** By what it is looked at. */
export interface Means {
  readonly membership: Membership;
  readonly interfaces: readonly ListedInterface[];
  /** Null = discovery is off. */
  readonly listening: Listening | null;
}

/** What is known of `target`. Takes 5.8 s at most; never rejects for the network's sake. */
export async function examineHost(target: Target, means: Means): Promise<HostFacts> {
  const { interfaces, listening } = means;
  const resolved = await resolve(target.host, listening);
  const unknown = { isSelf: false, sameNetwork: null, reach: null, apiReach: null, neighbour: null, peerOf: null };
  const silent = { handshake: null, clockAheadMs: null, beaconAnswered: null };
  if (!resolved.ok)
    return { ...target, ...unknown, ...silent, addresses: [], address: null, unresolved: resolved.reason };
  const { addresses } = resolved;
  const { address, reach, apiReach } = await firstThatAnswers(addresses, target);
  const home = interfaces.find((each) => each.addresses.some((own) => isOfNetwork(address, own)));
  const isSelf =
    isLoopback(address) ||
    interfaces.some((each) => each.addresses.some((own) => own.startsWith(`${withoutZone(address)}/`)));
  const isQuiet = reach !== 'open' && apiReach !== 'open' && reach !== 'unreachable';
  const [spoken, ahead, neighbour, beaconAnswered] = await Promise.all([
    reach === 'open' ? speak({ host: address, port: target.port }, means) : null,
    apiReach === 'open' ? clockAheadMs({ host: address, port: target.apiPort }, speakMsMax) : null,
    isQuiet && !isSelf && home !== undefined
      ? neighbourAnswers({ address, interfaceName: home.name }, neighbourMsMax)
      : null,
    isSelf || reach === 'unreachable' ? null : (listening?.ask(address) ?? null),
  ]);
  return {
    ...target,
    ...{ addresses, unresolved: null, address, reach, apiReach, handshake: spoken, clockAheadMs: ahead },
    peerOf: listening === null ? null : (workerAt({ host: address, port: target.port }, listening)?.name ?? null),
    ...{ isSelf, neighbour, beaconAnswered, sameNetwork: home?.name ?? null },
  };
}

/** Names that end in `.local` by our own Multicast DNS as well, which needs no support of the system (RFC 6762 section 3). */
async function resolve(host: string, listening: Listening | null): Promise<Resolution> {
  const bySystem = resolveHost(host, resolveMsMax);
  if (listening === null || !/\.local\.?$/i.test(host)) return bySystem;
  const addresses = await listening.resolve(host, resolveMsMax);
  return addresses.length === 0 ? bySystem : { ok: true, addresses };
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

/**
 * Speaks as a worker does, up to the point where it would join; with a worker, whose port this is by its beacon, as a peer
 * does, and expects its key.
 */
async function speak(address: Place, { membership, listening }: Means): Promise<HandshakeFacts> {
  const { beaconKey } = membership;
  const worker = beaconKey === null || listening === null ? null : await waitForWorker(address, listening);
  if (worker === null || beaconKey === null) return shakeHands(address, membership);
  const proof = { by: 'peer', psk: peerPsk(beaconKey), peerKey: worker.publicKey } as const;
  return shakeHands(address, { ...membership, proof });
}

interface Place {
  readonly host: string;
  readonly port: number;
}

/** The worker whose port for peers this is, as soon as whose port it is is heard, or that has been waited for long enough. */
async function waitForWorker(place: Place, listening: Listening): Promise<HeardNode | null> {
  let waiting = true;
  const waited = listening.enough.then(() => {
    waiting = false;
  });
  while (waiting && nodeAt(place, listening) === null) await Promise.race([waited, Bun.sleep(50)]);
  return workerAt(place, listening);
}

function workerAt(place: Place, listening: Listening): HeardNode | null {
  const node = nodeAt(place, listening);
  return node?.role === 'worker' ? node : null;
}

function nodeAt({ host, port }: Place, { nodes }: Listening): HeardNode | null {
  return nodes.find(({ addresses, peerPort }) => peerPort === port && addresses.includes(withoutZone(host))) ?? null;
}

async function shakeHands(address: Place, { proof, keypair, role }: Membership): Promise<HandshakeFacts> {
  const limits = { handshakeTimeoutMs: speakMsMax };
  const links = createLinks({ crypto: nativeCrypto, staticKeypair: keypair, limits });
  const answered = Promise.withResolvers<DispatcherMessage | null>();
  const handlers = { onMessage: answered.resolve, onDrain: () => {}, onEnd: () => answered.resolve(null) };
  const dialled = await links.dial({ ...address, proof }, () => handlers);
  if (!dialled.ok) return { outcome: dialled.end.code, detail: dialled.end.detail, fingerprint: null };
  const { link } = dialled;
  const fingerprint = fingerprintOf(link.remoteKey);
  if (role === 'worker' && proof.by !== 'peer') {
    // A member that asks to be let in is told why it would not be, or that it need not ask. Nothing is changed by that.
    link.send({ kind: 'enroll', name: 'doctor', platform: process.platform, arch: process.arch, version });
    const answer = await Promise.race([answered.promise, Bun.sleep(askMsMax)]);
    if (answer?.kind === 'refused' && answer.code === 'revoked') {
      link.close('doctor has seen enough');
      return { outcome: answer.code, detail: answer.detail, fingerprint };
    }
  }
  link.close('doctor has seen enough');
  return { outcome: 'open', detail: '', fingerprint };
}
