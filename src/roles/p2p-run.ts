/**
 * `run --p2p`: a command on the best peer, found by beacons alone. No dispatcher need run; where one does, the worker
 * tells it of the task. The key of the data directory shows who asks: that of a worker here, or of its dispatcher.
 *
 * Files do not go this way: for those there is the dispatcher. What becomes of the task once it is sent is `p2p-task.ts`.
 */

import { OctasklyError } from '../base/errors.ts';
import type { PeerTask } from '../cli/context.ts';
import type { Peer as KnownPeer } from '../discovery/peer-table.ts';
import type { Log } from '../ports/time.ts';
import { openBeacons } from '../runtime/beacons.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { sealKeys, workerFolders } from '../runtime/cluster-keys.ts';
import { peerPsk } from '../runtime/keys.ts';
import { givenEnvironment } from '../runtime/own-secrets.ts';
import { createPeerLinks } from '../runtime/peer-links.ts';
import { knownPlaces } from '../runtime/peers-cache.ts';
import { version } from '../version.ts';
import { PeerRoster } from '../worker/peer-roster.ts';
import { type DialledPeer, Peers } from '../worker/peers.ts';
import { type Belonging, belongingsIn, findMs, findPeers } from './p2p-finding.ts';
import { PeerRun } from './p2p-task.ts';

/** A peer that does not answer a dial is passed over after this time. */
const dialMsMax = 2000;

const quiet: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * Runs the task; returns the exit status. Errors: `not_found` without a key of a cluster or a peer that suits, `refused`
 * when none took the task.
 */
export async function runOnPeer(task: PeerTask): Promise<number> {
  const { dataDir, discoveryPort, interfaces } = task;
  const belongings = belongingsIn(dataDir, givenEnvironment().OCTASKLY_SECRET || null, quiet);
  if (belongings.length === 0) {
    throw new OctasklyError(
      'not_found',
      `No node of a cluster has its key in "${dataDir}", and workers take tasks of none else. Run this where a worker has joined or where the dispatcher is, name its data directory with --data-dir, or let this device join: octaskly join TOKEN, then octaskly worker.`,
    );
  }
  const id = `run-${systemRandom.bytes(6).toHex()}`;
  const folders = [dataDir, ...workerFolders(dataDir)];
  const beacons = openBeacons({
    ...{ id, port: discoveryPort, interfaces, self: () => null },
    keys: sealKeys(() => belongings.flatMap(({ beaconKeys }) => beaconKeys)),
    known: knownPlaces(folders, discoveryPort),
    ...{ clock: systemClock, random: systemRandom, onChange: () => undefined },
  });
  try {
    await beacons.opened;
    const until = systemClock.steady() + findMs;
    for (;;) {
      const found = await findPeers(beacons, { requires: task.spec.requires, belongings, until });
      const reasons = new Set<string>();
      for (const belonging of belongings) {
        const status = await runOnOneOf(found, { id, belonging, task, reasons });
        if (status !== null) return status;
      }
      // Somebody else was faster: by and by it is heard who is free.
      if (systemClock.steady() < until) continue;
      throw new OctasklyError(
        'refused',
        `No worker took the task. ${[...reasons].join(' ')} Try again when a task has ended; without --p2p the dispatcher lets the task wait.`,
      );
    }
  } finally {
    await beacons.close();
  }
}

interface Call {
  readonly id: string;
  readonly belonging: Belonging;
  readonly task: PeerTask;
  /** Takes in why somebody did not take the task. */
  readonly reasons: Set<string>;
}

/** Asks one after the other; null when none took it. */
async function runOnOneOf(found: readonly KnownPeer[], { id, belonging, task, reasons }: Call): Promise<number | null> {
  const { keypair: staticKeypair, beaconKeys } = belonging;
  const publicKey = staticKeypair.publicKey.toHex();
  const kept = { load: () => belonging.members(), save: () => undefined };
  const roster = new PeerRoster({ clock: systemClock, kept, publicKey });
  const psks = (): readonly Uint8Array[] => beaconKeys.map(peerPsk);
  const links = createPeerLinks({ staticKeypair, psks, admits: () => false, log: quiet });
  const self = { id, name: id, version, publicKey };
  const peers = new Peers({ clock: systemClock, log: quiet, links, roster, self, psk: () => psks()[0] ?? null });
  try {
    for (const { beacon, from } of found) {
      const { peerPort, name } = beacon;
      const place = { publicKey: beacon.publicKey, host: from.address, port: peerPort ?? 0 };
      const dialled = await withinDialTime(peers.dial(place));
      if (!dialled.ok) {
        reasons.add(`${name}: ${dialled.detail}`);
        continue;
      }
      const run = new PeerRun(dialled.peer, task);
      peers.add(run);
      const ended = await run.toEnd();
      if ('status' in ended) return ended.status;
      reasons.add(`${name}: ${ended.refusal}`);
    }
    return null;
  } finally {
    await peers.close();
  }
}

async function withinDialTime(dialling: Promise<DialledPeer>): Promise<DialledPeer> {
  const late = Promise.withResolvers<DialledPeer>();
  const detail = `It did not answer within ${dialMsMax / 1000} s.`;
  const patience = systemClock.after(dialMsMax, () => late.resolve({ ok: false, detail }));
  try {
    return await Promise.race([dialling, late.promise]);
  } finally {
    patience.cancel();
  }
}
