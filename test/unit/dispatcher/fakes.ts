/**
 * A store and an output store in memory, as far as the parts of the dispatcher that are tested alone need them. The
 * store writes a journal, so that a test sees in which order things were done.
 */

import { OctasklyError } from '../../../src/base/errors.ts';
import { emptyCounts } from '../../../src/core/state.ts';
import type { Task, TaskStatus } from '../../../src/core/task.ts';
import type { CollectedFiles, OutputStore, StoredOutput } from '../../../src/ports/files.ts';
import type { Change, KeptOutput, Loaded, Store, TaskRow } from '../../../src/ports/store.ts';
import type { Log } from '../../../src/ports/time.ts';
import type { Stream } from '../../../src/wire/messages.ts';

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const notPartOfThis = (): never => {
  throw new Error('this test does not expect that call');
};

export class FakeStore implements Store {
  readonly journal: string[];
  commits: (readonly Change[])[] = [];
  loaded: Loaded = {
    ...{ tasks: [], workers: [], nodes: [], invites: [], tokens: [] },
    ...{ settings: new Map(), counts: emptyCounts(), lastId: '' },
  };
  loads = 0;
  /** Nothing can be stored, and probes fail. */
  broken = false;
  readonly rows = new Map<string, TaskRow>();
  readonly known = new Map<string, TaskStatus>();
  keptOutputs: readonly KeptOutput[] = [];

  constructor(journal: string[] = []) {
    this.journal = journal;
  }

  load(): Loaded {
    this.loads += 1;
    this.#check();
    return this.loaded;
  }

  commit(changes: readonly Change[]): void {
    this.#check();
    this.journal.push(`commit ${changes.length}`);
    this.commits.push(changes);
  }

  probe(): void {
    this.journal.push('probe');
    this.#check();
  }

  task(id: string): TaskRow | null {
    return this.rows.get(id) ?? null;
  }

  outputs(): CollectedFiles {
    return { files: [], problems: [] };
  }

  statuses(ids: readonly string[]): ReadonlyMap<string, TaskStatus> {
    const found = new Map<string, TaskStatus>();
    for (const id of ids) {
      const status = this.known.get(id);
      if (status !== undefined) found.set(id, status);
    }
    return found;
  }

  tasks = notPartOfThis;
  attempts = notPartOfThis;
  batch: Store['batch'] = notPartOfThis;
  batchHead(id: string): ReturnType<Store['batchHead']> {
    for (const change of this.commits.flat()) if (change.kind === 'batch' && change.id === id) return change;
    return null;
  }

  batches = notPartOfThis;
  endedAttempts = notPartOfThis;
  deliveries = (): readonly [] => [];
  setting = (key: string): string | null => this.loaded.settings.get(key) ?? null;
  idempotency = (): null => null;
  audit = notPartOfThis;
  verifyAudit = notPartOfThis;
  kept = (): readonly KeptOutput[] => this.keptOutputs;
  keptCounts = (): ReadonlyMap<string, number> => new Map();
  prune = notPartOfThis;
  backup = notPartOfThis;
  close = notPartOfThis;

  #check(): void {
    if (this.broken) throw new OctasklyError('storage_unavailable', 'The disk is full.');
  }
}

const none = new Uint8Array(0);

/** Outputs by attempt and stream, all in memory. */
export class FakeOutputs implements OutputStore {
  readonly live = new Map<string, Uint8Array>();

  append(taskId: string, attempt: number, stream: Stream, offset: number, data: Uint8Array): boolean {
    const key = `${taskId}#${attempt}.${stream}`;
    const before = this.live.get(key) ?? none;
    if (offset > before.length) return false;
    const skip = Math.min(before.length - offset, data.length);
    this.live.set(key, Uint8Array.from([...before, ...data.subarray(skip)]));
    return true;
  }

  size(taskId: string, attempt: number, stream: Stream): number {
    return this.live.get(`${taskId}#${attempt}.${stream}`)?.length ?? 0;
  }

  read(taskId: string, attempt: number, stream: Stream, from: number, max: number): Uint8Array {
    return (this.live.get(`${taskId}#${attempt}.${stream}`) ?? none).subarray(from, from + max);
  }

  finish(taskId: string, attempt: number): { stdout: StoredOutput; stderr: StoredOutput } {
    const end = (stream: Stream): StoredOutput => {
      const bytes = this.live.get(`${taskId}#${attempt}.${stream}`) ?? none;
      this.live.delete(`${taskId}#${attempt}.${stream}`);
      return { bytes, totalBytes: bytes.length, blob: null };
    };
    return { stdout: end('stdout'), stderr: end('stderr') };
  }

  discard(taskId: string, attempt: number): void {
    this.finish(taskId, attempt);
  }
}

export function row(task: Task, stdout: StoredOutput | null = null): TaskRow {
  return { task, stdout, stderr: null };
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (data: Uint8Array | null): string | null => (data === null ? null : new TextDecoder().decode(data));

/** A stored stream that holds all of `content`. */
export function stored(content: string): StoredOutput {
  const data = bytes(content);
  return { bytes: data, totalBytes: data.length, blob: null };
}
