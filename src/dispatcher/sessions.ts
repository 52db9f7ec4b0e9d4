/**
 * Links of workers: from the first message to the end, and what is sent over them. What workers say once they have joined
 * is taken in by `hearing.ts`. Nothing is decided here.
 */

import { unreachable } from '../base/assert.ts';
import type { AttemptKey } from '../core/attempt.ts';
import type { RememberedWorker } from '../core/restore.ts';
import type { SchedulerState } from '../core/state.ts';
import type { WorkerDeclaration } from '../core/worker.ts';
import type { BlobStore, OutputStore } from '../ports/files.ts';
import type { DispatcherLink, LinkHandlers } from '../ports/links.ts';
import type { Store } from '../ports/store.ts';
import type { Clock, Log, Timer } from '../ports/time.ts';
import type { DispatcherMessage, WorkerMessage } from '../wire/messages.ts';
import type { Engine } from './engine.ts';
import { LinkFiles } from './files.ts';
import type { Fleet } from './fleet.ts';
import { Hearing } from './hearing.ts';
import type { Introductions } from './introductions.ts';
import type { KeptFiles } from './kept.ts';
import { isCurrent, type ReportingLink, Reports } from './reports.ts';
import type { LiveStdin } from './stdin.ts';
import type { JoinRefusal } from './trust/members.ts';
import type { Turn } from './turn.ts';
import type { WorkerLogs } from './worker-logs.ts';

/** A worker that has not said who it is after this long is hung up on. */
const joinMsMax = 10_000;
/** What a refused worker should wait before it tries again. */
const retryAfterMs = 2000;

interface Session extends ReportingLink {
  /** Who it says it is; set when it joins. */
  joinedAs: string | null;
  /** Set once it is welcome. */
  workerId: string | null;
  /** Why it is to be refused when its link is closed; null = it may come back. */
  dismissal: JoinRefusal | null;
  joinTimer: Timer | null;
}

/** What decides who may join. */
export interface Gate {
  /** Takes a link of a device that is no member yet. */
  stranger(link: DispatcherLink): LinkHandlers<WorkerMessage>;
  /** Why the member with this key may not join any more; null = it may. */
  shutOut(link: DispatcherLink): JoinRefusal | null;
  /** Why this worker may not join; or the worker, by the name it is to have. */
  admit(turn: Turn, link: DispatcherLink, worker: WorkerDeclaration): JoinRefusal | WorkerDeclaration;
  /** A worker that was let pass cannot join all the same. */
  refused(link: DispatcherLink, workerId: string, refusal: JoinRefusal): void;
  /** A worker is in. */
  welcomed(link: DispatcherLink): void;
}

interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  readonly gate: () => Gate;
  readonly outputs: OutputStore;
  readonly blobs: BlobStore;
  readonly store: Pick<Store, 'task' | 'kept'>;
  readonly kept: () => KeptFiles;
  /** 16 hex digits. */
  readonly clusterId: string;
  /** What workers are told of each other; null = no peer-to-peer traffic. */
  readonly introductions: () => Introductions | null;
  readonly engine: () => Engine;
  readonly stdin: LiveStdin;
  readonly logs: () => WorkerLogs;
  /** Null: workers are not updated from here. */
  readonly fleet: () => Fleet | null;
  readonly heartbeatMs: number;
  readonly silenceMs: number;
  remembered(workerId: string): RememberedWorker | null;
  onOutput(taskId: string): void;
}

export class Sessions {
  readonly #parts: Parts;
  readonly #reports: Reports;
  readonly #hearing: Hearing;
  readonly #sessions = new Map<number, Session>();
  #next = 1;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#reports = new Reports({ ...parts, put: (link, handle) => this.#put(handle, link) });
    this.#hearing = new Hearing({ ...parts, reports: this.#reports });
  }

  /** A link that was authenticated, by whatever. */
  accept(link: DispatcherLink): LinkHandlers<WorkerMessage> {
    const { clock, blobs, gate, kept } = this.#parts;
    const { by } = link.admission;
    if (by === 'invite' || by === 'nothing') return gate().stranger(link);
    const bring = (blob: string) => (kept().sizeOf(blob) === null ? null : kept().bring(blob, null));
    const files = new LinkFiles({ clock, blobs, link, bring });
    const open = { joinedAs: null, workerId: null, joinTimer: null, dismissal: null };
    const session: Session = { number: this.#next, link, files, heldBack: new Map(), ...open };
    this.#next += 1;
    this.#sessions.set(session.number, session);
    session.joinTimer = clock.after(joinMsMax, () => link.close('it did not join in time'));
    return {
      onMessage: (message, done) =>
        this.#put((turn) => {
          this.#onMessage(turn, session, message);
          done?.();
        }, session),
      onDrain: () => files.drained(),
      onEnd: () => this.#onEnd(session),
    };
  }

  /** Sends what the turn gathered; called once everything is saved. */
  deliver(turn: Turn): void {
    for (const effect of turn.toSessions) {
      const session = this.#sessions.get(effect.session);
      if (session === undefined) continue;
      switch (effect.kind) {
        case 'welcome':
          session.workerId = effect.workerId;
          session.link.send(this.#welcome(turn, effect.workerId, effect.resume));
          for (const key of effect.resume) {
            if (turn.state.tasks.get(key.taskId)?.phase === 'started') this.#parts.stdin.started(key);
          }
          this.#parts.gate().welcomed(session.link);
          this.#parts.introductions()?.welcomed(turn.state, effect.workerId, session.link);
          break;
        case 'refuse':
          this.#parts.gate().refused(session.link, session.joinedAs ?? '', effect);
          this.#refuse(session.link, effect);
          break;
        case 'replaceSession':
          if (session.dismissal !== null) this.#refuse(session.link, session.dismissal);
          session.link.close('another link of this worker took over, or it was silent for too long');
          break;
        default:
          unreachable(effect);
      }
    }
    for (const [workerId, messages] of turn.outgoing) {
      const link = this.#linkOf(turn.state, workerId);
      if (link === null) continue;
      for (const outgoing of messages) {
        const message = currentOf(turn, workerId, outgoing);
        if (message === null) continue;
        const first = this.#parts.introductions()?.before(turn.state, workerId, message) ?? null;
        if (first !== null) link.send(first);
        link.send(message);
      }
    }
  }

  /** Sends outside a turn: only what needs no saving. False when the worker has no link. */
  send(state: SchedulerState, workerId: string, message: DispatcherMessage): boolean {
    const link = this.#linkOf(state, workerId);
    link?.send(message);
    return link !== null;
  }

  /** The files of a worker's link; null when it has none. */
  filesOf(state: SchedulerState, workerId: string): LinkFiles | null {
    const session = this.#sessions.get(state.workers.get(workerId)?.session ?? -1);
    return session?.workerId === workerId ? session.files : null;
  }

  /** Tells every worker the same. */
  broadcast(message: DispatcherMessage): void {
    for (const { link } of this.#sessions.values()) link.send(message);
  }

  /** Links of workers that have joined. */
  *joined(): Iterable<DispatcherLink> {
    for (const { link, workerId } of this.#sessions.values()) if (workerId !== null) yield link;
  }

  /** When the link of this worker is closed next, it is told that it is refused, and why. */
  dismiss(state: SchedulerState, workerId: string, refusal: JoinRefusal): void {
    const session = this.#sessions.get(state.workers.get(workerId)?.session ?? -1);
    if (session !== undefined) session.dismissal = refusal;
  }

  /** What a lost attempt has written so far is all there will be of it; of one that was taken back nothing is kept. */
  closeOutputs(turn: Turn): void {
    this.#reports.closeOutputs(turn);
  }

  /** Hangs up on everybody. */
  closeAll(detail: string): void {
    for (const { link } of this.#sessions.values()) link.close(detail);
  }

  #put(handle: (turn: Turn) => void, session: ReportingLink): void {
    this.#parts.engine().put({
      handle,
      abort: (error) => {
        const code = error.code === 'shutting_down' ? 'shutting_down' : 'storage_unavailable';
        this.#refuse(session.link, { code, detail: error.message });
      },
    });
  }

  #refuse(link: DispatcherLink, { code, detail }: JoinRefusal): void {
    this.#parts.engine().tally.joinsRefused[code] += 1;
    link.send({ kind: 'refused', code, detail, retryAfterMs });
    link.close(detail);
  }

  #linkOf(state: SchedulerState, workerId: string): DispatcherLink | null {
    const number = state.workers.get(workerId)?.session ?? null;
    return number === null ? null : (this.#sessions.get(number)?.link ?? null);
  }

  #welcome(turn: Turn, workerId: string, resume: readonly AttemptKey[]): DispatcherMessage {
    const { outputs, heartbeatMs, silenceMs, clusterId, introductions } = this.#parts;
    return {
      kind: 'welcome',
      name: turn.state.workers.get(workerId)?.name ?? workerId,
      heartbeatMs,
      silenceMs,
      resume: resume.map(({ taskId, attempt }) => ({
        taskId,
        attempt,
        stdout: outputs.size(taskId, attempt, 'stdout'),
        stderr: outputs.size(taskId, attempt, 'stderr'),
      })),
      clusterId,
      peers: introductions() !== null,
    };
  }

  #onMessage(turn: Turn, session: Session, message: WorkerMessage): void {
    const { workerId, number } = session;
    if (message.kind === 'join') this.#onJoin(turn, session, message);
    else if (message.kind === 'enroll') this.#onEnrol(turn, session);
    else if (workerId !== null && turn.state.workers.get(workerId)?.session === number)
      this.#hearing.take(turn, { session, workerId }, message);
  }

  /** A member that asks to be let in need not ask; or is told why it would not be. */
  #onEnrol(turn: Turn, { link }: Session): void {
    const refusal = this.#parts.gate().shutOut(link);
    if (refusal === null) link.close('a member has nothing to ask for');
    else turn.afterwards(() => this.#refuse(link, refusal));
  }

  #onJoin(turn: Turn, session: Session, message: Extract<WorkerMessage, { kind: 'join' }>): void {
    session.joinTimer?.cancel();
    if (session.joinedAs !== null) {
      session.link.close('it joined twice on one link');
      return;
    }
    const { worker, held } = message;
    const admitted = this.#parts.gate().admit(turn, session.link, worker);
    if ('code' in admitted) {
      turn.afterwards(() => this.#refuse(session.link, admitted));
      return;
    }
    session.joinedAs = worker.id;
    const record = this.#parts.remembered(worker.id);
    turn.apply({
      kind: 'workerJoined',
      session: session.number,
      address: session.link.remote,
      publicKey: session.link.remoteKey,
      declaration: admitted,
      held,
      remembered: record === null ? null : { draining: record.draining, firstSeenAt: record.firstSeenAt },
    });
    this.#parts.fleet()?.joined(worker.id);
  }

  #onEnd(session: Session): void {
    session.joinTimer?.cancel();
    session.files.close();
    this.#parts.introductions()?.left(session.link);
    this.#sessions.delete(session.number);
    if (session.workerId !== null) {
      this.#parts.logs().left(session.workerId);
      this.#parts.fleet()?.left(session.workerId);
    }
    this.#parts.engine().put({
      handle: (turn) => {
        // Not `workerId`: it may have joined in this very turn.
        const { joinedAs: workerId, number } = session;
        if (workerId !== null) turn.apply({ kind: 'workerDisconnected', workerId, session: number });
      },
      abort: () => undefined,
    });
  }
}

/**
 * The message without attempts that this very turn took back: its worker came and went within it, and what was meant for
 * the link before would be begun on this one. Null = nothing is left.
 */
function currentOf(turn: Turn, workerId: string, message: DispatcherMessage): DispatcherMessage | null {
  const stays = (key: AttemptKey): boolean => isCurrent(turn, workerId, key);
  if (message.kind === 'assign') {
    const attempts = message.attempts.filter(stays);
    return attempts.length === 0 ? null : { kind: 'assign', attempts };
  }
  if (message.kind !== 'granted') return message;
  const entries = message.entries.filter(stays);
  return entries.length === 0 ? null : { kind: 'granted', entries };
}
