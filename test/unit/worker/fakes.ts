/** The outside of a worker in memory: links that keep what was sent, spools, directories, and processes that obey. */

import { OctasklyError } from '../../../src/base/errors.ts';
import type { TerminalSize } from '../../../src/core/task.ts';
import type { Spool, TaskArea, Workspace } from '../../../src/ports/files.ts';
import type { WorkerLink } from '../../../src/ports/links.ts';
import type { Launched, Launcher, LaunchPlan, ProcessEnd } from '../../../src/ports/processes.ts';
import type { Log } from '../../../src/ports/time.ts';
import type { Assignment, Stream, WorkerMessage } from '../../../src/wire/messages.ts';
import { spec } from '../core/samples.ts';

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (data: Uint8Array): string => new TextDecoder().decode(data);

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export function assignment(taskId: string, attempt = 1, wanted: Partial<Assignment['spec']> = {}): Assignment {
  return { taskId, attempt, spec: { ...spec(), ...wanted } };
}

export class FakeLink implements WorkerLink {
  readonly remote = '192.0.2.9:7878';
  readonly remoteKey = 'key';
  admission: WorkerLink['admission'] = { by: 'secret', keyId: '' };
  sent: WorkerMessage[] = [];
  closed: string | null = null;
  /** Takes this many more messages before it is congested. */
  room = Number.POSITIVE_INFINITY;

  get congested(): boolean {
    return this.room <= 0;
  }

  get blobsCongested(): boolean {
    return this.congested;
  }

  send(message: WorkerMessage): void {
    if (this.closed !== null) return;
    this.room -= 1;
    this.sent.push(message);
  }

  giveUp(detail: string): void {
    this.close(detail);
  }

  close(detail: string): void {
    this.closed ??= detail;
  }

  /** What was sent since the last look. */
  take(): WorkerMessage[] {
    return this.sent.splice(0);
  }
}

export class FakeSpool implements Spool {
  content = new Uint8Array(0);
  discarded = false;
  /** No more than this fits on the disk. */
  room = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.content.length;
  }

  append(data: Uint8Array): void {
    if (this.size + data.length > this.room) throw new OctasklyError('io', 'The disk is full.');
    this.content = Uint8Array.from([...this.content, ...data]);
  }

  read(from: number, max: number): Uint8Array {
    return this.content.subarray(from, from + max);
  }

  discard(): void {
    this.discarded = true;
  }
}

export class FakeWorkspace implements Workspace {
  readonly directories = new Set<string>();
  readonly spools = new Map<string, FakeSpool>();

  createArea(): TaskArea {
    const path = `/tasks/${this.directories.size + 1}`;
    this.directories.add(path);
    return { directory: path, temporary: null, user: null };
  }

  async removeArea({ directory }: TaskArea): Promise<void> {
    this.directories.delete(directory);
  }

  openSpool(key: string): FakeSpool {
    const spool = new FakeSpool();
    this.spools.set(key, spool);
    return spool;
  }
}

/** A process that runs until the test ends it. */
export class FakeProcess implements Launched {
  readonly pid = 4711;
  readonly plan: LaunchPlan;
  readonly asked: string[] = [];
  input = '';
  /** Takes input: true; reads no more: false. */
  reads = true;
  readonly ended: Promise<ProcessEnd>;
  readonly write: (stream: Stream, data: Uint8Array) => Promise<void> | undefined;
  #end: (end: ProcessEnd) => void = () => undefined;

  constructor(plan: LaunchPlan, write: (stream: Stream, data: Uint8Array) => Promise<void> | undefined) {
    this.plan = plan;
    this.write = write;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async writeStdin(data: Uint8Array): Promise<boolean> {
    if (this.reads) this.input += text(data);
    return this.reads;
  }

  resize({ columns, rows }: TerminalSize): void {
    this.asked.push(`resize ${columns}x${rows}`);
  }

  closeStdin(): void {
    this.asked.push('closeStdin');
  }

  terminate(): void {
    this.asked.push('terminate');
  }

  kill(): void {
    this.asked.push('kill');
  }

  /** Ends, and lets those who wait for it run. */
  async exit(end: Partial<ProcessEnd> = {}): Promise<void> {
    this.#end({
      exitCode: 0,
      signal: null,
      cpuMs: null,
      memoryPeakBytes: null,
      writtenBytes: null,
      limitExceeded: null,
      ...end,
    });
    await this.ended;
    await Promise.resolve();
  }
}

export class FakeLauncher implements Launcher {
  readonly processes: FakeProcess[] = [];
  refuses: string | null = null;

  launch(plan: LaunchPlan, onOutput: (stream: Stream, data: Uint8Array) => Promise<void> | undefined): FakeProcess {
    if (this.refuses !== null) throw new OctasklyError('io', this.refuses);
    const launched = new FakeProcess(plan, onOutput);
    this.processes.push(launched);
    return launched;
  }

  /** The process of an attempt. */
  of(taskId: string, attempt = 1): FakeProcess {
    const found = this.processes.find(({ plan }) => plan.marker === `${taskId}.${attempt}`);
    if (found === undefined) throw new Error(`attempt ${attempt} of ${taskId} was not launched`);
    return found;
  }
}
