/**
 * One task of `run --p2p` on one peer: handed over, its output shown, its input and signals passed on, until its end.
 *
 * The task lasts as long as the link: the worker ends what nobody waits for any more. Output and input go through it at
 * its pace. Invariant: once the task was sent, it is given to nobody else unless this peer has refused it.
 */

import { reasonOf } from '../base/errors.ts';
import { BrokenPipe, type InterruptSignal, note, type PeerTask } from '../cli/context.ts';
import { discardedText } from '../cli/follow.ts';
import { exitOfSignal, exitOwnFailure, exitTimedOut } from '../cli/status.ts';
import type { ReportEntry } from '../core/attempt.ts';
import { nextId } from '../core/ids.ts';
import { describeOutcome } from '../core/task.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { outputChunkBytesMax, type Stream } from '../wire/messages.ts';
import type { PeerMessage } from '../wire/peer-messages.ts';
import type { Peer } from '../worker/peer.ts';
import type { PeerPart } from '../worker/peers.ts';

type Ended = Extract<ReportEntry, { kind: 'ended' }>;

/** Ids that no dispatcher gives out: it never counts that far within a millisecond. */
function drawId(): string {
  const digits = '0123456789abcdefghjkmnpqrstvwxyz';
  const drawn = [...systemRandom.bytes(4)].map((byte, place) => digits.charAt((place === 0 ? 16 : 0) + (byte & 15)));
  return nextId('', systemClock.wall()).slice(0, 8) + drawn.join('');
}

/** One task on one peer, from the request to its end. `onMessage` and `onPeerEnd` are called as of a part of `Peers`. */
export class PeerRun implements PeerPart {
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
      return { status: await this.#settle(end) };
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

  async #settle(end: Ended | null): Promise<number> {
    const wasCancelled = end === null || end.outcome.kind === 'cancelled';
    if (wasCancelled && this.#signal !== null) return exitOfSignal(this.#signal);
    if (wasCancelled && this.#readerGone) return exitOfSignal('SIGPIPE');
    if (this.#inputFailed) return exitOwnFailure;
    if (end !== null) return await this.#tell(end);
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
    // Without an answer it may have begun there all the same: whoever is in doubt asks nobody else.
    this.#answer.resolve(null);
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
  async #tell({ outcome, usage }: Ended): Promise<number> {
    const lost = discardedText({
      ...{ discarded_bytes: usage.discardedBytes, max_output: this.#task.spec.maxOutputBytes },
      ...{ stdout_bytes: usage.stdoutBytes, stderr_bytes: usage.stderrBytes },
    });
    if (lost !== null) await this.#note(lost);
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
