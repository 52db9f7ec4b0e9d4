/**
 * The worker: joins a dispatcher, runs what it is given, reports what came of it.
 *
 *   dialling ──> joined ──(link breaks)──> dialling …            running tasks go on all the while
 *   first stop: leaving (gives back its backlog, finishes what runs, says goodbye)      second stop: now
 *
 * An attempt is here once at most: the same assignment twice is one run, a newer attempt of a task ends the older. What
 * ended is kept until the dispatcher has stored it. The worker decides nothing about tasks except when to start the next
 * of its backlog; all else it is told.
 */

import { unreachable } from '../base/assert.ts';
import type { AttemptKey, HeldAttempt } from '../core/attempt.ts';
import type { Credential } from '../core/trust.ts';
import type { WorkerDeclaration, WorkerVitals } from '../core/worker.ts';
import type { BlobCache, TaskFiles } from '../ports/files.ts';
import type { LinkEnd, LinkHandlers, Links, Proof, WorkerLink } from '../ports/links.ts';
import type { Clock, Log, Random, Timer } from '../ports/time.ts';
import { type Assignment, type DispatcherMessage, isLasting } from '../wire/messages.ts';
import { isHopeless, nameOf, sentenceOn } from './advice.ts';
import { Backlog } from './backlog.ts';
import { type Execution, type ExecutorParts, execute } from './executor.ts';
import { Heartbeat } from './heartbeat.ts';
import { Proofs } from './proofs.ts';
import { type Address, Redial } from './redial.ts';
import { Reporter } from './reporter.ts';
import { Staging } from './staging.ts';
import { cancelledUnstarted } from './unstarted.ts';

/** After leaving, results that cannot be delivered are waited for this long after files of them were last asked for. */
const farewellMs = 15_000;
/** A dispatcher that neither welcomes nor refuses a join is given up after this long. */
const welcomeMsMax = 15_000;

export interface WorkerParts extends Omit<ExecutorParts, 'workerName' | 'staging'> {
  readonly clock: Clock;
  readonly blobs: BlobCache;
  readonly files: TaskFiles;
  readonly random: Random;
  readonly links: Links;
  readonly log: Log;
  readonly declaration: WorkerDeclaration;
  /** Dispatchers, tried in turn. */
  readonly addresses: readonly Address[];
  /** By what it may join, best first; asked before each dial. A further one is tried when the one before is not valid. */
  proofs(): readonly [Proof, ...Proof[]];
  /** A fresh credential of the dispatcher it has joined: to be kept, and from now on the best proof. Does not throw. */
  onCredential(credential: Credential): void;
  readVitals(): Omit<WorkerVitals, 'running'>;
  /** Shown to people: joined, lost, refused. */
  onStatus(sentence: string): void;
}

/** How a worker's run ended: in good order, or with a sentence on why it could not go on. */
export type WorkerEnd = { readonly ok: true } | { readonly ok: false; readonly detail: string };

interface Joined {
  readonly link: WorkerLink;
  readonly heartbeat: Heartbeat;
}

export class Worker {
  readonly #parts: WorkerParts;
  readonly #backlog: Backlog;
  readonly #reporter: Reporter;
  readonly #staging: Staging;
  readonly #redial: Redial;
  readonly #proofs: Proofs;
  readonly #running = new Map<string, { readonly assignment: Assignment; readonly execution: Execution }>();
  #name: string;
  #link: WorkerLink | null = null;
  #joined: Joined | null = null;
  #everJoined = false;
  /** Why the dispatcher refused the present link. */
  #refusal: string | null = null;
  /** The refusal people were told of last. */
  #told: string | null = null;
  #leaving = false;
  #retry: Timer | null = null;
  #farewell: Timer | null = null;
  #end: ((end: WorkerEnd) => void) | null = null;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#name = parts.declaration.name;
    this.#backlog = new Backlog(parts.declaration);
    this.#reporter = new Reporter(parts.clock);
    this.#staging = new Staging(parts);
    this.#redial = new Redial(parts.addresses, parts.random);
    this.#proofs = new Proofs(parts.proofs, parts.addresses.length);
  }

  /** Runs until `leave` or `stop`, or until it is clear that no dispatcher will ever take it. Called once. */
  run(): Promise<WorkerEnd> {
    return new Promise((resolve) => {
      this.#end = resolve;
      void this.#dial();
    });
  }

  /** Takes no more work, gives back what waits, finishes what runs, then ends. Idempotent. */
  leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#joined?.link.send({ kind: 'leaving' });
    for (const { taskId, attempt } of this.#backlog.clear()) {
      this.#reporter.notStarted({ kind: 'returned', taskId, attempt });
    }
    this.#endIfIdle();
  }

  /** Ends now: what runs is killed and handed back as lost. */
  stop(): void {
    this.leave();
    for (const { assignment, execution } of [...this.#running.values()]) {
      execution.cancel({ kind: 'lost', why: `worker ${this.#name} was stopped` });
      execution.kill();
      this.#parts.log.info('killed a running task', { taskId: assignment.taskId });
    }
    this.#parts.clock.after(2000, () => this.#finish({ ok: true }));
  }

  // -------------------------------------------------------------------------------------------------- the link

  async #dial(): Promise<void> {
    this.#retry = null;
    const { links, log } = this.#parts;
    const address = this.#redial.next();
    log.debug('dialling the dispatcher', { address: `${address.host}:${address.port}` });
    const dialled = await links.dial({ ...address, proof: this.#proofs.take() }, (link) => this.#handlers(link));
    if (dialled.ok) return;
    this.#onEnd(dialled.end, `${address.host}:${address.port}`);
  }

  #handlers(link: WorkerLink): LinkHandlers<DispatcherMessage> {
    this.#link = link;
    const patience = this.#parts.clock.after(welcomeMsMax, () => link.close('the dispatcher did not answer the join'));
    // It may have ended while the dial was under way.
    if (this.#end === null) link.close('the worker stops');
    else link.send({ kind: 'join', worker: this.#parts.declaration, held: this.#held() });
    return {
      onMessage: (message) => {
        patience.cancel();
        if (this.#link === link) this.#onMessage(link, message);
      },
      onDrain: () => {
        this.#reporter.flush();
        this.#staging.drained();
      },
      onEnd: (end) => {
        patience.cancel();
        if (this.#link === link) this.#onEnd(end, link.remote);
      },
    };
  }

  #held(): HeldAttempt[] {
    const waiting = this.#backlog.keys().map((key): HeldAttempt => ({ ...key, phase: 'waiting' }));
    return [...waiting, ...this.#reporter.held()];
  }

  #onEnd(end: LinkEnd, remote: string): void {
    const wasJoined = this.#joined !== null;
    this.#joined?.heartbeat.stop();
    this.#joined = null;
    this.#link = null;
    this.#reporter.detach();
    this.#staging.detach();
    if (this.#end === null) return;
    const detail = sentenceOn(end, this.#proofs.present);
    const hopeless = isHopeless(end) && this.#proofs.isTriedOut && !this.#everJoined;
    const fallsBack = this.#proofs.fallBack(end);
    if (hopeless && !fallsBack) {
      this.#finish({ ok: false, detail });
      return;
    }
    const waitMs = this.#redial.waitMs();
    const what = wasJoined ? `Lost the dispatcher at ${remote}` : `Cannot join the dispatcher at ${remote}`;
    const again = fallsBack ? `Trying ${nameOf(this.#proofs.present)} instead` : 'Trying again';
    const going = this.#running.size > 0 ? ' Running tasks go on.' : '';
    this.#tell(`${what}: ${detail} ${again} in ${(waitMs / 1000).toFixed(1)} s.${going}`);
    this.#retry = this.#parts.clock.after(waitMs, () => void this.#dial());
    this.#endIfIdle();
  }

  /** Tells people; of the same refusal over and over once. */
  #tell(sentence: string): void {
    if (this.#refusal !== null && this.#refusal === this.#told) this.#parts.log.debug(sentence);
    else this.#parts.onStatus(sentence);
    this.#told = this.#refusal;
    this.#refusal = null;
  }

  // ------------------------------------------------------------------------------------------------ messages

  #onMessage(link: WorkerLink, message: DispatcherMessage): void {
    this.#joined?.heartbeat.heard();
    switch (message.kind) {
      case 'welcome':
        this.#onWelcome(link, message);
        return;
      case 'refused':
        this.#onRefused(link, message);
        return;
      case 'credential':
        this.#onCredential(link, message);
        return;
      case 'pending':
        link.close('The dispatcher wants an approval of a worker that has shown what it joins by.');
        return;
      case 'assign':
        for (const assignment of message.attempts) this.#onAssign(assignment);
        this.#startNext();
        return;
      case 'recall':
        for (const key of message.attempts) this.#onRecall(key);
        return;
      case 'cancel':
        for (const key of message.attempts) this.#onCancel(key);
        return;
      case 'abandon':
        for (const key of message.attempts) this.#abandon(key);
        this.#startNext();
        return;
      case 'ack':
        for (const key of message.attempts) if (!this.#isRunning(key)) this.#reporter.forget(key);
        this.#endIfIdle();
        return;
      case 'stdin':
        void this.#onStdin(link, message);
        return;
      case 'blobWanted':
      case 'blobData':
      case 'blobRefused':
        this.#staging.take(message);
        return;
      case 'alive':
        return;
      case 'closing':
        this.#parts.onStatus('The dispatcher is going down; running tasks go on until it is back.');
        return;
      default:
        unreachable(message);
    }
  }

  #onRefused(link: WorkerLink, message: Extract<DispatcherMessage, { kind: 'refused' }>): void {
    const { code, detail, retryAfterMs } = message;
    if (isLasting(code) && (this.#joined !== null || this.#proofs.isTriedOut)) {
      this.#expelled(detail);
      return;
    }
    this.#redial.waitAtLeast(retryAfterMs);
    this.#refusal = detail;
    link.close(detail);
  }

  /** Nobody wants to hear of anything here any more: what runs is killed. */
  #expelled(detail: string): void {
    this.#leaving = true;
    this.#backlog.clear();
    for (const { assignment } of [...this.#running.values()]) this.#abandon(assignment);
    this.#finish({ ok: false, detail });
  }

  #onCredential(link: WorkerLink, message: Extract<DispatcherMessage, { kind: 'credential' }>): void {
    const { keyId, psk, beaconKey } = message;
    this.#parts.onCredential({ keyId, psk, beaconKey, dispatcherKey: link.remoteKey });
    this.#proofs.renewed();
  }

  #onWelcome(link: WorkerLink, message: Extract<DispatcherMessage, { kind: 'welcome' }>): void {
    // A second welcome on the same link says nothing new.
    if (this.#joined !== null) return;
    const { clock, onStatus, readVitals } = this.#parts;
    const { name, resume } = message;
    this.#name = name;
    this.#everJoined = true;
    this.#told = null;
    this.#redial.succeeded();
    onStatus(`Joined the dispatcher at ${link.remote} as ${name}.`);
    const beat = (): void => link.send({ kind: 'heartbeat', vitals: { ...readVitals(), running: this.#running.size } });
    this.#joined = { link, heartbeat: new Heartbeat({ clock, link, pace: message, beat }) };
    if (this.#leaving) link.send({ kind: 'leaving' });
    this.#reporter.attach(link, resume);
    this.#staging.attach(link);
    this.#endIfIdle();
  }

  #onAssign(assignment: Assignment): void {
    const { taskId, attempt } = assignment;
    const known = this.#attemptOf(taskId);
    if (known !== null && known >= attempt) return;
    if (known !== null) this.#abandon({ taskId, attempt: known });
    if (this.#leaving) this.#reporter.notStarted({ kind: 'returned', taskId, attempt });
    else this.#backlog.add(assignment);
  }

  /** The attempt of a task that waits, runs or has ended here. */
  #attemptOf(taskId: string): number | null {
    return this.#backlog.attemptOf(taskId) ?? this.#reporter.attemptOf(taskId);
  }

  #onRecall({ taskId, attempt }: AttemptKey): void {
    if (this.#backlog.attemptOf(taskId) !== attempt) return;
    this.#backlog.remove(taskId);
    this.#reporter.notStarted({ kind: 'returned', taskId, attempt });
  }

  #onCancel(key: AttemptKey): void {
    if (this.#backlog.attemptOf(key.taskId) === key.attempt) {
      this.#backlog.remove(key.taskId);
      this.#reporter.notStarted(cancelledUnstarted(key, this.#parts.clock.wall()));
    } else if (this.#isRunning(key)) this.#running.get(key.taskId)?.execution.cancel();
  }

  /** The attempt is not ours any more: ends it if it runs, and says nothing of it. */
  #abandon(key: AttemptKey): void {
    if (this.#backlog.attemptOf(key.taskId) === key.attempt) this.#backlog.remove(key.taskId);
    else if (this.#isRunning(key)) this.#running.get(key.taskId)?.execution.kill();
    this.#reporter.forget(key);
  }

  async #onStdin(link: WorkerLink, message: Extract<DispatcherMessage, { kind: 'stdin' }>): Promise<void> {
    const { taskId, attempt, ...chunk } = message;
    const execution = this.#isRunning({ taskId, attempt }) ? this.#running.get(taskId)?.execution : undefined;
    const taken = (await execution?.writeStdin(chunk)) ?? { offset: 0, open: false };
    link.send({ kind: 'stdinTaken', taskId, attempt, ...taken });
  }

  // ------------------------------------------------------------------------------------------------- running

  #isRunning({ taskId, attempt }: AttemptKey): boolean {
    return this.#running.get(taskId)?.assignment.attempt === attempt;
  }

  #startNext(): void {
    for (let next = this.#backlog.start(); next !== null; next = this.#backlog.start()) this.#start(next);
  }

  #start(assignment: Assignment): void {
    const { taskId, attempt, spec } = assignment;
    const key = { taskId, attempt };
    const parts = { ...this.#parts, staging: this.#staging, workerName: () => this.#name };
    const execution = execute(parts, assignment, {
      onOutput: () => this.#reporter.wrote(),
      onResult: (result) => {
        if (this.#isRunning(key)) this.#running.delete(taskId);
        this.#backlog.release(spec.requires);
        this.#startNext();
        this.#reporter.ended(key, result, this.#backlog.waiting > 0);
        this.#endIfIdle();
      },
    });
    this.#running.set(taskId, { assignment, execution });
    this.#reporter.started(key, execution);
  }

  // -------------------------------------------------------------------------------------------------- the end

  /** When leaving and nothing runs: says goodbye once all ends are stored, or gives up on that after a while. */
  #endIfIdle(): void {
    if (!this.#leaving || this.#backlog.running > 0 || this.#end === null) return;
    if (this.#reporter.size === 0) {
      this.#joined?.link.send({ kind: 'goodbye' });
      this.#finish({ ok: true });
    } else this.#farewell ??= this.#parts.clock.after(farewellMs, () => this.#giveUp());
  }

  #giveUp(): void {
    this.#farewell = null;
    const left = this.#reporter.size;
    const detail = `The results of ${left} tasks could not be delivered; they will run again elsewhere.`;
    // Files of results may take longer than any fixed time.
    if (left > 0 && this.#staging.wasAskedWithin(farewellMs)) this.#endIfIdle();
    else this.#finish(left === 0 ? { ok: true } : { ok: false, detail });
  }

  #finish(end: WorkerEnd): void {
    const resolve = this.#end;
    if (resolve === null) return;
    this.#end = null;
    this.#retry?.cancel();
    this.#farewell?.cancel();
    this.#joined?.heartbeat.stop();
    this.#link?.close('the worker stops');
    resolve(end);
  }
}
