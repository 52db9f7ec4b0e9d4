/**
 * What a live task has of people: who feeds it, how large their terminal is, and whether they are still there. Joins the
 * two that know (`stdin.ts`, `attendance.ts`) to the tasks they are about.
 * Deliberately not here: output, which is read whoever is there.
 */

import { OctasklyError } from '../base/errors.ts';
import type { SchedulerState } from '../core/state.ts';
import { isFed, type TerminalSize } from '../core/task.ts';
import type { Clock } from '../ports/time.ts';
import type { DispatcherMessage } from '../wire/messages.ts';
import { Attendance } from './attendance.ts';
import { LiveStdin, type StdinChunk } from './stdin.ts';

interface Parts {
  readonly clock: Clock;
  state(): SchedulerState;
  /** The task is on record, if only as one that has ended. */
  isKnown(taskId: string): boolean;
  send(workerId: string, message: DispatcherMessage): void;
  /** Nobody is there any more for whom they run. */
  abandoned(taskIds: readonly string[]): void;
}

export class Interaction {
  /** For reports of workers on what was taken. */
  readonly stdin: LiveStdin;
  readonly #parts: Parts;
  readonly #attendance: Attendance;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#attendance = new Attendance(parts.clock, (taskIds) => parts.abandoned(taskIds));
    this.stdin = new LiveStdin({
      clock: parts.clock,
      send: (taskId, message) => {
        const workerId = parts.state().tasks.get(taskId)?.workerId ?? null;
        if (workerId !== null) parts.send(workerId, message);
      },
      running: (taskId) => {
        const task = parts.state().tasks.get(taskId);
        return task?.phase === 'started' ? { taskId, attempt: task.attempt } : null;
      },
    });
  }

  /** A task was taken in, or loaded: from here on whoever feeds or follows it is waited for. */
  expect(taskId: string): void {
    const spec = this.#parts.state().tasks.get(taskId)?.spec;
    if (spec === undefined) return;
    if (isFed(spec.stdin)) this.stdin.expect(taskId);
    if (spec.attached === true) this.#attendance.expect(taskId, spec.batchId ?? taskId);
  }

  /** As `Backend.writeStdin`. */
  async write(taskId: string, chunk: StdinChunk): Promise<void> {
    if (!isFed(this.#stdinOf(taskId, 'reads no more input'))) {
      throw new OctasklyError('conflict', `Task ${taskId} was not submitted with "stdin": {"stream": true}.`);
    }
    await this.stdin.write(taskId, chunk);
  }

  /** As `Backend.resize`. */
  resize(taskId: string, size: TerminalSize): void {
    if (this.#stdinOf(taskId, 'has no terminal any more').kind !== 'terminal') {
      throw new OctasklyError('conflict', `Task ${taskId} was not submitted with "terminal": it has none to resize.`);
    }
    this.stdin.resize(taskId, size);
  }

  /** As `Backend.attend`. */
  async attend(taskId: string, signal: AbortSignal): Promise<boolean> {
    if (!this.#parts.isKnown(taskId)) throw new OctasklyError('not_found', `There is no task ${taskId}.`);
    return await this.#attendance.hold(taskId, signal);
  }

  /** As `Backend.keepAttended`. */
  keepAttended(ids: readonly string[], forMs: number): boolean {
    return ids.map((id) => this.#attendance.renew(id, forMs)).includes(true);
  }

  ended(taskId: string): void {
    this.stdin.ended(taskId);
    this.#attendance.ended(taskId);
  }

  endAll(): void {
    this.stdin.endAll();
    this.#attendance.endAll();
  }

  /** The input of a live task. Errors: `not_found`; `conflict` with `lack` for one that has ended. */
  #stdinOf(taskId: string, lack: string) {
    const task = this.#parts.state().tasks.get(taskId);
    if (task !== undefined) return task.spec.stdin;
    if (!this.#parts.isKnown(taskId)) throw new OctasklyError('not_found', `There is no task ${taskId}.`);
    throw new OctasklyError('conflict', `Task ${taskId} has ended and ${lack}.`);
  }
}
