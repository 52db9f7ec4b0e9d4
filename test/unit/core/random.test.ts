/**
 * Random lives of a scheduler, each from a seed: whatever happens, and in whatever order, the invariants hold after every
 * step, time alone never keeps it busy, and in the end every task that was handed in reaches a final state.
 */

import { expect, test } from 'bun:test';
import type { HeldAttempt, ReportEntry } from '../../../src/core/attempt.ts';
import type { SchedulerEvent } from '../../../src/core/events.ts';
import { nextId } from '../../../src/core/ids.ts';
import { violations } from '../../../src/core/invariants.ts';
import { restore } from '../../../src/core/restore.ts';
import { nextDeadline, step } from '../../../src/core/scheduler.ts';
import { emptyState, type SchedulerState } from '../../../src/core/state.ts';
import type { AttemptOutcome, Task } from '../../../src/core/task.ts';
import type { Worker } from '../../../src/core/worker.ts';
import { declaration, type Fact, noonWall, requirement, spec, usage } from './samples.ts';
import { type Draw, pick, seeded } from './seeded.ts';

const policy = { workersMax: 4, queueMax: 1000, silenceMs: 60_000 };
const workerIds = ['w1', 'w2', 'w3', 'w4', 'w5'];
const nothing = new Uint8Array(0);

class Life {
  state: SchedulerState = emptyState(policy);
  submitted = 0;
  staleReports = 0;
  #at = 0;
  #lastId = '';
  #session = 0;
  readonly #draw: Draw;

  constructor(draw: Draw) {
    this.#draw = draw;
  }

  happen(fact: Fact): void {
    step(this.state, { ...fact, at: this.#at, wall: noonWall + this.#at } as SchedulerEvent);
    const broken = violations(this.state);
    if (broken.length > 0) throw new Error(`${fact.kind}: ${broken.join('; ')}`);
  }

  /** Lets time pass from deadline to deadline; each must bring something, or the next is later. */
  advance(byMs: number): void {
    const until = this.#at + byMs;
    for (let wakes = 0; ; wakes++) {
      const due = nextDeadline(this.state, this.#at);
      if (due > until) break;
      expect(wakes).toBeLessThan(2000);
      this.#at = Math.max(this.#at, due);
      this.happen({ kind: 'timePassed', lateMs: 0 });
    }
    this.#at = until;
  }

  submit(): void {
    const draw = this.#draw;
    const live = [...this.state.tasks.keys()];
    const tasks = Array.from({ length: 1 + draw(4) }, () => {
      this.#lastId = nextId(this.#lastId, noonWall + this.#at);
      const dependsOn = live.length > 0 && draw(4) === 0 ? [...new Set([pick(draw, live), pick(draw, live)])] : [];
      live.push(this.#lastId);
      this.submitted += 1;
      return {
        id: this.#lastId,
        spec: spec({
          dependsOn,
          onDependencyFailure: pick(draw, ['cancel', 'run']),
          priority: pick(draw, [-50, 0, 0, 0, 50]),
          retryCount: draw(3),
          retryDelayMs: draw(3) * 5000,
          requires: requirement({
            cpuCores: pick(draw, [0, 0, 0, 0.5, 1, 3]),
            memoryMb: pick(draw, [0, 0, 100]),
            labels: draw(6) === 0 ? { disk: 'fast' } : {},
          }),
        }),
        ended: new Map(),
      };
    });
    this.happen({ kind: 'tasksSubmitted', tasks });
  }

  join(id: string, process: string, held: readonly HeldAttempt[]): void {
    this.#session += 1;
    const number = workerIds.indexOf(id);
    const labels: Record<string, string> = number < 2 ? { disk: 'fast' } : {};
    this.happen({
      kind: 'workerJoined',
      session: this.#session,
      address: '192.0.2.1:1',
      publicKey: id,
      declaration: declaration(id, { slots: 1 + (number % 3), cpuCores: 3, memoryMb: 300, labels, processId: process }),
      held,
      remembered: null,
    });
  }

  /** Joins again with all, some or none of what the worker was given, and with something of somebody else's. */
  rejoin(): void {
    const draw = this.#draw;
    const id = pick(draw, workerIds);
    const before = this.state.workers.get(id);
    if (before === undefined || draw(3) === 0) {
      this.join(id, `${id}-${draw(1000)}`, []);
      return;
    }
    const held = [...before.assigned.values()]
      .filter(() => draw(4) > 0)
      .map(({ task }): HeldAttempt => {
        const phase =
          task.phase === 'started'
            ? pick(draw, ['running', 'ended'] as const)
            : pick(draw, ['waiting', 'running'] as const);
        return { taskId: task.id, attempt: task.attempt - (draw(12) === 0 ? 1 : 0), phase };
      });
    this.join(id, before.declaration.processId, held);
  }

  report(worker: Worker): void {
    const draw = this.#draw;
    const entries: ReportEntry[] = [];
    for (const { task } of worker.assigned.values()) {
      const attempt = task.attempt - (draw(20) === 0 ? 1 : 0);
      const key = { taskId: task.id, attempt };
      const chance = draw(6);
      if (chance === 0) entries.push({ kind: 'started', ...key, startedAt: 0 });
      if (chance === 1) entries.push({ kind: 'returned', ...key });
      if (chance > 1 && chance < 4) entries.push(this.#ended(key));
    }
    const session = worker.session ?? 0;
    this.happen({ kind: 'workerReported', workerId: worker.id, session, entries });
  }

  #ended(key: { taskId: string; attempt: number }): ReportEntry {
    const outcomes: readonly AttemptOutcome[] = [
      { kind: 'exited', exitCode: 0 },
      { kind: 'exited', exitCode: 1 },
      { kind: 'signaled', signal: 'SIGKILL' },
      { kind: 'lost', why: 'stopped' },
      { kind: 'cancelled' },
    ];
    const measured = usage({ durationMs: pick(this.#draw, [1, 100, 5000]) });
    const outcome = pick(this.#draw, outcomes);
    return {
      kind: 'ended',
      ...key,
      startedAt: 0,
      outcome,
      usage: measured,
      stdout: nothing,
      stderr: nothing,
      outputs: [],
      outputProblems: [],
    };
  }

  /** The dispatcher is killed and starts again with what it saved: everything it did, since each step is saved. */
  restart(): void {
    const tasks = [...this.state.tasks.values()].map((task): Task => {
      const notBefore = task.notBefore === null ? null : noonWall + task.notBefore;
      return { ...task, notBefore, waitingFor: new Set(task.waitingFor) };
    });
    const { counts, paused, staleReports } = this.state;
    this.staleReports += staleReports;
    const saved = { tasks, workers: [...this.state.workers.values()], counts, paused };
    this.state = restore(policy, saved, { at: this.#at, wall: noonWall + this.#at });
    expect(violations(this.state)).toEqual([]);
  }

  once(): void {
    const draw = this.#draw;
    const workers = [...this.state.workers.values()];
    const worker = workers.length === 0 ? undefined : pick(draw, workers);
    const from = { workerId: worker?.id ?? 'w1', session: worker?.session ?? 0 };
    const chance = draw(100);
    if (chance < 25) this.submit();
    else if (chance < 60 && worker !== undefined) this.report(worker);
    else if (chance < 72) this.rejoin();
    else if (chance < 74) this.happen({ kind: 'workerDisconnected', ...from });
    else if (chance < 75) this.happen({ kind: 'workerLeaving', ...from });
    else if (chance < 76) this.happen({ kind: 'workerLeft', ...from });
    else if (chance < 79) this.happen({ kind: 'workerRests', ...from, why: draw(2) === 0 ? 'it is in use' : null });
    else if (chance < 83) this.happen({ kind: 'drainRequested', workerId: from.workerId, draining: draw(4) === 0 });
    else if (chance < 85) this.happen({ kind: 'pauseRequested', paused: draw(8) === 0 });
    else if (chance < 89) this.#cancelSome();
    else if (chance < 90) this.restart();
    else if (chance < 91) this.happen({ kind: 'timePassed', lateMs: draw(10_000) });
    else this.advance(pick(draw, [1, 100, 5000, 20_000]));
  }

  #cancelSome(): void {
    const taskIds = [...this.state.tasks.keys()].filter(() => this.#draw(40) === 0);
    this.happen({ kind: 'cancelRequested', taskIds, reason: 'cancelled' });
  }

  /** Better times: workers that stay and finish everything they get. */
  finishAll(): void {
    this.happen({ kind: 'pauseRequested', paused: false });
    this.advance(policy.silenceMs);
    for (const id of workerIds.slice(0, policy.workersMax)) {
      this.join(id, 'final', []);
      this.happen({ kind: 'drainRequested', workerId: id, draining: false });
    }
    for (let round = 0; round < 5000 && this.state.tasks.size > 0; round++) {
      for (const worker of [...this.state.workers.values()]) {
        const entries = [...worker.assigned.values()].map(({ task }): ReportEntry => {
          const { id: taskId, attempt } = task;
          const outcome: AttemptOutcome = { kind: 'exited', exitCode: 0 };
          return {
            kind: 'ended',
            taskId,
            attempt,
            startedAt: 0,
            outcome,
            usage: usage(),
            stdout: nothing,
            stderr: nothing,
            outputs: [],
            outputProblems: [],
          };
        });
        this.happen({ kind: 'workerReported', workerId: worker.id, session: worker.session ?? 0, entries });
      }
      this.advance(1000);
    }
  }
}

test.each([1, 2, 3, 4, 5, 6])('step() keeps its invariants whatever happens, and every task ends, seed %p', (seed) => {
  const life = new Life(seeded(seed));
  for (let n = 0; n < 2000; n++) life.once();
  life.finishAll();
  expect([...life.state.tasks.values()]).toEqual([]);
  const { completed, failed, timed_out, cancelled } = life.state.counts;
  expect(completed + failed + timed_out + cancelled).toBe(life.submitted);
  expect(life.staleReports + life.state.staleReports).toBeGreaterThan(0);
  expect(Math.min(completed, failed, cancelled)).toBeGreaterThan(10);
});
