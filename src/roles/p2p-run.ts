/**
 * `run --p2p`: a command on the best peer, found by beacons alone. No dispatcher need run; where one does, the worker
 * tells it of the task. The key of the data directory shows who asks: that of a worker here, or of its dispatcher.
 *
 * The task lasts as long as this link: the worker ends what nobody waits for any more. Output and input go through it at
 * its pace. Files do not: for those there is the dispatcher.
 */

import { OctasklyError } from '../base/errors.ts';
import type { PeerTask } from '../cli/context.ts';
import { exitOfSignal, exitOwnFailure, exitTimedOut } from '../cli/status.ts';
import type { ReportEntry } from '../core/attempt.ts';
import { nextId } from '../core/ids.ts';
import { type AttemptOutcome, describeOutcome } from '../core/task.ts';
import type { Peer as KnownPeer, PeerTableView } from '../discovery/peer-table.ts';
import type { Log } from '../ports/time.ts';
import { openBeacons } from '../runtime/beacons.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { keysInDirectory, sealKeys, workerFolders } from '../runtime/cluster-keys.ts';
import { keptCredential } from '../runtime/credential.ts';
import { nodeKey } from '../runtime/data-dir.ts';
import { peerPsk } from '../runtime/keys.ts';
import { createPeerLinks } from '../runtime/peer-links.ts';
import { version } from '../version.ts';
import { outputChunkBytesMax, type Stream } from '../wire/messages.ts';
import type { PeerMessage } from '../wire/peer-messages.ts';
import type { Peer } from '../worker/peer.ts';
import { PeerRoster } from '../worker/peer-roster.ts';
import { type PeerPart, Peers } from '../worker/peers.ts';

/** How long peers are listened for. */
const findMs = 2000;
const lookMs = 50;

type Ended = Extract<ReportEntry, { kind: 'ended' }>;

const quiet: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Runs the task; returns the exit status. Errors: `forbidden` without a key of a cluster, `unreachable` without a peer. */
export async function runOnPeer(task: PeerTask): Promise<number> {
  const { dataDir, secret, discoveryPort, interfaces } = task;
  const keys = keysInDirectory(dataDir, secret, systemClock.wall());
  if (keys.length === 0) {
    throw new OctasklyError(
      'forbidden',
      `There is no key of a cluster in ${dataDir}. Run this where a worker has joined or where the dispatcher is, or name its folder with --data-dir.`,
    );
  }
  const id = `run-${systemRandom.bytes(6).toHex()}`;
  const beacons = openBeacons({
    ...{ id, port: discoveryPort, interfaces, keys: sealKeys(() => keys), self: () => null, known: [] },
    ...{ clock: systemClock, random: systemRandom, onChange: () => undefined },
  });
  try {
    await beacons.opened;
    const found = await findPeers(beacons.peers, task);
    return await runOnOneOf(found, { id, keys, task });
  } finally {
    await beacons.close();
  }
}

/** Waits until somebody suits the task. */
async function findPeers(table: PeerTableView, task: PeerTask): Promise<readonly KnownPeer[]> {
  for (const until = systemClock.steady() + findMs; ; ) {
    const suited = table.ranked(task.spec.requires);
    if (suited.length > 0) return suited;
    if (systemClock.steady() >= until) break;
    await new Promise<void>((resolve) => systemClock.after(lookMs, resolve));
  }
  const heard = table.all().filter(({ beacon }) => beacon.role === 'worker').length;
  throw new OctasklyError(
    'unreachable',
    heard === 0
      ? 'No worker of the cluster was heard on this network. "octaskly doctor net" says why; without --p2p the dispatcher places the task.'
      : `None of the ${heard} workers heard takes this task now: they have no free slot, take no work, or are not made for it. "octaskly peers" lists them.`,
  );
}

/** The key by which this machine is known to peers. */
function ownKey(dataDir: string): ReturnType<typeof nodeKey> {
  const joined = workerFolders(dataDir).find((folder) => keptCredential(folder) !== null);
  return nodeKey(joined ?? dataDir);
}

interface Call {
  readonly id: string;
  readonly keys: readonly Uint8Array[];
  readonly task: PeerTask;
}

async function runOnOneOf(found: readonly KnownPeer[], { id, keys, task }: Call): Promise<number> {
  const staticKeypair = ownKey(task.dataDir);
  // Whoever has sent a beacon has the key of the cluster.
  const members = found.map(({ beacon }) => ({ id: beacon.id, name: beacon.name, publicKey: beacon.publicKey }));
  const roster = new PeerRoster(systemClock, { load: () => members, save: () => undefined });
  const psks = (): readonly Uint8Array[] => keys.map(peerPsk);
  const links = createPeerLinks({ staticKeypair, psks, admits: () => false, log: quiet });
  const self = { id, name: id, version, publicKey: staticKeypair.publicKey.toHex() };
  const peers = new Peers({ clock: systemClock, log: quiet, links, roster, self, psk: () => psks()[0] ?? null });
  try {
    const reasons: string[] = [];
    for (const { beacon, from } of found) {
      const { publicKey, peerPort, name } = beacon;
      const dialled = await peers.dial({ publicKey, host: from.address, port: peerPort ?? 0 });
      if (!dialled.ok) {
        reasons.push(`${name}: ${dialled.detail}`);
        continue;
      }
      const run = new PeerRun(dialled.peer, task);
      peers.add(run);
      const refusal = await run.begin();
      if (refusal === null) return await run.finish();
      reasons.push(`${name}: ${refusal}`);
    }
    throw new OctasklyError('unreachable', `No peer took the task. ${reasons.join(' ')}`);
  } finally {
    await peers.close();
  }
}

/** Ids that no dispatcher gives out: it never counts that far within a millisecond. */
function drawId(): string {
  const digits = '0123456789abcdefghjkmnpqrstvwxyz';
  const drawn = [...systemRandom.bytes(4)].map((byte, place) => digits.charAt((place === 0 ? 16 : 0) + (byte & 15)));
  return nextId('', systemClock.wall()).slice(0, 8) + drawn.join('');
}

/** One task on one peer, from the request to its end. */
class PeerRun implements PeerPart {
  readonly #peer: Peer;
  readonly #task: PeerTask;
  readonly #key = { taskId: drawId(), attempt: 1 };
  readonly #answer = Promise.withResolvers<string | null>();
  readonly #end = Promise.withResolvers<Ended | null>();
  readonly #shown: Record<Stream, number> = { stdout: 0, stderr: 0 };
  /** Output is written one piece after the other. */
  #writing: Promise<void> = Promise.resolve();
  #taken = Promise.withResolvers<{ readonly offset: number; readonly open: boolean }>();

  constructor(peer: Peer, task: PeerTask) {
    this.#peer = peer;
    this.#task = task;
  }

  /** Why the peer does not run it; null = it does. */
  begin(): Promise<string | null> {
    this.#peer.send({ kind: 'run', task: { ...this.#key, spec: this.#task.spec } });
    return this.#answer.promise;
  }

  async finish(): Promise<number> {
    const { terminal, spec } = this.#task;
    let signal: string | null = null;
    const stop = terminal.onSignal((given) => {
      if (signal !== null) this.#end.resolve(null);
      signal ??= given;
      this.#cancel();
    });
    try {
      if (spec.stdin.kind === 'stream') this.#feed().catch(() => this.#cancel());
      const end = await this.#end.promise;
      await this.#writing;
      if (end !== null && (signal === null || end.outcome.kind !== 'cancelled')) return await this.#tell(end.outcome);
      if (signal !== null) return exitOfSignal(signal);
      await this.#note(`The link with ${this.#peer.name} broke; the task is ended there.`);
      return exitOwnFailure;
    } finally {
      stop();
    }
  }

  onMessage(peer: Peer, message: PeerMessage): void {
    if (peer !== this.#peer) return;
    if (message.kind === 'runAnswered' && message.taskId === this.#key.taskId) this.#answer.resolve(message.refusal);
    else if (message.kind === 'output') this.#show(message.stream, message.offset, message.data);
    else if (message.kind === 'stdinTaken') this.#taken.resolve(message);
    else if (message.kind === 'report') for (const entry of message.entries) this.#onEntry(entry);
  }

  onPeerEnd(peer: Peer): void {
    if (peer !== this.#peer) return;
    this.#answer.resolve('The link broke.');
    this.#taken.resolve({ offset: 0, open: false });
    this.#end.resolve(null);
  }

  needs(): boolean {
    return true;
  }

  #onEntry(entry: ReportEntry): void {
    if (entry.kind !== 'ended' || entry.taskId !== this.#key.taskId) return;
    const { stdout, stderr, usage } = entry;
    this.#show('stdout', usage.stdoutBytes - stdout.length, stdout);
    this.#show('stderr', usage.stderrBytes - stderr.length, stderr);
    this.#peer.send({ kind: 'ack', attempts: [this.#key] });
    this.#end.resolve(entry);
  }

  /** Writes what was not written before. */
  #show(stream: Stream, offset: number, data: Uint8Array): void {
    const fresh = data.subarray(Math.max(0, this.#shown[stream] - offset));
    if (fresh.length === 0) return;
    this.#shown[stream] += fresh.length;
    const sink = this.#task.terminal[stream];
    // A reader that went away wants no more of it.
    this.#writing = this.#writing.then(() => sink.write(fresh)).catch(() => this.#cancel());
  }

  async #feed(): Promise<void> {
    let offset = 0;
    for await (const chunk of this.#task.terminal.stdin.chunks()) {
      for (let at = 0; at < chunk.length; ) {
        const data = chunk.subarray(at, at + outputChunkBytesMax);
        const taken = await this.#give({ offset, data, eof: false });
        if (!taken.open) return;
        const moved = Math.max(0, taken.offset - offset);
        at += moved;
        offset += moved;
      }
    }
    await this.#give({ offset, data: new Uint8Array(0), eof: true });
  }

  #give(chunk: { readonly offset: number; readonly data: Uint8Array; readonly eof: boolean }) {
    this.#taken = Promise.withResolvers();
    this.#peer.send({ kind: 'stdin', ...this.#key, ...chunk });
    return this.#taken.promise;
  }

  #cancel(): void {
    this.#peer.send({ kind: 'cancel', attempts: [this.#key] });
  }

  /** The exit status, and a sentence where that alone does not say what happened. */
  async #tell(outcome: AttemptOutcome): Promise<number> {
    if (outcome.kind === 'exited') return outcome.exitCode & 255;
    await this.#note(`Task ${this.#key.taskId} ${describeOutcome(outcome)}`);
    if (outcome.kind === 'timed_out') return exitTimedOut;
    if (outcome.kind === 'cancelled') return exitOfSignal('TERM');
    return outcome.kind === 'signaled' ? exitOfSignal(outcome.signal) : exitOwnFailure;
  }

  #note(message: string): Promise<void> {
    return this.#task.terminal.stderr.write(`octaskly: ${message}\n`);
  }
}
