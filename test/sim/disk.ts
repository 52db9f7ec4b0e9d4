/**
 * The `Store` and `OutputStore` ports in memory. A `Disk` outlives the programs that use it; what a program did not
 * commit dies with it. Everything is copied on its way in and out, so that no program sees another's objects.
 *
 * It can be slow, fail, and kill its program right before or right after a commit.
 */

import { OctasklyError } from '../../src/base/errors.ts';
import { emptyCounts } from '../../src/core/state.ts';
import { type AttemptRecord, isFinal, type Task, type TaskStatus } from '../../src/core/task.ts';
import type { CollectedFiles, OutputStore, StoredOutput } from '../../src/ports/files.ts';
import type { Change, Loaded, Store, TaskFilter, TaskRow } from '../../src/ports/store.ts';
import type { Stream } from '../../src/wire/messages.ts';
import { MemoryBlobs } from '../memory-blobs.ts';
import { noRecord } from '../plain-trust.ts';
import { Crash, type Machine } from './clock.ts';
import type { Dice } from './dice.ts';

/** How the disk behaves; changes while the world runs. */
export interface DiskMood {
  /** Nothing can be written. */
  full: boolean;
  /** Chance of a single commit to fail. */
  failedCommits: number;
  /** How long a commit takes, ms. */
  commitMs: readonly [number, number];
  /** The program dies at its next commit. */
  crashAtNext: 'before' | 'after' | null;
}

interface StoredTask {
  task: Task;
  stdout: StoredOutput | null;
  stderr: StoredOutput | null;
}

export class Disk {
  readonly tasks = new Map<string, StoredTask>();
  readonly attempts = new Map<string, AttemptRecord[]>();
  readonly batches = new Map<string, Extract<Change, { kind: 'batch' }>>();
  readonly keys = new Map<string, Extract<Change, { kind: 'idempotency' }>>();
  readonly workers = new Map<string, Loaded['workers'][number]>();
  readonly nodes = new Map<string, Loaded['nodes'][number]>();
  readonly settings = new Map<string, string>();
  /** Files by their content. */
  readonly contents = new MemoryBlobs();
  readonly files = new Map<string, CollectedFiles>();
  /** Output of live attempts by attempt and stream. */
  readonly outputs = new Map<string, Uint8Array>();
  readonly mood: DiskMood = { full: false, failedCommits: 0, commitMs: [0, 0], crashAtNext: null };

  apply(change: Change): void {
    switch (change.kind) {
      case 'task': {
        const task = { ...change.task, notBefore: change.notBeforeWall };
        const known = this.tasks.get(task.id);
        if (known === undefined) this.tasks.set(task.id, { task, stdout: null, stderr: null });
        else known.task = task;
        return;
      }
      case 'outputs':
        this.files.set(change.taskId, { files: change.files, problems: change.problems });
        return;
      case 'output': {
        const row = this.tasks.get(change.taskId);
        if (row !== undefined) Object.assign(row, { stdout: change.stdout, stderr: change.stderr });
        return;
      }
      case 'attempt': {
        const { taskId } = change.record;
        this.attempts.set(taskId, [...(this.attempts.get(taskId) ?? []), change.record]);
        return;
      }
      case 'batch':
        this.batches.set(change.id, change);
        return;
      case 'batchGrown': {
        const batch = this.batches.get(change.id);
        if (batch !== undefined) this.batches.set(change.id, { ...batch, size: batch.size + change.by });
        return;
      }
      case 'idempotency':
        this.keys.set(change.key, change);
        return;
      case 'worker':
        this.workers.set(change.record.declaration.id, change.record);
        return;
      case 'node':
        this.nodes.set(change.record.publicKey, change.record);
        return;
      case 'setting':
        this.settings.set(change.key, change.value);
        return;
      case 'invite':
      case 'token':
      case 'delivery':
      case 'deliveryEnded':
      case 'audit':
        return;
    }
  }

  /** The program that used it is gone, and with it some of the output that was in its memory or not yet flushed. */
  loseOutputs(dice: Dice): void {
    for (const [key, bytes] of this.outputs) {
      const kept = dice.pick([0, 0, bytes.length, dice.whole(0, bytes.length)]);
      if (kept === 0) this.outputs.delete(key);
      else this.outputs.set(key, bytes.subarray(0, kept));
    }
  }
}

/** What the store tells the checks, before anything is applied. */
type Witness = (changes: readonly Change[]) => void;

export class SimulatedStore implements Store {
  readonly #disk: Disk;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #witness: Witness;

  constructor(disk: Disk, parts: { machine: Machine; dice: Dice; witness: Witness }) {
    this.#disk = disk;
    this.#machine = parts.machine;
    this.#dice = parts.dice;
    this.#witness = parts.witness;
  }

  load(): Loaded {
    const counts = emptyCounts();
    for (const { task } of this.#disk.tasks.values()) counts[task.status] += 1;
    const live = [...this.#disk.tasks.values()].filter(({ task }) => !isFinal(task.status));
    const tasks = live.map(({ task }) => this.#copy(task)).sort((a, b) => (a.id < b.id ? -1 : 1));
    const ids = [...this.#disk.tasks.keys(), ...this.#disk.batches.keys()];
    return {
      tasks,
      workers: structuredClone([...this.#disk.workers.values()]),
      nodes: structuredClone([...this.#disk.nodes.values()]),
      invites: [],
      tokens: [],
      settings: new Map(this.#disk.settings),
      counts,
      lastId: ids.reduce((last, id) => (id > last ? id : last), ''),
    };
  }

  commit(changes: readonly Change[]): void {
    const { mood } = this.#disk;
    const crash = mood.crashAtNext;
    mood.crashAtNext = null;
    this.#machine.work(this.#dice.between(...mood.commitMs));
    if (mood.full || this.#dice.chance(mood.failedCommits)) {
      throw new OctasklyError('storage_unavailable', 'The simulated disk is full.');
    }
    if (crash === 'before') throw new Crash('before a commit');
    const copies = structuredClone(changes);
    this.#witness(copies);
    for (const change of copies) this.#disk.apply(change);
    if (crash === 'after') throw new Crash('after a commit');
  }

  probe(): void {
    if (this.#disk.mood.full) throw new OctasklyError('storage_unavailable', 'The simulated disk is still full.');
  }

  task(id: string): TaskRow | null {
    const row = this.#disk.tasks.get(id);
    return row === undefined ? null : { ...row, task: this.#copy(row.task) };
  }

  tasks(filter: TaskFilter, page: { limit: number; before: string | null }): readonly TaskRow[] {
    const { statuses, workerId, batchId, tag, since, idPrefix, words = [] } = filter;
    const holds = ({ id, spec }: Task, word: string): boolean =>
      id.startsWith(word) || [spec.name, spec.command, ...(spec.argv ?? [])].some((text) => text?.includes(word));
    const found = [...this.#disk.tasks.values()].filter(
      ({ task }) =>
        (statuses === undefined || statuses.includes(task.status)) &&
        (workerId === undefined || task.workerId === workerId) &&
        (batchId === undefined || task.spec.batchId === batchId) &&
        (tag === undefined || task.spec.tags[tag.key] === tag.value) &&
        (since === undefined || task.createdAt >= since) &&
        (idPrefix === undefined || task.id.startsWith(idPrefix)) &&
        words.every((word) => holds(task, word)) &&
        (page.before === null || task.id < page.before),
    );
    found.sort((a, b) => (a.task.id < b.task.id ? 1 : -1));
    return found.slice(0, page.limit).map((row) => ({ ...row, task: this.#copy(row.task) }));
  }

  statuses(ids: readonly string[]): ReadonlyMap<string, TaskStatus> {
    const found = new Map<string, TaskStatus>();
    for (const id of ids) {
      const row = this.#disk.tasks.get(id);
      if (row !== undefined) found.set(id, row.task.status);
    }
    return found;
  }

  attempts(taskId: string): readonly AttemptRecord[] {
    return structuredClone(this.#disk.attempts.get(taskId) ?? []);
  }

  outputs(taskId: string): CollectedFiles {
    return structuredClone(this.#disk.files.get(taskId) ?? { files: [], problems: [] });
  }

  batch(id: string): ReturnType<Store['batch']> {
    const batch = this.#disk.batches.get(id);
    if (batch === undefined) return null;
    const counts = emptyCounts();
    for (const { task } of this.#disk.tasks.values()) if (task.spec.batchId === id) counts[task.status] += 1;
    return { id, name: batch.name, createdAt: batch.createdAt, size: batch.size, owner: batch.owner, counts };
  }

  batchHead(id: string): ReturnType<Store['batchHead']> {
    return this.#disk.batches.get(id) ?? null;
  }

  /** Nobody in the simulation asks for overviews. */
  batches(): readonly [] {
    return [];
  }

  endedAttempts(): readonly [] {
    return [];
  }

  /** Nobody in the simulation is notified. */
  deliveries(): readonly [] {
    return [];
  }

  /** No task of the simulation leaves its files with a worker. */
  kept(): readonly [] {
    return [];
  }

  keptCounts(): ReadonlyMap<string, number> {
    return new Map();
  }

  setting(key: string): string | null {
    return this.#disk.settings.get(key) ?? null;
  }

  idempotency(key: string): { readonly bodyHash: string; readonly answer: string } | null {
    return this.#disk.keys.get(key) ?? null;
  }

  audit = noRecord.audit;
  verifyAudit = noRecord.verifyAudit;

  /** No program of the simulation prunes. */
  prune(): ReturnType<Store['prune']> {
    return { tasks: 0, ended: {}, blobs: [], orphaned: [] };
  }

  close(): void {}

  /** As a database gives a task back: what it waits for follows from the states of others. */
  #copy(task: Task): Task {
    const isLive = (id: string): boolean => {
      const status = this.#disk.tasks.get(id)?.task.status;
      return status !== undefined && !isFinal(status);
    };
    const waits = task.status === 'blocked' ? task.spec.dependsOn.filter(isLive) : [];
    return { ...structuredClone(task), waitingFor: new Set(waits) };
  }
}

/** Larger output becomes a blob, of which the row keeps so many bytes at either end. */
const wholeBytesMax = 8192;
const edgeBytes = 1024;
const nothing = new Uint8Array(0);

export class SimulatedOutputs implements OutputStore {
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  append(taskId: string, attempt: number, stream: Stream, offset: number, data: Uint8Array): boolean {
    const key = `${taskId}.${attempt}.${stream}`;
    const known = this.#disk.outputs.get(key) ?? nothing;
    if (offset > known.length) return false;
    const fresh = data.subarray(known.length - offset);
    if (fresh.length === 0) return true;
    if (this.#disk.mood.full) throw new OctasklyError('storage_unavailable', 'The simulated disk is full.');
    const bytes = new Uint8Array(known.length + fresh.length);
    bytes.set(known);
    bytes.set(fresh, known.length);
    this.#disk.outputs.set(key, bytes);
    return true;
  }

  size(taskId: string, attempt: number, stream: Stream): number {
    return this.#disk.outputs.get(`${taskId}.${attempt}.${stream}`)?.length ?? 0;
  }

  read(taskId: string, attempt: number, stream: Stream, from: number, max: number): Uint8Array {
    return (this.#disk.outputs.get(`${taskId}.${attempt}.${stream}`) ?? nothing).slice(from, from + max);
  }

  finish(taskId: string, attempt: number): { readonly stdout: StoredOutput; readonly stderr: StoredOutput } {
    return { stdout: this.#close(taskId, attempt, 'stdout'), stderr: this.#close(taskId, attempt, 'stderr') };
  }

  discard(taskId: string, attempt: number): void {
    for (const stream of ['stdout', 'stderr']) this.#disk.outputs.delete(`${taskId}.${attempt}.${stream}`);
  }

  #close(taskId: string, attempt: number, stream: Stream): StoredOutput {
    const key = `${taskId}.${attempt}.${stream}`;
    const whole = this.#disk.outputs.get(key) ?? nothing;
    this.#disk.outputs.delete(key);
    if (whole.length <= wholeBytesMax) return { bytes: whole, totalBytes: whole.length, blob: null };
    const blob = this.#disk.contents.add(whole);
    const bytes = new Uint8Array(2 * edgeBytes);
    bytes.set(whole.subarray(0, edgeBytes));
    bytes.set(whole.subarray(-edgeBytes), edgeBytes);
    return { bytes, totalBytes: whole.length, blob };
  }
}
