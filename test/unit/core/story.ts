/**
 * A scheduler whose life is told as text: each command line is a fact (or a question), and the answer is what the
 * scheduler asks of its driver. It keeps the books a driver would keep (clock, links, what was saved), checks the
 * invariants after every step, and decides nothing.
 *
 *   policy [workers=N] [silence=S]                 before anything else
 *   submit NAME... [priority= cpus= memory= gpus= label.K=V platform= arch= after=A,B run-anyway retries= delay=]
 *   join W [slots= cpus= memory= gpus= label.K=V platform= arch= process= held=A#1:running,B#2:waiting peers]
 *   started|returned W KEY...                      KEY is a task's name, or NAME#ATTEMPT for another than the present one
 *   ended W KEY [exit=N | signal=S | timeout | spawn-failed | lost] [took=S]
 *   heard|disconnect|leaving|goodbye|kick|drain|undrain W,  cancel NAME...,  pause,  resume,  close
 *   handed-over W KEY... to=V                      adopted W NAME... [cpus= memory= gpus=]
 *   advance S          lets time pass as the driver does: from deadline to deadline
 *   stall S            the driver stands still, then gets to run again
 *   restart            the dispatcher is killed: what was saved is all that is left
 *   tasks | workers | explain NAME | stale
 * S is in seconds. Names of tasks stand for ids, which are given in order.
 */

import { present } from '../../../src/base/assert.ts';
import type { HeldAttempt, ReportEntry } from '../../../src/core/attempt.ts';
import type { Effect, SchedulerEvent } from '../../../src/core/events.ts';
import { explain } from '../../../src/core/explain.ts';
import { nextId } from '../../../src/core/ids.ts';
import { violations } from '../../../src/core/invariants.ts';
import { type RememberedWorker, restore } from '../../../src/core/restore.ts';
import { nextDeadline, step } from '../../../src/core/scheduler.ts';
import { emptyState, type Policy, type SchedulerState } from '../../../src/core/state.ts';
import {
  type AttemptOutcome,
  isFinal,
  priorities,
  type Requirement,
  type Task,
  type TaskStatus,
} from '../../../src/core/task.ts';
import { declaration, type Fact, noonWall, policy, requirement, spec, usage } from './samples.ts';
import { showEffects, showState } from './show.ts';

/** The words of one command line: plain ones, and `key=value` ones. */
interface Line {
  readonly verb: string;
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

/** `advance` stops at more deadlines than this: time alone must not keep the scheduler busy. */
const deadlinesMax = 200;

function parse(text: string): Line {
  const [verb = '', ...rest] = text.trim().split(/\s+/);
  const words: string[] = [];
  const options = new Map<string, string>();
  for (const part of rest) {
    const sign = part.indexOf('=');
    if (sign < 0) words.push(part);
    else options.set(part.slice(0, sign), part.slice(sign + 1));
  }
  return { verb, words, options };
}

function numberIn(line: Line, key: string, otherwise: number): number {
  const text = line.options.get(key);
  return text === undefined ? otherwise : Number(text);
}

function labelsIn(line: Line): Record<string, string> {
  const labels = [...line.options].filter(([key]) => key.startsWith('label.'));
  return Object.fromEntries(labels.map(([key, value]) => [key.slice('label.'.length), value]));
}

function requiresIn(line: Line): Requirement {
  return requirement({
    cpuCores: numberIn(line, 'cpus', 0),
    memoryMb: numberIn(line, 'memory', 0),
    gpu: numberIn(line, 'gpus', 0),
    labels: labelsIn(line),
    platform: line.options.get('platform') ?? null,
    arch: line.options.get('arch') ?? null,
  });
}

function priorityIn(line: Line): number {
  const text = line.options.get('priority') ?? 'normal';
  return text in priorities ? priorities[text as keyof typeof priorities] : Number(text);
}

export class Story {
  state: SchedulerState = emptyState(policy);
  #policy: Policy = policy;
  #at = 0;
  #lastId = '';
  #nextLink = 1;
  readonly #ids = new Map<string, string>();
  readonly #statuses = new Map<string, TaskStatus>();
  readonly #links = new Map<string, number>();
  readonly #savedTasks = new Map<string, Task>();
  readonly #savedWorkers = new Map<string, RememberedWorker>();
  #savedPaused = false;

  /** Does one command and answers with lines; `ok` when nothing was asked for. */
  run(text: string): string[] {
    const line = parse(text);
    const lines = this.#ask(line) ?? this.#happen(line);
    return (lines.length === 0 ? ['ok'] : lines).map((answer) => this.#named(answer));
  }

  /** Puts names of tasks where their ids stand. */
  #named(text: string): string {
    let named = text;
    for (const [name, id] of this.#ids) named = named.replaceAll(id, name);
    return named;
  }

  #wall(): number {
    return noonWall + this.#at;
  }

  #id(name: string): string {
    return present(this.#ids.get(name), `task ${name} of the story`);
  }

  // --------------------------------------------------------------------------------------- questions and time

  #ask(line: Line): string[] | null {
    const [word = ''] = line.words;
    switch (line.verb) {
      case 'policy':
        this.#policy = {
          ...policy,
          workersMax: numberIn(line, 'workers', policy.workersMax),
          silenceMs: numberIn(line, 'silence', policy.silenceMs / 1000) * 1000,
        };
        this.state = emptyState(this.#policy);
        return [];
      case 'tasks':
      case 'workers': {
        const lines = showState(this.state, this.#at, line.verb);
        return lines.length === 0 ? ['none'] : lines;
      }
      case 'explain':
        return this.#explain(this.#id(word));
      case 'stale':
        return [`${this.state.staleReports} stale reports`];
      case 'advance':
        return this.#advance(Number(word) * 1000);
      case 'stall':
        return this.#stall(Number(word) * 1000);
      case 'restart':
        return this.#restart();
      default:
        return null;
    }
  }

  #explain(id: string): string[] {
    const task = this.state.tasks.get(id) ?? present(this.#savedTasks.get(id), `saved task ${id}`);
    const { summary, workers, advice } = explain(this.state, task, { at: this.#at });
    const verdicts = workers.map(({ id: worker, fits, reasons }) => {
      return `${worker} ${fits ? 'fits' : 'does not fit'}: ${reasons.join('; ') || 'it has room'}`;
    });
    return [summary, ...verdicts, ...advice.map((sentence) => `advice: ${sentence}`)];
  }

  /** Wakes up at each deadline on the way, as the driver's timer does. */
  #advance(byMs: number): string[] {
    const lines: string[] = [];
    const until = this.#at + byMs;
    for (let count = 0; ; count++) {
      if (count > deadlinesMax) throw new Error(`more than ${deadlinesMax} deadlines within ${byMs} ms`);
      const due = nextDeadline(this.state, this.#at);
      if (due > until) break;
      const passed = Math.max(0, due - this.#at);
      this.#at += passed;
      const answer = this.#step({ kind: 'timePassed', lateMs: 0 });
      if (answer.length > 0) lines.push(`after ${(byMs - (until - this.#at)) / 1000} s:`, ...answer);
    }
    this.#at = until;
    return lines;
  }

  #stall(byMs: number): string[] {
    const due = nextDeadline(this.state, this.#at);
    this.#at += byMs;
    return this.#step({ kind: 'timePassed', lateMs: Math.max(0, this.#at - due) });
  }

  #restart(): string[] {
    const counts = { ...this.state.counts };
    const tasks = [...this.#savedTasks.values()].filter(({ status }) => !isFinal(status)).map(copyOf);
    const workers = [...this.#savedWorkers.values()];
    const stamp = { at: this.#at, wall: this.#wall() };
    this.state = restore(this.#policy, { tasks, workers, counts, paused: this.#savedPaused }, stamp);
    this.#links.clear();
    this.#check();
    return [];
  }

  // ------------------------------------------------------------------------------------------------- facts

  #happen(line: Line): string[] {
    const [word = ''] = line.words;
    switch (line.verb) {
      case 'submit':
        return this.#submit(line);
      case 'join':
        return this.#join(line);
      case 'started':
      case 'returned':
      case 'ended':
        return this.#report(line);
      case 'handed-over': {
        const entries = line.words.slice(1).map((key) => ({ ...this.#key(key), to: line.options.get('to') ?? '' }));
        return this.#step({ kind: 'workerHandedOver', ...this.#from(word), entries });
      }
      case 'adopted': {
        const tasks = line.words.slice(1).map((name) => ({
          id: this.#ids.get(name) ?? this.#newId(name),
          spec: spec({ requires: requiresIn(line) }),
        }));
        return this.#step({ kind: 'tasksAdopted', ...this.#from(word), tasks });
      }
      case 'heard':
        return this.#step({ kind: 'workerHeard', ...this.#from(word), vitals: null });
      case 'disconnect':
        return this.#step({ kind: 'workerDisconnected', ...this.#from(word) });
      case 'leaving':
        return this.#step({ kind: 'workerLeaving', ...this.#from(word) });
      case 'rests':
        return this.#step({ kind: 'workerRests', ...this.#from(word), why: 'it is in use' });
      case 'works':
        return this.#step({ kind: 'workerRests', ...this.#from(word), why: null });
      case 'goodbye':
        return this.#step({ kind: 'workerLeft', ...this.#from(word) });
      case 'kick':
        return this.#step({ kind: 'workerKicked', workerId: word, why: 'somebody removed it' });
      case 'drain':
      case 'undrain':
        return this.#step({ kind: 'drainRequested', workerId: word, draining: line.verb === 'drain' });
      case 'cancel': {
        const taskIds = line.words.map((name) => this.#id(name));
        return this.#step({ kind: 'cancelRequested', taskIds, reason: 'cancelled by somebody' });
      }
      case 'pause':
      case 'resume':
        return this.#step({ kind: 'pauseRequested', paused: line.verb === 'pause' });
      case 'close':
        return this.#step({ kind: 'closingRequested' });
      default:
        throw new Error(`there is no command "${line.verb}"`);
    }
  }

  #submit(line: Line): string[] {
    const after = (line.options.get('after') ?? '').split(',').filter((name) => name !== '');
    const dependsOn = after.map((name) => this.#id(name));
    const ended = new Map<string, TaskStatus>();
    for (const id of dependsOn) {
      const status = this.#statuses.get(id);
      if (status !== undefined && isFinal(status)) ended.set(id, status);
    }
    const wanted = spec({
      priority: priorityIn(line),
      retryCount: numberIn(line, 'retries', 0),
      retryDelayMs: numberIn(line, 'delay', 1) * 1000,
      dependsOn,
      onDependencyFailure: line.words.includes('run-anyway') ? 'run' : 'cancel',
      requires: requiresIn(line),
    });
    const names = line.words.filter((word) => word !== 'run-anyway');
    const tasks = names.map((name) => ({ id: this.#newId(name), spec: wanted, ended }));
    return this.#step({ kind: 'tasksSubmitted', tasks });
  }

  #newId(name: string): string {
    this.#lastId = nextId(this.#lastId, this.#wall());
    this.#ids.set(name, this.#lastId);
    return this.#lastId;
  }

  #join(line: Line): string[] {
    const [id = ''] = line.words;
    const known = this.state.workers.get(id)?.declaration ?? this.#savedWorkers.get(id)?.declaration;
    const before = known ?? declaration(id);
    const session = this.#nextLink;
    this.#nextLink += 1;
    const labels = labelsIn(line);
    const effects = this.#step({
      kind: 'workerJoined',
      session,
      address: `192.0.2.1:${session}`,
      publicKey: `key of ${id}`,
      declaration: declaration(id, {
        slots: numberIn(line, 'slots', before.slots),
        cpuCores: numberIn(line, 'cpus', before.cpuCores),
        memoryMb: numberIn(line, 'memory', before.memoryMb),
        gpu: numberIn(line, 'gpus', before.gpu),
        labels: Object.keys(labels).length === 0 ? before.labels : labels,
        platform: line.options.get('platform') ?? before.platform,
        arch: line.options.get('arch') ?? before.arch,
        peerPort: line.words.includes('peers') ? 7879 : before.peerPort,
        processId: line.options.get('process') ?? before.processId,
      }),
      held: (line.options.get('held') ?? '')
        .split(',')
        .filter((text) => text !== '')
        .map((text) => this.#held(text)),
      remembered: this.#savedWorkers.get(id) ?? null,
    });
    if (this.state.workers.get(id)?.session === session) this.#links.set(id, session);
    return effects;
  }

  #held(text: string): HeldAttempt {
    const [name = '', phase, adopted] = text.split(':');
    const held = { ...this.#key(name), phase: phase as HeldAttempt['phase'] };
    return adopted === undefined ? held : { ...held, adopted: true };
  }

  #key(text: string): { taskId: string; attempt: number } {
    const [name = '', attempt] = text.split('#');
    const taskId = this.#id(name);
    return { taskId, attempt: attempt === undefined ? (this.state.tasks.get(taskId)?.attempt ?? 1) : Number(attempt) };
  }

  #from(workerId: string): { workerId: string; session: number } {
    return { workerId, session: this.#links.get(workerId) ?? 0 };
  }

  #report(line: Line): string[] {
    const [workerId = '', ...keys] = line.words;
    const outcomes = ['timeout', 'spawn-failed', 'lost'];
    const named = keys.filter((key) => !outcomes.includes(key));
    const entries = named.map((text): ReportEntry => {
      const key = this.#key(text);
      const startedAt = this.#wall();
      if (line.verb === 'started') return { kind: 'started', ...key, startedAt };
      if (line.verb === 'returned') return { kind: 'returned', ...key };
      const nothing = new Uint8Array(0);
      const taken = usage({ durationMs: numberIn(line, 'took', 0.1) * 1000 });
      return {
        kind: 'ended',
        ...key,
        startedAt,
        outcome: outcomeIn(line),
        usage: taken,
        stdout: nothing,
        stderr: nothing,
        outputs: [],
        outputProblems: [],
      };
    });
    return this.#step({ kind: 'workerReported', ...this.#from(workerId), entries });
  }

  // ------------------------------------------------------------------------------------------------- the step

  #step(fact: Fact): string[] {
    const effects = step(this.state, { ...fact, at: this.#at, wall: this.#wall() } as SchedulerEvent);
    for (const effect of effects) this.#keep(effect);
    this.#check();
    return showEffects(effects, this.#at);
  }

  /** What the driver would have stored. */
  #keep(effect: Effect): void {
    if (effect.kind === 'savePaused') this.#savedPaused = effect.paused;
    if (effect.kind === 'saveWorker') this.#savedWorkers.set(effect.worker.id, { ...effect.worker });
    if (effect.kind !== 'saveTask') return;
    const { task } = effect;
    const notBefore = task.notBefore === null ? null : this.#wall() + (task.notBefore - this.#at);
    this.#statuses.set(task.id, task.status);
    this.#savedTasks.set(task.id, { ...copyOf(task), notBefore });
  }

  #check(): void {
    const found = violations(this.state);
    if (found.length > 0)
      throw new Error(`invariants are broken: ${found.map((text) => this.#named(text)).join('; ')}`);
  }
}

/** What a store gives back: equal, and nothing shared. What is waited for follows from who is live. */
function copyOf(task: Task): Task {
  return { ...task, waitingFor: new Set(task.waitingFor), avoid: [...task.avoid] };
}

function outcomeIn(line: Line): AttemptOutcome {
  const signal = line.options.get('signal');
  if (signal !== undefined) return { kind: 'signaled', signal };
  if (line.words.includes('timeout')) return { kind: 'timed_out', limitMs: 3_600_000 };
  if (line.words.includes('spawn-failed')) return { kind: 'spawn_failed', message: 'no such program' };
  if (line.words.includes('lost')) return { kind: 'lost', why: 'its worker was stopped' };
  return { kind: 'exited', exitCode: numberIn(line, 'exit', 0) };
}
