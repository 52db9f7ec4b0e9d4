/**
 * The worker: joins a dispatcher, runs what it is given, reports what came of it.
 *
 *   dialling ──> joined ──(link breaks)──> dialling …            running tasks go on all the while
 *   first stop: leaving (gives back its backlog, finishes what runs, says goodbye)      second stop: now
 *
 * Here is the link: how it is got, what comes by it, when it is given up. What happens to attempts is in `attempts.ts`,
 * what it is told of them in `orders.ts`, what peers do among themselves in the parts that are told of their messages.
 */

import { placeText } from '../discovery/service.ts';
import type { LinkEnd, LinkHandlers, WorkerLink } from '../ports/links.ts';
import { type DispatcherMessage, isLasting } from '../wire/messages.ts';
import { joinedSentence, sentenceOn, troubleOf } from './advice.ts';
import { Attempts } from './attempts.ts';
import { Dialling } from './dialling.ts';
import { Farewell } from './farewell.ts';
import { Handover } from './handover.ts';
import { Heartbeat } from './heartbeat.ts';
import { logAnswer } from './log-answer.ts';
import { obey } from './orders.ts';
import type { WorkerParts, WorkerPeers } from './parts.ts';
import { PeerRuns } from './peer-runs.ts';
import { Proofs } from './proofs.ts';
import { type Address, Redial } from './redial.ts';
import { Renewal } from './renewal.ts';
import { Staging } from './staging.ts';
import { Willingness } from './willingness.ts';

/** A dispatcher that neither welcomes nor refuses a join is given up after this long. */
const welcomeMsMax = 15_000;

/** How a worker's run ended: in good order, or with a sentence on why it could not go on. */
export type WorkerEnd = { readonly ok: true } | { readonly ok: false; readonly detail: string };

interface Joined {
  readonly link: WorkerLink;
  readonly heartbeat: Heartbeat;
}

export class Worker {
  /** What a dispatcher said last: that it is let in, that it is refused for good, or (null) nothing in this run. */
  standing: 'member' | 'shut out' | null = null;
  readonly #parts: WorkerParts;
  readonly #attempts: Attempts;
  readonly #handover: Handover | null;
  readonly #staging: Staging;
  readonly #redial: Redial;
  readonly #dialling: Dialling;
  readonly #proofs: Proofs;
  readonly #farewell: Farewell;
  readonly #renewal: Renewal;
  readonly #willingness: Willingness;
  readonly #unlisten: () => void;
  #name: string;
  #link: WorkerLink | null = null;
  #joined: Joined | null = null;
  /** Why the dispatcher refused the present link. */
  #refusal: string | null = null;
  /** The refusal people were told of last. */
  #told: string | null = null;
  #leaving = false;
  #draining = false;
  #end: ((end: WorkerEnd) => void) | null = null;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#name = parts.declaration.name;
    this.#staging = new Staging({ ...parts, sharing: parts.peers?.blobs ?? null });
    this.#attempts = new Attempts({
      ...{ ...parts, staging: this.#staging, capacity: parts.declaration },
      workerName: () => this.#name,
      onChange: () => this.#endIfIdle(),
    });
    this.#willingness = new Willingness({ ...parts, cpuCores: parts.declaration.cpuCores });
    this.#farewell = new Farewell({
      ...{ ...parts, attempts: this.#attempts, staging: this.#staging },
      isJoined: () => this.#joined !== null,
      goodbye: () => this.#joined?.link.send({ kind: 'goodbye' }),
      finish: (detail) => this.#finish(detail === null ? { ok: true } : { ok: false, detail }),
    });
    this.#renewal = new Renewal({
      ...{ ...parts, fetch: (blob, bytes) => this.#staging.fetch(blob, bytes), leave: () => this.leave() },
      isIdle: () => this.#attempts.isIdle && this.#attempts.backlog.waiting === 0 && this.#attempts.unstored === 0,
    });
    this.#handover = parts.peers === null ? null : this.#withPeers(parts.peers);
    const { whereabouts } = parts;
    this.#redial = new Redial(() => whereabouts.addresses(), parts.random);
    this.#proofs = new Proofs(parts.proofs, () => whereabouts.addresses().length);
    this.#dialling = new Dialling({
      ...{ ...parts, redial: this.#redial, proof: () => this.#proofs.take() },
      onLink: (link, address) => this.#handlers(link, address),
      onFailed: (end, address, silent) => this.#onEnd(end, placeText(address), silent),
    });
    // It may not be at this address any more, and the link lead nowhere.
    this.#unlisten = whereabouts.onNews((lost) => lost && this.#joined?.heartbeat.ask());
  }

  #withPeers({ peers, table }: WorkerPeers): Handover {
    const { clock, declaration, log } = this.#parts;
    const shared = { clock, declaration, peers, attempts: this.#attempts };
    new PeerRuns({ ...shared, unwilling: () => this.#unwilling() });
    return new Handover({ ...shared, log, table, onChange: () => this.#endIfIdle() });
  }

  /** As the dispatcher calls it; before it has joined, as it wants to be called. */
  get name(): string {
    return this.#name;
  }

  /** What peers and others should know of it, for its beacon: slots nothing runs in, attempts that wait, unwilling. */
  get offer(): { readonly slotsFree: number; readonly waiting: number; readonly draining: boolean } {
    const { free, waiting } = this.#attempts.backlog;
    return { slotsFree: Math.max(0, free - waiting), waiting, draining: this.#unwilling() !== null };
  }

  /** Runs until `leave` or `stop`, or until it is clear that no dispatcher will ever take it. Called once. */
  run(): Promise<WorkerEnd> {
    return new Promise((resolve) => {
      this.#end = resolve;
      this.#dialling.start();
    });
  }

  /** Takes no more work, gives back what waits, finishes what runs, then ends. Idempotent. */
  leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#joined?.link.send({ kind: 'leaving' });
    this.#handover?.leave();
    if (this.#handover === null) this.#attempts.giveBackAll();
    this.#endIfIdle();
  }

  /** Ends now: what runs is killed and handed back as lost. */
  stop(): void {
    this.#farewell.hurry();
    this.leave();
    this.#endIfIdle();
    for (const taskId of this.#attempts.killAll({ kind: 'lost', why: `worker ${this.#name} was stopped` })) {
      this.#parts.log.info('killed a running task', { task: taskId });
    }
    this.#parts.clock.after(2000, () => this.#finish({ ok: true }));
  }

  // -------------------------------------------------------------------------------------------------- the link

  #handlers(link: WorkerLink, address: Address): LinkHandlers<DispatcherMessage> {
    this.#link = link;
    const patience = this.#parts.clock.after(welcomeMsMax, () => link.close('the dispatcher did not answer the join'));
    link.send({ kind: 'join', worker: this.#parts.declaration, held: this.#attempts.held() });
    return {
      onMessage: (message, done) => {
        patience.cancel();
        if (this.#link !== link) return;
        this.#joined?.heartbeat.heard();
        this.#onMessage(link, address, message);
        done?.();
      },
      onDrain: () => {
        this.#attempts.drained();
        this.#staging.drained();
      },
      onEnd: (end) => {
        patience.cancel();
        if (this.#link === link) this.#onEnd(end, link.remote);
      },
    };
  }

  #onEnd(end: LinkEnd, remote: string, silent: readonly Address[] = []): void {
    const wasJoined = this.#joined !== null;
    this.#joined?.heartbeat.stop();
    this.#joined = null;
    this.#link = null;
    this.#attempts.detach();
    this.#handover?.lost();
    this.#staging.detach();
    this.#renewal.detach();
    const detail = sentenceOn(end, this.#proofs.present);
    const searching = this.#parts.whereabouts.isSearching();
    const hopeless = this.#redial.isHopeless && this.standing !== 'member' && !searching;
    const fallsBack = this.#proofs.fallBack(end);
    if (fallsBack) this.#redial.renewed();
    else if (hopeless) this.#finish({ ok: false, detail });
    if (this.#end === null) return;
    const waitMs = this.#redial.waitMs();
    const [next, running] = [fallsBack ? this.#proofs.present : null, this.#attempts.running > 0];
    const sentence = troubleOf({ wasJoined, remote, detail, silent, next, waitMs, running });
    // That nobody is where nobody was said to be is no news before those that are there have been found.
    if (searching && !wasJoined && end.code === 'connection_lost') this.#parts.log.debug(sentence);
    else this.#tell(sentence);
    this.#dialling.again(waitMs);
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

  #onMessage(link: WorkerLink, address: Address, message: DispatcherMessage): void {
    switch (message.kind) {
      case 'welcome':
        this.#onWelcome(link, address, message);
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
        this.#onAssign(message.attempts);
        return;
      case 'granted':
        this.#onGranted(message.entries);
        return;
      case 'drain':
        this.#onDrain(message.draining);
        return;
      case 'roster':
        this.#parts.peers?.peers.take(message);
        return;
      case 'holders':
        this.#parts.peers?.blobs.hint(message);
        return;
      case 'blobWanted':
      case 'blobData':
      case 'blobRefused':
        this.#staging.take(message);
        return;
      case 'logWanted':
        link.send(logAnswer(message, (lines) => this.#parts.recentLog?.(lines) ?? []));
        return;
      case 'update':
        this.#renewal.obey(message.order);
        return;
      case 'alive':
        return;
      case 'closing':
        this.#parts.onStatus('The dispatcher is going down; running tasks go on until it is back.');
        return;
      default:
        obey(message, this.#attempts, link);
        this.#endIfIdle();
    }
  }

  /** Its conditions for work hold again, or do not any more. */
  #onWillingness(link: WorkerLink): void {
    const { why } = this.#willingness;
    this.#parts.onStatus(why === null ? 'Taking work again.' : `Taking no work for now: ${why}.`);
    link.send({ kind: 'resting', why });
    if (this.#handover !== null) this.#handover.rest(why !== null);
    else if (why !== null) this.#attempts.giveBackAll();
  }

  #onAssign(attempts: Extract<DispatcherMessage, { kind: 'assign' }>['attempts']): void {
    const refuse = this.#leaving || this.#willingness.why !== null;
    for (const assignment of attempts) this.#attempts.assign(assignment, refuse);
    this.#attempts.startNext();
  }

  #onRefused(link: WorkerLink, message: Extract<DispatcherMessage, { kind: 'refused' }>): void {
    const { code, detail, retryAfterMs } = message;
    if (isLasting(code)) {
      this.standing = 'shut out';
      this.#parts.peers?.peers.ban('this node is no member of its cluster any more');
    }
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
    this.#attempts.abandonAll();
    this.#finish({ ok: false, detail });
  }

  #onCredential(link: WorkerLink, message: Extract<DispatcherMessage, { kind: 'credential' }>): void {
    const { keyId, psk, beaconKey } = message;
    this.#parts.onCredential({ keyId, psk, beaconKey, dispatcherKey: link.remoteKey });
    this.#proofs.renewed();
  }

  #onWelcome(link: WorkerLink, address: Address, message: Extract<DispatcherMessage, { kind: 'welcome' }>): void {
    // A second welcome on the same link says nothing new.
    if (this.#joined !== null) return;
    const { clock, onStatus, readVitals } = this.#parts;
    const { name, resume } = message;
    this.#name = name;
    this.standing = 'member';
    this.#told = null;
    this.#parts.onAdmitted(this.#proofs.present, link.remoteKey);
    this.#redial.succeeded(address);
    this.#parts.whereabouts.reached(address);
    link.choice?.kept();
    onStatus(joinedSentence(link, name));
    const beat = (): void => {
      const vitals = { ...readVitals(), running: this.#attempts.running };
      link.send({ kind: 'heartbeat', vitals });
      this.#handover?.felt(vitals);
      if (this.#willingness.look(vitals)) this.#onWillingness(link);
    };
    this.#willingness.forget();
    const cards = this.#parts.wakeAddresses?.(link.remote);
    void cards?.then((by) => by.length > 0 && link.send({ kind: 'wakeable', by }));
    this.#joined = { link, heartbeat: new Heartbeat({ clock, link, pace: message, beat }) };
    if (this.#leaving) link.send({ kind: 'leaving' });
    this.#attempts.attach(link, resume);
    this.#parts.peers?.peers.ban(message.peers ? null : 'the dispatcher wants no peer-to-peer traffic');
    this.#handover?.joined(link, message.peers);
    this.#staging.attach(link);
    this.#renewal.attach(link);
    this.#endIfIdle();
  }

  #onGranted(entries: Extract<DispatcherMessage, { kind: 'granted' }>['entries']): void {
    if (this.#handover !== null) this.#handover.granted(entries);
    else for (const { taskId, attempt } of entries) this.#attempts.giveBack({ taskId, attempt });
  }

  #onDrain(draining: boolean): void {
    this.#draining = draining;
    if (this.#handover !== null) this.#handover.drain(draining);
    else if (draining) this.#attempts.giveBackAll();
  }

  /** Why a task of a peer is not taken now. */
  #unwilling(): string | null {
    if (this.#leaving) return 'It is about to stop.';
    if (this.#draining) return 'It is draining.';
    const { why } = this.#willingness;
    if (why !== null) return `It takes no work now: ${why}.`;
    return this.#handover?.isUnwilling === true ? 'It is too hot, or runs on battery.' : null;
  }

  // -------------------------------------------------------------------------------------------------- the end

  #endIfIdle(): void {
    if (!this.#leaving) this.#renewal.look();
    else if (this.#end !== null) this.#farewell.look();
  }

  #finish(end: WorkerEnd): void {
    const resolve = this.#end;
    if (resolve === null) return;
    this.#end = null;
    this.#dialling.stop();
    this.#unlisten();
    this.#farewell.cancel();
    this.#joined?.heartbeat.stop();
    this.#link?.close('the worker stops');
    resolve(end);
  }
}
