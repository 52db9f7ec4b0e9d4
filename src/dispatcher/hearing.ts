/**
 * What workers say once they have joined, as facts for the scheduler, or handed to whoever waits for it: output, files,
 * logs, updates. Nothing is decided here. Reports of attempts are taken in by `reports.ts`; links are kept, and workers let
 * in, by `sessions.ts`.
 */

import { unreachable } from '../base/assert.ts';
import type { AttemptKey } from '../core/attempt.ts';
import type { OutputStore } from '../ports/files.ts';
import type { Store } from '../ports/store.ts';
import type { WorkerMessage } from '../wire/messages.ts';
import { takeAdopted } from './adoption.ts';
import type { Fleet } from './fleet.ts';
import type { Introductions } from './introductions.ts';
import type { KeptFiles } from './kept.ts';
import { isCurrent, type ReportingLink, type Reports } from './reports.ts';
import type { LiveStdin } from './stdin.ts';
import type { Fact, Turn } from './turn.ts';
import type { WorkerLogs } from './worker-logs.ts';

/** What only a worker that has joined may say. */
export type JoinedMessage = Exclude<WorkerMessage, { kind: 'join' | 'enroll' }>;

interface Joined {
  readonly session: ReportingLink;
  readonly workerId: string;
}

interface Parts {
  readonly reports: Reports;
  readonly outputs: OutputStore;
  readonly store: Pick<Store, 'task'>;
  readonly kept: () => KeptFiles;
  /** What workers are told of each other; null = no peer-to-peer traffic. */
  readonly introductions: () => Introductions | null;
  readonly stdin: LiveStdin;
  readonly logs: () => WorkerLogs;
  /** Null: workers are not updated from here. */
  readonly fleet: () => Fleet | null;
  onOutput(taskId: string): void;
}

export class Hearing {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Takes in a message that came over the link by which its worker has joined. */
  take(turn: Turn, { session, workerId }: Joined, message: JoinedMessage): void {
    const from = { workerId, session: session.number };
    switch (message.kind) {
      case 'heartbeat':
        turn.apply({ kind: 'workerHeard', ...from, vitals: message.vitals });
        turn.send(workerId, { kind: 'alive' });
        return;
      case 'report':
        this.#parts.introductions()?.reported(turn.state, workerId, message.entries);
        this.#parts.reports.take(turn, session, message.entries);
        return;
      case 'output': {
        turn.apply({ kind: 'workerHeard', ...from, vitals: null });
        if (!isCurrent(turn, workerId, message)) return;
        const { taskId, attempt, stream, offset, data } = message;
        if (!this.#parts.outputs.append(taskId, attempt, stream, offset, data))
          this.#parts.reports.gap(session, message);
        else this.#parts.onOutput(taskId);
        return;
      }
      case 'stdinTaken':
        turn.apply({ kind: 'workerHeard', ...from, vitals: null });
        if (isCurrent(turn, workerId, message)) this.#parts.stdin.taken(message);
        return;
      case 'blobWanted':
      case 'blobData':
      case 'blobRefused':
        turn.apply({ kind: 'workerHeard', ...from, vitals: null });
        session.files.take(message);
        return;
      case 'handedOver':
        turn.apply({ kind: 'workerHandedOver', ...from, entries: message.entries });
        return;
      case 'adopted':
        takeAdopted(turn, this.#parts.store, { ...from, tasks: message.tasks });
        return;
      case 'kept':
        turn.afterwards(() => this.#onKept(turn, workerId, message.attempts));
        return;
      case 'logLines':
        turn.apply({ kind: 'workerHeard', ...from, vitals: null });
        this.#parts.logs().answered(workerId, message);
        return;
      case 'updating':
        turn.apply({ kind: 'workerHeard', ...from, vitals: null });
        this.#parts.fleet()?.reported(workerId, message);
        return;
      case 'leaving':
        turn.afterwards(() => this.#parts.kept().relieve(workerId));
        turn.apply(stateFact(message, from));
        return;
      case 'resting':
      case 'wakeable':
      case 'goodbye':
        turn.apply(stateFact(message, from));
        return;
      default:
        unreachable(message);
    }
  }

  #onKept(turn: Turn, workerId: string, attempts: readonly AttemptKey[]): void {
    this.#parts.kept().settle(workerId, attempts);
    const worker = turn.state.workers.get(workerId);
    if (worker?.draining || worker?.leaving) this.#parts.kept().relieve(workerId);
  }
}

/** What a worker says of itself, as a fact. */
function stateFact(
  message: Extract<WorkerMessage, { kind: 'leaving' | 'resting' | 'wakeable' | 'goodbye' }>,
  from: { readonly workerId: string; readonly session: number },
): Fact {
  switch (message.kind) {
    case 'leaving':
      return { kind: 'workerLeaving', ...from };
    case 'resting':
      return { kind: 'workerRests', ...from, why: message.why };
    case 'wakeable':
      return { kind: 'workerWakeable', ...from, by: message.by };
    case 'goodbye':
      return { kind: 'workerLeft', ...from };
    default:
      return unreachable(message);
  }
}
