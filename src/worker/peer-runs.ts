/**
 * Tasks somebody hands to this worker directly: begun at once or refused, their output sent back as it comes, their end
 * kept until whoever asked has it. The dispatcher is told as well (`attempts.ts`), now or when it is back; what it says
 * of the task counts from then on.
 *
 * Whoever asked and is gone for longer than `awayMsMax` has its task ended, as a shell ends what it ran when the line
 * breaks. The same request again, of the same node, is the same run: it is told everything from the beginning on.
 */

import { suits } from '../core/placement.ts';
import type { WorkerDeclaration } from '../core/worker.ts';
import type { Clock, Timer } from '../ports/time.ts';
import type { Assignment } from '../wire/messages.ts';
import type { PeerMessage } from '../wire/peer-messages.ts';
import type { Attempts } from './attempts.ts';
import type { Execution } from './executor.ts';
import type { Peer } from './peer.ts';
import type { PeerPart, Peers } from './peers.ts';
import { Reporter } from './reporter.ts';

/** A task whose asker is away for longer is ended. */
const awayMsMax = 5000;

interface Parts {
  readonly clock: Clock;
  readonly peers: Pick<Peers, 'add' | 'roster'>;
  readonly attempts: Attempts;
  readonly declaration: WorkerDeclaration;
  /** Why no task of a peer is taken now; null = it is. */
  unwilling(): string | null;
}

interface Run {
  readonly taskId: string;
  /** Key and id of the program that asked. */
  readonly asker: string;
  readonly execution: Execution;
  readonly reporter: Reporter;
  /** Runs while the asker is away. */
  away: Timer | null;
}

export class PeerRuns implements PeerPart {
  readonly #parts: Parts;
  readonly #runs = new Map<string, Run>();

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.peers.add(this);
  }

  onMessage(peer: Peer, message: PeerMessage): void {
    switch (message.kind) {
      case 'run':
        this.#onRun(peer, message.task);
        return;
      case 'cancel':
        for (const { taskId } of message.attempts) this.#of(peer, taskId)?.execution.cancel();
        return;
      case 'ack':
        for (const { taskId } of message.attempts) this.#forget(this.#of(peer, taskId));
        return;
      case 'stdin':
        void this.#onStdin(peer, message);
        return;
    }
  }

  onDrain(peer: Peer): void {
    for (const run of this.#runs.values()) if (run.asker === nameOf(peer)) run.reporter.flush();
  }

  needs(peer: Peer): boolean {
    return [...this.#runs.values()].some(({ asker }) => asker === nameOf(peer));
  }

  onPeerEnd(peer: Peer): void {
    for (const run of this.#runs.values()) {
      if (run.asker !== nameOf(peer)) continue;
      run.reporter.detach();
      run.away ??= this.#parts.clock.after(awayMsMax, () => {
        run.execution.cancel();
        this.#forget(run);
      });
    }
  }

  #of(peer: Peer, taskId: string): Run | null {
    const run = this.#runs.get(taskId);
    return run?.asker === nameOf(peer) ? run : null;
  }

  #onRun(peer: Peer, task: Assignment): void {
    const { taskId } = task;
    const known = this.#of(peer, taskId);
    const begun = known ?? this.#begin(peer, task);
    const refusal = typeof begun === 'string' ? begun : null;
    peer.send({ kind: 'runAnswered', taskId, refusal });
    if (typeof begun === 'string') return;
    begun.away?.cancel();
    begun.away = null;
    begun.reporter.attach(peer, []);
  }

  /** The run, or why there is none. */
  #begin(peer: Peer, task: Assignment): Run | string {
    const { attempts, clock, declaration, peers, unwilling } = this.#parts;
    const { taskId, attempt, spec } = task;
    const reason = unwilling();
    if (reason !== null) return reason;
    if (attempt !== 1 || attempts.attemptOf(taskId) !== null) return 'It has a task of this id.';
    if (spec.inputs.length > 0 || spec.outputs.length > 0) return 'A task from peer to peer has no files.';
    if (!suits(declaration, spec.requires)) return 'It is not made for this task.';
    const reporter = new Reporter(clock);
    const key = { taskId, attempt };
    const from = peers.roster.byKey(peer.publicKey)?.id ?? peer.id;
    const adopted = { assignment: task, from, adoptedAt: clock.wall() };
    const execution = attempts.adopt(adopted, {
      onOutput: () => reporter.wrote(),
      onResult: (result) => reporter.ended(key, result, false),
    });
    if (execution === null) return 'All of its slots are taken.';
    reporter.started(key, execution);
    const run: Run = { taskId, asker: nameOf(peer), execution, reporter, away: null };
    this.#runs.set(taskId, run);
    return run;
  }

  async #onStdin(peer: Peer, message: Extract<PeerMessage, { kind: 'stdin' }>): Promise<void> {
    const { taskId, attempt, offset, data, eof } = message;
    if (this.#of(peer, taskId) === null) return;
    const taken = await this.#parts.attempts.writeStdin({ taskId, attempt }, { offset, data, eof });
    peer.send({ kind: 'stdinTaken', taskId, attempt, ...taken });
  }

  #forget(run: Run | null): void {
    if (run === null) return;
    run.away?.cancel();
    this.#runs.delete(run.taskId);
    run.reporter.detach();
    run.reporter.forget({ taskId: run.taskId, attempt: 1 });
  }
}

function nameOf({ publicKey, id }: Peer): string {
  return `${publicKey} ${id}`;
}
