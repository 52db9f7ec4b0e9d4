/**
 * What workers report of attempts, as facts for the scheduler and changes to store: starts, ends with their output and
 * files, returns. Nothing is decided here.
 *
 * An end that has files, unless they stay with the worker, is held back until they are here: it costs one entry for each
 * attempt the worker was given, and reports of other attempts pass it. When the link breaks before, it is forgotten: the
 * worker reports again.
 */

import type { AttemptKey, ReportEntry } from '../core/attempt.ts';
import { problemsMax } from '../core/files.ts';
import type { OutputStore } from '../ports/files.ts';
import type { DispatcherLink } from '../ports/links.ts';
import type { Store } from '../ports/store.ts';
import type { Log } from '../ports/time.ts';
import type { LinkFiles } from './files.ts';
import type { KeptFiles } from './kept.ts';
import type { LiveStdin } from './stdin.ts';
import type { Turn } from './turn.ts';

type EndedEntry = Extract<ReportEntry, { kind: 'ended' }>;

/** A worker's link, as far as reports come by it. */
export interface ReportingLink {
  readonly number: number;
  readonly link: DispatcherLink;
  readonly files: LinkFiles;
  /** Attempts whose end waits for its files, with the instant (steady clock, ms) at which word of it came. */
  readonly heldBack: Map<string, number>;
  /** Set once it is welcome. */
  workerId: string | null;
}

interface Parts {
  readonly log: Log;
  readonly outputs: OutputStore;
  readonly stdin: LiveStdin;
  readonly store: Pick<Store, 'kept'>;
  readonly kept: () => Pick<KeptFiles, 'settle'>;
  onOutput(taskId: string): void;
  /** Has `handle` take part in a later turn; the link is refused when that cannot be stored. */
  put(link: ReportingLink, handle: (turn: Turn) => void): void;
}

export class Reports {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Takes in a report that came by `session`, whose worker is welcome. */
  take(turn: Turn, session: ReportingLink, entries: readonly ReportEntry[]): void {
    const { workerId } = session;
    if (workerId === null) return;
    this.#onReport(turn, session, {
      ...{ workerId, heardAt: turn.at },
      entries: this.#holdBack(turn, session, entries),
    });
  }

  /** The entries that are taken in now: ends with files come later, of them only that they were started is known. */
  #holdBack(turn: Turn, session: ReportingLink, entries: readonly ReportEntry[]): readonly ReportEntry[] {
    const { workerId } = session;
    if (workerId === null || !entries.some((entry) => entry.kind === 'ended' && entry.outputs.length > 0))
      return entries;
    return entries.map((entry): ReportEntry => {
      if (entry.kind !== 'ended' || entry.outputs.length === 0 || !isCurrent(turn, workerId, entry)) return entry;
      if (mayStay(turn, workerId, entry)) return entry;
      const { taskId, attempt, startedAt } = entry;
      const key = `${taskId}.${attempt}`;
      if (!session.heldBack.has(key)) {
        session.heldBack.set(key, turn.at);
        this.#pull(session, workerId, entry);
      }
      return { kind: 'started', taskId, attempt, startedAt };
    });
  }

  /** Takes the end in once its files are here. */
  #pull(session: ReportingLink, workerId: string, entry: EndedEntry): void {
    const { put } = this.#parts;
    session.files.pull(entry.outputs).then(
      ({ files, problems }) => {
        put(session, (turn) => {
          if (turn.state.workers.get(workerId)?.session !== session.number) return;
          // Clearing away old tasks may have deleted what was here already.
          if (isCurrent(turn, workerId, entry) && !files.every((file) => session.files.has(file))) {
            this.#pull(session, workerId, entry);
            return;
          }
          const key = `${entry.taskId}.${entry.attempt}`;
          const heardAt = session.heldBack.get(key) ?? turn.at;
          session.heldBack.delete(key);
          const outputProblems = [...entry.outputProblems, ...problems].slice(0, problemsMax);
          const { outputsStay, ...brought } = entry;
          const entries = [{ ...brought, outputs: files, outputProblems }];
          this.#onReport(turn, session, { workerId, entries, heardAt });
          if (outputsStay) this.#settle(turn, workerId, entry);
        });
      },
      (error: unknown) => {
        put(session, () => {
          throw error;
        });
      },
    );
  }

  #onReport(
    turn: Turn,
    session: ReportingLink,
    { workerId, entries, heardAt }: { workerId: string; entries: readonly ReportEntry[]; heardAt: number },
  ): void {
    const seen = new Set<string>();
    for (const entry of entries) {
      noteLaunch(turn, workerId, entry);
      if (entry.kind !== 'ended') continue;
      if (isCurrent(turn, workerId, entry) && !seen.has(entry.taskId)) {
        seen.add(entry.taskId);
        turn.news.endsHeardAt.push(heardAt);
        if (!this.#finishOutput(turn, entry)) {
          this.gap(session, entry);
          return;
        }
        this.#finishFiles(turn, workerId, entry);
      }
      if (entry.outputsStay) this.#settle(turn, workerId, entry);
    }
    turn.apply({ kind: 'workerReported', workerId, session: session.number, entries });
    for (const entry of entries) {
      const { taskId, attempt } = entry;
      if (entry.kind === 'ended') turn.sendKey(workerId, 'ack', { taskId, attempt });
      if (entry.kind === 'returned') continue;
      turn.afterwards(() => this.#parts.onOutput(taskId));
      if (entry.kind === 'started') turn.afterwards(() => this.#parts.stdin.started({ taskId, attempt }));
    }
  }

  /** Puts an ended attempt's output together; false when bytes are missing in between. */
  #finishOutput(turn: Turn, entry: EndedEntry): boolean {
    const { outputs } = this.#parts;
    const { taskId, attempt, usage } = entry;
    for (const stream of ['stdout', 'stderr'] as const) {
      const total = stream === 'stdout' ? usage.stdoutBytes : usage.stderrBytes;
      const rest = entry[stream];
      if (total === 0) continue;
      if (rest.length > 0 && !outputs.append(taskId, attempt, stream, total - rest.length, rest)) return false;
      if (outputs.size(taskId, attempt, stream) !== total) return false;
    }
    if (usage.stdoutBytes === 0 && usage.stderrBytes === 0 && attempt === 1) return true;
    turn.change({ kind: 'output', taskId, ...outputs.finish(taskId, attempt) });
    return true;
  }

  /** Files of an ended attempt take the place of those an earlier one left. */
  #finishFiles(turn: Turn, workerId: string, entry: EndedEntry): void {
    const { taskId, attempt, outputs: files, outputProblems: problems, outputsStay } = entry;
    const asked = turn.state.tasks.get(taskId)?.spec.outputs.length ?? 0;
    if (asked === 0) return;
    if (attempt > 1) this.#replaced(turn, { taskId, attempt });
    turn.change({ kind: 'outputs', taskId, files, problems, ...(outputsStay ? { keptAt: workerId } : {}) });
  }

  /** Workers that keep what an earlier attempt left need not, once this is stored. */
  #replaced(turn: Turn, { taskId, attempt }: AttemptKey): void {
    const keepers = new Set(this.#parts.store.kept({ taskId }).map(({ workerId }) => workerId));
    for (const keeper of keepers) this.#settle(turn, keeper, { taskId, attempt: attempt - 1 });
  }

  #settle(turn: Turn, workerId: string, { taskId, attempt }: AttemptKey): void {
    turn.afterwards(() => this.#parts.kept().settle(workerId, [{ taskId, attempt }]));
  }

  /** What a lost attempt has written so far is all there will be of it; of one that was taken back nothing is kept. */
  closeOutputs(turn: Turn): void {
    const { outputs } = this.#parts;
    for (const { taskId, attempt } of turn.lost) {
      turn.change({ kind: 'output', taskId, ...outputs.finish(taskId, attempt) });
      if (attempt === 1) continue;
      this.#replaced(turn, { taskId, attempt });
      turn.change({ kind: 'outputs', taskId, files: [], problems: [] });
    }
    for (const { taskId, attempt } of turn.over) outputs.discard(taskId, attempt);
  }

  /** Output is missing in the middle: the worker must come back and be told where to go on. */
  gap(session: ReportingLink, { taskId, attempt }: AttemptKey): void {
    this.#parts.log.warn('output of an attempt has a gap', { task: taskId, attempt, from: session.link.remote });
    session.link.close(`output of task ${taskId} has a gap`);
  }
}

/** The files of this end may stay where they are: the task asks for it, and the worker is not about to go. */
function mayStay(turn: Turn, workerId: string, { taskId, outputsStay }: EndedEntry): boolean {
  const worker = turn.state.workers.get(workerId);
  if (outputsStay !== true || worker === undefined || worker.draining || worker.leaving) return false;
  return turn.state.tasks.get(taskId)?.spec.outputsAt === 'worker';
}

/** The attempt is the one the worker was given last for that task. */
export function isCurrent(turn: Turn, workerId: string, { taskId, attempt }: AttemptKey): boolean {
  return turn.state.workers.get(workerId)?.assigned.get(taskId)?.task.attempt === attempt;
}

/**
 * The first word of an attempt's start: how long it took from its placement. Where start and end come in one report, the
 * time it ran is taken off, by the worker's own clock.
 */
function noteLaunch(turn: Turn, workerId: string, entry: ReportEntry): void {
  const assigned = turn.state.workers.get(workerId)?.assigned.get(entry.taskId);
  if (assigned === undefined || assigned.task.attempt !== entry.attempt) return;
  if (entry.kind === 'returned' || assigned.task.phase !== 'assigned') return;
  if (entry.kind === 'ended' && entry.outcome.kind === 'spawn_failed') return;
  const ranMs = entry.kind === 'ended' ? entry.usage.durationMs : 0;
  turn.news.launchesMs.push(turn.at - assigned.assignedAt - ranMs);
}
