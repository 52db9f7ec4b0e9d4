/**
 * Whether those are still there for whom tasks run. A task submitted with `attached` lives with its follower, alone or with
 * the others of its batch: somebody holds on to it by a request that stays open, again and again, or says from time to time
 * that it is still wanted; when nobody has for `absenceMsMax`, all of it is given up.
 *
 * A follower that is killed loses its connection, which ends its request at once. One whose network or power is gone says
 * nothing: requests are therefore answered after `holdMs`, and a follower that is alive asks again. Who is to be stopped for
 * long (Ctrl-Z) says so before. Shorter breaks and a restart of the dispatcher cost nothing: what was attached is so again
 * when it was loaded, and the time begins anew.
 *
 * Deliberately not here: what giving up means, and who may hold. Invariant: one timer or at least one holder for each group.
 */

import type { Clock, Timer } from '../ports/time.ts';

/** Tasks are given up after this long without a holder. */
export const absenceMsMax = 15_000;
/** A request to hold is answered after this long at the latest. */
export const holdMs = 10_000;

/** Tasks that live and are given up together. */
interface Attended {
  readonly id: string;
  readonly tasks: Set<string>;
  /** Ends the request of each who holds. */
  readonly holders: Set<() => void>;
  patience: Timer | null;
  /** Steady ms until when nobody need hold on. */
  patientUntil: number;
  /** How often that was said. */
  renewals: number;
}

export class Attendance {
  readonly #clock: Clock;
  readonly #giveUp: (taskIds: readonly string[]) => void;
  readonly #byTask = new Map<string, Attended>();
  readonly #groups = new Map<string, Attended>();

  constructor(clock: Clock, giveUp: (taskIds: readonly string[]) => void) {
    this.#clock = clock;
    this.#giveUp = giveUp;
  }

  /** From here on somebody should hold on to the task, or to the group that it is of. */
  expect(taskId: string, groupId = taskId): void {
    let attended = this.#groups.get(groupId);
    if (attended === undefined) {
      attended = { id: groupId, tasks: new Set(), holders: new Set(), patience: null, patientUntil: 0, renewals: 0 };
      this.#groups.set(groupId, attended);
      this.#wait(attended);
    }
    attended.tasks.add(taskId);
    this.#byTask.set(taskId, attended);
  }

  /**
   * Holds on to a task until it ends, `signal` aborts, or `holdMs` are over. Resolves with whether it still needs somebody;
   * at once with false for one that does not. Whoever has held for all of `holdMs` is back from where patience was asked
   * for; a shorter request may be one that was on its way when its sender stopped.
   */
  hold(taskId: string, signal: AbortSignal): Promise<boolean> {
    const attended = this.#byTask.get(taskId);
    if (attended === undefined) return Promise.resolve(false);
    if (signal.aborted) return Promise.resolve(true);
    attended.patience?.cancel();
    const { renewals } = attended;
    return new Promise((resolve) => {
      const letGo = (): void => {
        if (!attended.holders.delete(letGo)) return;
        limit.cancel();
        signal.removeEventListener('abort', letGo);
        const isLive = this.#byTask.get(taskId) === attended;
        if (attended.tasks.size > 0 && attended.holders.size === 0) this.#wait(attended);
        resolve(isLive);
      };
      const limit = this.#clock.after(holdMs, () => {
        if (attended.renewals === renewals) attended.patientUntil = 0;
        letGo();
      });
      attended.holders.add(letGo);
      signal.addEventListener('abort', letGo);
    });
  }

  /** For `forMs`, at least `absenceMsMax`, nobody need hold on to the group. False: it needs nobody. */
  renew(groupId: string, forMs: number): boolean {
    const attended = this.#groups.get(groupId);
    if (attended === undefined) return false;
    attended.patientUntil = this.#clock.steady() + forMs;
    attended.renewals += 1;
    if (attended.holders.size === 0) this.#wait(attended);
    return true;
  }

  /** The task has ended: who holds on to it is let go, with others of its group once all have ended. */
  ended(taskId: string): void {
    const attended = this.#byTask.get(taskId);
    if (attended === undefined) return;
    this.#byTask.delete(taskId);
    attended.tasks.delete(taskId);
    if (attended.tasks.size > 0) return;
    this.#groups.delete(attended.id);
    attended.patience?.cancel();
    for (const letGo of [...attended.holders]) letGo();
  }

  endAll(): void {
    for (const taskId of [...this.#byTask.keys()]) this.ended(taskId);
  }

  #wait(attended: Attended): void {
    attended.patience?.cancel();
    const leftMs = Math.max(absenceMsMax, attended.patientUntil - this.#clock.steady());
    attended.patience = this.#clock.after(leftMs, () => this.#giveUp([...attended.tasks]));
  }
}
