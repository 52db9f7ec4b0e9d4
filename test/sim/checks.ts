/**
 * What must hold in every world, whatever happens in it. `onStep` and `onCommit` look at every step of the dispatcher,
 * `onSecond` looks now and then at whether things go on, `atTheEnd` at what is left when everything should be done.
 * A broken promise is thrown as a `Broken` with one sentence.
 */

import { violations } from '../../src/core/invariants.ts';
import { amountsFree, isOpen, matches } from '../../src/core/placement.ts';
import { type AttemptRecord, isFinal, lossesMax, type Task } from '../../src/core/task.ts';
import type { StoredOutput } from '../../src/ports/files.ts';
import type { Change } from '../../src/ports/store.ts';
import type { Stream } from '../../src/wire/messages.ts';
import { blobOf } from '../memory-blobs.ts';
import type { Askers } from './askers.ts';
import { Broken, check } from './broken.ts';
import { checkHanded, checkSaid, checkStart } from './exchange.ts';
import type { Said } from './ledger.ts';
import type { People, Promised } from './people.ts';
import { type Program, writtenBytes } from './processes.ts';
import type { Running, World } from './world.ts';

/** What should not be may be for so many seconds in a row: a few round trips, or TERM, grace and KILL. */
const idleSecondsMax = 8;
/** A large task that waits longer may have a worker kept free for it, at the expense of others. */
const keepMs = 9000;
/** Timers due at once that a program may set in a second of quiet. */
const hurriedPerSecondMax = 400;
/** Timers a program at rest may have. */
const timersMax = 12;

/**
 * Workers that one task may bring down. Not exactly `lossesMax`: who was first in line when a worker went down cannot be
 * known for sure, and in doubt a task is not blamed.
 */
const killsMax = 3 * lossesMax;

export class Checks {
  readonly #world: World;
  readonly #people: People;
  readonly #askers: Askers;
  #startsSeen = 0;
  /** How long each task has been waiting for nothing. */
  readonly #idleSeconds = new Map<string, number>();
  readonly #hurried = new Map<object, number>();

  constructor(world: World, people: People, askers: Askers) {
    this.#world = world;
    this.#askers = askers;
    this.#people = people;
  }

  // -------------------------------------------------------------------------------------------------- each step

  onStep({ dispatcher }: Running): void {
    const { hosts, ledger, timeline } = this.#world;
    for (const { name } of hosts) {
      if ((dispatcher.state.workers.get(name)?.session ?? null) === null) ledger.isAway(name, timeline.now);
    }
    const found = violations(dispatcher.state);
    check(found.length === 0, () => found.join('; '));
    for (const complaint of this.#people.complaints) throw new Broken(complaint);
    this.#checkHosts();
  }

  /** No worker runs more than it said it can, and nothing that was not stored before. */
  #checkHosts(): void {
    const { hosts, traces, disk } = this.#world;
    if (traces.byAttempt.size === this.#startsSeen) return;
    for (const trace of [...traces.byAttempt.values()].slice(this.#startsSeen)) checkStart(this.#world, trace);
    this.#startsSeen = traces.byAttempt.size;
    for (const { name, program, declaration } of hosts) {
      if (program === null) continue;
      const { running } = program.table;
      check(running.size <= declaration.slots, () => `${name} runs ${running.size} of ${declaration.slots}`);
      const sum = { cpuCores: 0, memoryMb: 0, gpu: 0 };
      for (const { trace } of running.values()) {
        const task = disk.tasks.get(trace.taskId)?.task;
        const handed = this.#askers.handed.find(({ id }) => id === trace.taskId);
        // Of what was handed to it directly the dispatcher may not know yet.
        check(
          handed !== undefined || (task !== undefined && task.attempt >= trace.attempt),
          () => `${name} runs ${trace.taskId}.${trace.attempt}, which was never stored`,
        );
        const requires = handed?.requires ?? task?.spec.requires;
        for (const key of ['cpuCores', 'memoryMb', 'gpu'] as const) sum[key] += requires?.[key] ?? 0;
      }
      for (const key of ['cpuCores', 'memoryMb', 'gpu'] as const) {
        check(sum[key] <= declaration[key] + 1e-6, () => `${name} uses ${sum[key]} ${key} of ${declaration[key]}`);
      }
    }
  }

  onSaid(said: Said): void {
    checkSaid(this.#world, said);
  }

  // ------------------------------------------------------------------------------------------------ each commit

  onCommit(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind === 'task') this.#checkTask(change.task, change.isNew);
      else if (change.kind === 'attempt') this.#checkRecord(change.record, changes);
      else if (change.kind === 'outputs') this.#checkFiles(change);
    }
  }

  /** What is stored of files is here, whole and safe. */
  #checkFiles({ taskId, files }: Extract<Change, { kind: 'outputs' }>): void {
    const { blobs, unsynced } = this.#world.disk.contents;
    for (const { path, blob } of files) {
      const content = blobs.get(blob);
      check(content !== undefined && blobOf(content) === blob, () => `${path} of ${taskId} is stored, and is not here`);
      check(!unsynced.has(blob), () => `${path} of ${taskId} is stored, and a power loss would take it`);
    }
  }

  #checkTask(task: Task, isNew: boolean): void {
    const before = this.#world.disk.tasks.get(task.id)?.task;
    check(isNew === (before === undefined), () => `task ${task.id} is stored as ${isNew ? 'new' : 'known'} wrongly`);
    check(
      before === undefined || !isFinal(before.status),
      () => `task ${task.id} had ended as ${before?.status} and is stored as ${task.status}`,
    );
    check(
      task.attempt >= (before?.attempt ?? 0),
      () => `task ${task.id} goes back from attempt ${before?.attempt} to ${task.attempt}`,
    );
    if (task.status === 'running') {
      const key = `${task.id}.${task.attempt}`;
      const trace = this.#world.traces.byAttempt.get(key);
      check(trace?.host === task.workerId || trace === undefined, () => `${key} runs elsewhere than stored`);
    }
  }

  #checkRecord(record: AttemptRecord, changes: readonly Change[]): void {
    const { taskId, attempt, outcome, workerId } = record;
    const key = `${taskId}.${attempt}`;
    const earlier = this.#world.disk.attempts.get(taskId) ?? [];
    check(
      earlier.every((other) => other.attempt < attempt),
      () => `a result of ${key} is stored after one of attempt ${earlier.at(-1)?.attempt}`,
    );
    const here = changes.filter((change) => change.kind === 'attempt' && change.record.taskId === taskId);
    const numbers = new Set(here.map((change) => (change.kind === 'attempt' ? change.record.attempt : 0)));
    check(numbers.size === here.length, () => `two results of ${key} in one commit`);
    const trace = this.#world.traces.byAttempt.get(key);
    if (outcome.kind === 'exited') {
      const program = this.#program(taskId, changes);
      const expected = attempt <= program.failsFirst ? 1 : program.exitCode;
      check(trace?.ended === true, () => `${key} is stored as exited, and did not`);
      check(trace?.host === workerId, () => `${key} ran on ${trace?.host}, its result is from ${workerId}`);
      check(outcome.exitCode === expected, () => `${key} is stored with status ${outcome.exitCode}, not ${expected}`);
    }
  }

  #program(taskId: string, changes: readonly Change[]): Program {
    const change = changes.find((candidate) => candidate.kind === 'task' && candidate.task.id === taskId);
    const task = change?.kind === 'task' ? change.task : this.#world.disk.tasks.get(taskId)?.task;
    return JSON.parse(task?.spec.command ?? '') as Program;
  }

  // ------------------------------------------------------------------------------------------------ going on

  /** To be called every second: no program spins, no dead link is taken for a live one; in quiet, no task waits for nothing. */
  onSecond({ quiet }: { quiet: boolean }): void {
    const { dispatcher, hosts, timeline } = this.#world;
    for (const machine of [dispatcher?.machine, ...hosts.map(({ program }) => program?.machine)]) {
      if (machine === undefined) continue;
      const hurried = machine.hurriedTimers - (this.#hurried.get(machine) ?? machine.hurriedTimers);
      this.#hurried.set(machine, machine.hurriedTimers);
      check(hurried < hurriedPerSecondMax, () => `${machine.name} spins: ${hurried} timers in a second`);
    }
    // A dispatcher that hangs, or that cannot store anything, can do nothing about it.
    if (dispatcher === null || dispatcher.machine.instant > timeline.now) return;
    if (!dispatcher.dispatcher.ready().ready) return;
    const idle = this.#deadSessions(dispatcher);
    if (quiet) this.#findIdle(dispatcher, idle);
    this.#checkIdle(idle);
  }

  /** Workers that are taken to be connected, though their link has ended. */
  #deadSessions({ machine, dispatcher: { state } }: Running): Map<string, string> {
    const dead = new Map<string, string>();
    for (const { id, session } of state.workers.values()) {
      if (session === null || this.#world.network.hasAccepted(machine, id)) continue;
      dead.set(id, 'is taken to be connected, and its link has ended');
    }
    return dead;
  }

  /** Tasks that wait although somebody could start them, or although they were cancelled. */
  #findIdle({ machine, dispatcher: { state } }: Running, idle: Map<string, string>): void {
    if (state.paused) return;
    const now = machine.clock.steady();
    const ready = [...state.ready.entries()];
    const isLarge = ({ task }: { task: Task }): boolean =>
      task.spec.requires.cpuCores + task.spec.requires.memoryMb + task.spec.requires.gpu > 0;
    if (ready.some((entry) => isLarge(entry) && now - entry.readyAt > keepMs)) return;
    const workers = [...state.workers.values()];
    const couldStart = (task: Task): string | undefined =>
      workers.find(
        (worker) =>
          isOpen(worker) &&
          worker.assigned.size < worker.declaration.slots &&
          matches(worker, task.spec.requires) &&
          amountsFree(worker, task.spec.requires),
      )?.id;
    for (const { task } of ready) {
      const worker = couldStart(task);
      if (worker !== undefined) idle.set(task.id, `is ready, and ${worker} could start it`);
    }
    for (const worker of workers) {
      const program = this.#world.hosts.find(({ name }) => name === worker.id)?.program ?? null;
      if (worker.session === null || program === null) continue;
      const isFull = program.table.areas >= worker.declaration.slots;
      for (const { task } of worker.assigned.values()) {
        if (task.cancelRequested) idle.set(task.id, `was cancelled and goes on on ${worker.id}`);
        const key = `${task.id}.${task.attempt}`;
        if (this.#world.traces.byAttempt.has(key) || program.table.inUse.has(`${key}.stdout`)) continue;
        if (!isFull) idle.set(task.id, `was handed to ${worker.id}, which has a free slot`);
        const other = worker.draining ? undefined : couldStart(task);
        if (other !== undefined) idle.set(task.id, `waits on ${worker.id}, and ${other} could start it`);
      }
    }
  }

  /** `idle` says of tasks and workers why they should not be as they are; none may be so for long. */
  #checkIdle(idle: ReadonlyMap<string, string>): void {
    for (const [id, why] of idle) {
      const seconds = (this.#idleSeconds.get(id) ?? 0) + 1;
      this.#idleSeconds.set(id, seconds);
      check(seconds <= idleSecondsMax, () => `${id} ${why}, for ${seconds} s now`);
    }
    for (const id of this.#idleSeconds.keys()) if (!idle.has(id)) this.#idleSeconds.delete(id);
  }

  // ---------------------------------------------------------------------------------------------- the end

  /** Nothing more is going to happen: everything has ended that can, and everybody has been answered. */
  get isSettled(): boolean {
    return this.unsettled === null;
  }

  /** What still has to happen, null when nothing. */
  get unsettled(): string | null {
    const { dispatcher, hosts } = this.#world;
    if (dispatcher === null || !dispatcher.dispatcher.ready().ready) return 'the dispatcher is not ready';
    for (const { name, program } of hosts) {
      if (program === null) return `${name} is down`;
      if (program.table.running.size > 0) return `${name} runs ${[...program.table.running.keys()].join(' ')}`;
    }
    const { state } = dispatcher.dispatcher;
    const joined = [...state.workers.values()].filter(({ session }) => session !== null).length;
    if (joined < Math.min(hosts.length, state.policy.workersMax)) return `only ${joined} workers have joined`;
    const open = this.#open();
    const late = open.find((task) => !this.#isHopeless(task));
    if (late !== undefined) return `task ${late.id} is ${late.status} (${late.reason})`;
    // Who feeds a task that never starts waits with it.
    const call = this.#people.waiting.find(({ feeds }) => open.every(({ id }) => id !== feeds));
    return call === undefined ? null : `somebody waits for an answer: ${call.what}`;
  }

  #open(): Task[] {
    const rows = [...this.#world.disk.tasks.values()];
    return rows.map(({ task }) => task).filter((task) => !isFinal(task.status));
  }

  /** No worker that is let in is made for it, or it waits for such a task. */
  #isHopeless(task: Task): boolean {
    const state = this.#world.dispatcher?.dispatcher.state;
    if (state === undefined || task.phase !== 'idle') return false;
    if (task.status === 'blocked') {
      const live = task.spec.dependsOn.flatMap((id) => this.#world.disk.tasks.get(id)?.task ?? []);
      return live.some((other) => !isFinal(other.status) && this.#isHopeless(other));
    }
    return ![...state.workers.values()].some((worker) => isOpen(worker) && matches(worker, task.spec.requires));
  }

  atTheEnd(): void {
    check(this.isSettled, () => `after all that time ${this.unsettled}`);
    for (const promised of this.#people.promised.values()) this.#checkPromise(promised);
    for (const handed of this.#askers.handed) checkHanded(this.#world, handed);
    this.#checkLeftovers();
    this.#checkFollowed();
  }

  #checkPromise({ id }: Promised): void {
    const row = this.#world.disk.tasks.get(id);
    if (row === undefined) throw new Broken(`task ${id} was acknowledged and is lost`);
    if (!isFinal(row.task.status)) return;
    const records = this.#world.disk.attempts.get(id) ?? [];
    const last = records.at(-1);
    const { task } = row;
    const kills = this.#world.traces.kills.get(id) ?? 0;
    check(kills <= killsMax, () => `task ${id} brought down ${kills} workers`);
    if (task.status === 'completed') {
      check(
        last?.outcome.kind === 'exited' && last.outcome.exitCode === 0 && last.attempt === task.attempt,
        () => `task ${id} is completed, its last result is ${JSON.stringify(last?.outcome)}`,
      );
    }
    if (last === undefined || last.attempt !== task.attempt || last.outcome.kind === 'lost') return;
    for (const stream of ['stdout', 'stderr'] as const) this.#checkOutput(task, stream, row[stream]);
    const trace = this.#world.traces.byAttempt.get(`${id}.${task.attempt}`);
    if (task.status === 'completed') this.#checkLeft(task, trace?.left ?? new Map());
    const read = trace?.read ?? [];
    check(
      read.every((byte, position) => byte === (position & 0xff)),
      () => `task ${id} was fed wrong input`,
    );
  }

  /** Every file a completed task left is stored, or it is said why not. */
  #checkLeft({ id }: Task, left: ReadonlyMap<string, string>): void {
    const { files, problems } = this.#world.disk.files.get(id) ?? { files: [], problems: [] };
    for (const { path, blob } of files) {
      check(left.get(path) === blob, () => `${path} of ${id} is not what it left there`);
    }
    check(
      files.length === left.size || problems.length > 0,
      () => `${id} left ${left.size} files, not ${files.length}`,
    );
  }

  #checkOutput(task: Task, stream: Stream, stored: StoredOutput | null): void {
    const key = `${task.id}.${task.attempt}`;
    const written = this.#world.traces.byAttempt.get(key)?.written[stream] ?? 0;
    const total = Math.min(written, task.spec.maxOutputBytes);
    check(
      (stored?.totalBytes ?? 0) === total,
      () => `${key} wrote ${total} to ${stream}, ${stored?.totalBytes} are kept`,
    );
    if (stored === null) return;
    const whole = stored.blob === null ? stored.bytes : this.#world.disk.contents.blobs.get(stored.blob);
    const expected = writtenBytes(key, stream, 0, total);
    check(
      whole !== undefined && Buffer.compare(whole, expected) === 0,
      () => `${stream} of ${key} is not what it wrote`,
    );
  }

  /** Nobody holds on to anything that is over. */
  #checkLeftovers(): void {
    const { dispatcher, hosts, disk } = this.#world;
    for (const { name, program, blobs } of hosts) {
      // One that waits for a place among the most workers allowed cannot hand in what it has.
      if (dispatcher?.dispatcher.state.workers.get(name)?.session === undefined) continue;
      const left = [...(program?.table.inUse ?? [])];
      check(left.length === 0, () => `${name} still holds ${left.join(' ')}`);
      check(blobs.held.size === 0, () => `${name} still holds ${[...blobs.held.keys()].join(' ')}`);
      check((program?.machine.timers ?? 0) <= timersMax, () => `${name} has ${program?.machine.timers} timers`);
    }
    check(disk.outputs.size === 0, () => `the dispatcher still holds output of ${[...disk.outputs.keys()].join(' ')}`);
    if (dispatcher === null) return;
    const { state } = dispatcher.dispatcher;
    for (const worker of state.workers.values()) {
      check(worker.assigned.size === 0, () => `${worker.id} still has ${[...worker.assigned.keys()].join(' ')}`);
    }
    const open = this.#open().length;
    check(state.tasks.size === open, () => `${state.tasks.size} tasks are live, ${open} are stored as such`);
    for (const [id, waiting] of state.dependents) {
      check(state.tasks.has(id), () => `${waiting.size} dependents of ${id} are kept for nothing`);
    }
    const overdueMs = dispatcher.machine.clock.steady() - (state.delayed.peek()?.at ?? Number.POSITIVE_INFINITY);
    check(overdueMs < 1000, () => `a delayed task is due since ${overdueMs} ms`);
    check(dispatcher.machine.timers <= timersMax, () => `the dispatcher has ${dispatcher.machine.timers} timers`);
    check(this.#world.network.size <= hosts.length, () => `${this.#world.network.size} links are open`);
  }

  /** Whoever followed output saw what was written, from the first byte on; of tasks tried once, all of it. */
  #checkFollowed(): void {
    for (const { id, stream, bytes, complete } of this.#people.followed) {
      const row = this.#world.disk.tasks.get(id);
      if (row === undefined || row.task.attempt !== 1 || !isFinal(row.task.status)) continue;
      const expected = writtenBytes(`${id}.1`, stream, 0, bytes.length);
      check(Buffer.compare(Uint8Array.from(bytes), expected) === 0, () => `who followed ${id} saw other bytes`);
      const total = row[stream]?.totalBytes ?? 0;
      // Of an attempt without a report, less may be left than was seen.
      if (row.task.usage === null) continue;
      check(!complete || bytes.length === total, () => `who followed ${id} saw ${bytes.length} of ${total} bytes`);
    }
  }
}
