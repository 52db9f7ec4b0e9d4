/**
 * `peers`: who is there, as they say of themselves, with no dispatcher needed. Asks from a port of its own, hears the
 * answers and whatever is told to all in the meantime, and says nothing of itself.
 */

import { OctasklyError } from '../base/errors.ts';
import type { Sink, Terminal } from '../cli/context.ts';
import type { PeersValues } from '../cli/options.ts';
import type { Peer } from '../discovery/peer-table.ts';
import type { BeaconNode } from '../ports/discovery.ts';
import { openBeacons } from '../runtime/beacons.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { keysInDirectory, sealKeys, workerFolders } from '../runtime/cluster-keys.ts';
import { surveyInterfaces } from '../runtime/interfaces.ts';
import { givenEnvironment } from '../runtime/own-secrets.ts';
import { knownPlaces } from '../runtime/peers-cache.ts';
import { absolute, onStopSignals } from './common.ts';
import { changeLine, hindrances, type Now, peerJson, peersJson, peersTable, stateOf } from './peers-view.ts';

/** How often `--watch` asks again, and how often it looks for what changed, ms. */
const askIntervalMs = 5000;
const lookIntervalMs = 500;
/** Asked again after this part of the time to listen: a datagram may be lost. */
const secondAskAt = 0.4;

/** Where it writes. */
type Streams = Pick<Terminal, 'stdout' | 'stderr'>;

/**
 * Prints who is there. Exit status 0, also when nobody is. Errors: `usage`; `not_found` without a key, or without the
 * interface that is named, unless what changes is waited for; `io`, `forbidden`, `BrokenPipe`.
 */
export async function runPeers(values: PeersValues, terminal: Streams): Promise<number> {
  if (!values.watch) await checkInterfaces(values.interfaces);
  const node = openNode(values);
  try {
    await node.opened;
    if (values.watch) await watch(node, values, terminal.stdout);
    else await listOnce(node, values, terminal);
  } finally {
    await node.close();
  }
  return 0;
}

async function checkInterfaces(named: readonly string[]): Promise<void> {
  const there = (await surveyInterfaces(named)).map(({ name }) => name);
  const missing = named.find((name) => !there.includes(name));
  // Android tells of none.
  if (missing === undefined || there.length === 0) return;
  throw new OctasklyError(
    'not_found',
    `There is no network interface "${missing}", which --interface names; there is: ${there.join(', ')}. "octaskly doctor net" says which of them are used.`,
  );
}

function openNode(values: PeersValues): BeaconNode {
  if (!values.discovery) {
    throw new OctasklyError('usage', 'With --discovery false nothing is asked or heard; leave it away to see peers.');
  }
  const dataDir = absolute(values.dataDir);
  const keys = keysInDirectory(dataDir, givenEnvironment().OCTASKLY_SECRET || null, systemClock.wall());
  if (keys.length === 0) {
    throw new OctasklyError(
      'not_found',
      `There is no key of a cluster in "${dataDir}", and without one nobody answers. Name the data directory of a dispatcher or of a worker that has joined with --data-dir, give the cluster secret in OCTASKLY_SECRET, or let this device join: octaskly join TOKEN, with a token that "octaskly invite" prints on the dispatcher's machine.`,
    );
  }
  const folders = [dataDir, ...workerFolders(dataDir)];
  return openBeacons({
    id: `asking-${Buffer.from(systemRandom.bytes(8)).toString('hex')}`,
    port: values.discoveryPort,
    interfaces: values.interfaces,
    keys: sealKeys(() => keys),
    self: () => null,
    // By themselves too: where no group passes, even those of this machine are not heard otherwise.
    known: knownPlaces(folders, values.discoveryPort),
    clock: systemClock,
    random: systemRandom,
    onChange: () => {},
  });
}

async function listOnce(node: BeaconNode, { waitMs, output }: PeersValues, { stdout, stderr }: Streams): Promise<void> {
  await elapsed(waitMs * secondAskAt);
  node.ask();
  await elapsed(waitMs * (1 - secondAskAt));
  const peers = node.peers.all();
  if (output === 'json') await stdout.write(peersJson(node, present()));
  else if (output === 'quiet') await stdout.write(peers.map(({ id }) => `${id}\n`).join(''));
  else if (peers.length > 0) await stdout.write(peersTable(peers, present(), stdout.columns));
  if (output !== 'json')
    await stderr.write(
      hindrances(node)
        .map(({ sentence }) => `octaskly: ${sentence}\n`)
        .join(''),
    );
}

interface Shown {
  readonly peer: Peer;
  readonly state: string;
}

/** Shows what changes until a signal ends it: redrawn on a terminal, else a line for each change. */
async function watch(node: BeaconNode, { output }: PeersValues, stdout: Sink): Promise<void> {
  const redraws = output === 'table' && stdout.isTTY;
  const shown = new Map<string, Shown>();
  const { promise: interrupted, resolve: interrupt } = Promise.withResolvers<'interrupted'>();
  const quietly = onStopSignals(
    () => interrupt('interrupted'),
    () => process.exit(130),
  );
  if (redraws) await stdout.write('\u001b[2J');
  let askedAt = systemClock.steady();
  do {
    if (redraws) await redraw(node, stdout);
    else for (const line of changes(node, shown, output)) await stdout.write(line);
    if (systemClock.steady() - askedAt >= askIntervalMs) {
      askedAt = systemClock.steady();
      node.ask();
    }
  } while ((await Promise.race([interrupted, elapsed(lookIntervalMs)])) !== 'interrupted');
  quietly();
}

async function redraw(node: BeaconNode, stdout: Sink): Promise<void> {
  const peers = node.peers.all();
  const body = peers.length === 0 ? 'Nobody was heard yet.\n' : peersTable(peers, present(), stdout.columns);
  // Home, then each line up to its end, then the rest of the screen: no flicker.
  await stdout.write(`\u001b[H${body.replaceAll('\n', '\u001b[K\n')}\u001b[J`);
}

/** Lines on what is different from `shown`, which is brought up to date. */
function changes(node: BeaconNode, shown: Map<string, Shown>, output: PeersValues['output']): readonly string[] {
  const lines: string[] = [];
  const now = present();
  const say = (peer: Peer, what: 'new' | 'changed' | 'gone'): void => {
    if (output === 'json') lines.push(`${JSON.stringify({ change: what, ...peerJson(peer, now) })}\n`);
    else if (output === 'table') lines.push(changeLine(peer, what, now));
    else if (what === 'new') lines.push(`${peer.id}\n`);
  };
  for (const peer of node.peers.all()) {
    const { slotsFree, slots, waiting } = peer.beacon;
    const state = `${stateOf(peer)} ${slotsFree}/${slots} ${waiting}`;
    const before = shown.get(peer.id);
    if (before?.state !== state) say(peer, before === undefined ? 'new' : 'changed');
    shown.set(peer.id, { peer, state });
  }
  for (const [id, { peer }] of shown) {
    if (node.peers.get(id) !== undefined) continue;
    shown.delete(id);
    say(peer, 'gone');
  }
  return lines;
}

function present(): Now {
  return { steady: systemClock.steady(), wall: systemClock.wall() };
}

function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => systemClock.after(ms, resolve));
}
