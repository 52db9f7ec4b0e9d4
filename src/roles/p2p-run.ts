/**
 * `run --p2p`: a command on the best peer, found by beacons alone. No dispatcher need run; where one does, the worker
 * tells it of the task. The key of the data directory shows who asks: that of a worker here, or of its dispatcher.
 *
 * The task lasts as long as this link: the worker ends what nobody waits for any more. Output and input go through it at
 * its pace. Files do not: for those there is the dispatcher.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import { BrokenPipe, type InterruptSignal, note, type PeerTask } from '../cli/context.ts';
import { exitOfSignal, exitOwnFailure, exitTimedOut } from '../cli/status.ts';
import type { ReportEntry } from '../core/attempt.ts';
import { nextId } from '../core/ids.ts';
import { type AttemptOutcome, describeOutcome } from '../core/task.ts';
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
import { outputChunkBytesMax, type Stream } from '../wire/messages.ts';
import type { PeerMessage } from '../wire/peer-messages.ts';
import type { Peer } from '../worker/peer.ts';
import { PeerRoster } from '../worker/peer-roster.ts';
import { type PeerPart, Peers } from '../worker/peers.ts';
import { type Belonging, belongingsIn, findPeers } from './p2p-finding.ts';

type Ended = Extract<ReportEntry, { kind: 'ended' }>;

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
    const found = await findPeers(beacons, task.spec.requires, belongings);
    const reasons = new Set<string>();
    for (const belonging of belongings) {
      const status = await runOnOneOf(found, { id, belonging, task, reasons });
      if (status !== null) return status;
    }
    throw new OctasklyError('refused', `No worker took the task. ${[...reasons].join(' ')}`);
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
      const dialled = await peers.dial({ publicKey: beacon.publicKey, host: from.address, port: peerPort ?? 0 });
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
  #signal: InterruptSignal | null = null;
  /** Whoever reads the output is gone. */
  #readerGone = false;
  #inputFailed = false;
  #taken = Promise.withResolvers<{ readonly offset: number; readonly open: boolean }>();

  constructor(peer: Peer, task: PeerTask) {
    this.#peer = peer;
    this.#task = task;
  }

  /** The exit status, or why the peer does not run it. */
  async toEnd(): Promise<{ readonly status: number } | { readonly refusal: string }> {
    const { terminal, spec } = this.#task;
    // From the request on it may run there.
    const stop = terminal.onSignal((signal) => this.#interrupt(signal));
    try {
      this.#peer.send({ kind: 'run', task: { ...this.#key, spec } });
      const refusal = await this.#answer.promise;
      if (refusal !== null) return this.#signal === null ? { refusal } : { status: exitOfSignal(this.#signal) };
      if (spec.stdin.kind === 'stream') this.#feed().catch((error: unknown) => this.#lostInput(error));
      const end = await this.#end.promise;
      await this.#writing;
      return { status: await this.#settle(end?.outcome ?? null) };
    } finally {
      stop();
    }
  }

  /** The first signal cancels the task and waits for its end, the second leaves. */
  #interrupt(signal: InterruptSignal): void {
    if (this.#signal !== null) {
      this.#answer.resolve('Nobody waits for its answer any more.');
      this.#end.resolve(null);
    } else {
      const again = signal === 'SIGINT' ? ' (Ctrl-C again: leave at once)' : '';
      this.#tellNow(`Cancelling task ${this.#key.taskId}${again}.`);
    }
    this.#signal ??= signal;
    this.#cancel();
  }

  /** A command that saw half of its input must not look as if it had seen all of it. */
  #lostInput(error: unknown): void {
    this.#inputFailed = true;
    this.#tellNow(`Cannot pass standard input on, cancelling task ${this.#key.taskId}: ${reasonOf(error)}`);
    this.#cancel();
  }

  async #settle(outcome: AttemptOutcome | null): Promise<number> {
    const wasCancelled = outcome === null || outcome.kind === 'cancelled';
    if (wasCancelled && this.#signal !== null) return exitOfSignal(this.#signal);
    if (wasCancelled && this.#readerGone) return exitOfSignal('SIGPIPE');
    if (this.#inputFailed) return exitOwnFailure;
    if (outcome !== null) return await this.#tell(outcome);
    const { taskId } = this.#key;
    await this.#note(
      `The link with ${this.#peer.name} broke. Task ${taskId} is ended there when it still runs, and it is run nowhere else. What a dispatcher has of it: octaskly show ${taskId}`,
    );
    return exitOwnFailure;
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
    this.#writing = this.#writing
      .then(() => sink.write(fresh))
      .catch((error: unknown) => {
        // A reader that went away wants no more of it.
        this.#readerGone = error instanceof BrokenPipe;
        if (!this.#readerGone) this.#tellNow(reasonOf(error));
        this.#cancel();
      });
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

  /** Says something while the task goes on; a reader of it that is gone misses it. */
  #tellNow(message: string): void {
    this.#note(message).catch(() => undefined);
  }

  #note(message: string): Promise<void> {
    return note(this.#task.terminal, message);
  }
}
