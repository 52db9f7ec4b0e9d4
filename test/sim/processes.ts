/**
 * The `Launcher` and `Workspace` ports as simulated processes. A task's command is a `Program` as JSON: how long it
 * runs, what it writes, how it ends. What it writes follows from task, attempt and stream alone, so that the checks know
 * every byte that should have been stored. When a worker's program dies, everything it had started dies with it.
 */

import { assert } from '../../src/base/assert.ts';
import { OctasklyError } from '../../src/base/errors.ts';
import type { TaskFile } from '../../src/core/files.ts';
import type { StdinSpec } from '../../src/core/task.ts';
import type { Spool, TaskArea, Workspace } from '../../src/ports/files.ts';
import type { Launched, Launcher, LaunchPlan, ProcessEnd } from '../../src/ports/processes.ts';
import type { Stream } from '../../src/wire/messages.ts';
import { blobOf, type MemoryBlobs } from '../memory-blobs.ts';
import { MemoryFiles } from '../memory-files.ts';
import { Crash, type Machine } from './clock.ts';
import type { Dice } from './dice.ts';
import type { Journal } from './journal.ts';

/** What a simulated command does. Counts of attempts say for how many of the first attempts something holds. */
export interface Program {
  readonly runsMs: number;
  readonly exitCode: number;
  /** Attempts up to this one exit with status 1. */
  readonly failsFirst: number;
  /** Attempts up to this one cannot be started. */
  readonly unstartable: number;
  /** So often, it brings down the worker it runs on. */
  readonly killsWorkers: number;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly chunks: number;
  readonly ignoresTerm: boolean;
  /** Bytes of live input it reads before it takes no more; it ends only after the end of its input. */
  readonly readsBytes: number;
  /** Files it finds in its directory. */
  readonly reads: readonly TaskFile[];
  /** Files it leaves there. */
  readonly writes: readonly { readonly path: string; readonly bytes: number }[];
}

/** What one attempt's process did. */
export interface Trace {
  readonly taskId: string;
  readonly attempt: number;
  readonly host: string;
  /** The program it ran under. */
  readonly machine: Machine;
  /** World's time, ms. */
  readonly beganAt: number;
  readonly written: Record<Stream, number>;
  readonly read: number[];
  /** Files it left, blobs by path. */
  readonly left: Map<string, string>;
  ended: boolean;
}

/** Everything that was ever started in the world, by attempt (`task.attempt`). */
export class Traces {
  readonly byAttempt = new Map<string, Trace>();
  /** Workers brought down, by task. */
  readonly kills = new Map<string, number>();
}

/** Byte `position` and following of what an attempt writes to a stream. */
export function writtenBytes(key: string, stream: Stream, from: number, count: number): Uint8Array {
  const base = Number(Bun.hash(`${key}.${stream}`) & 0xffn);
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = base + (from + i) * 7 + ((from + i) >> 8);
  return bytes;
}

interface Surroundings {
  readonly machine: Machine;
  readonly dice: Dice;
  readonly journal: Journal;
  readonly traces: Traces;
  readonly blobs: MemoryBlobs;
}

/** Placing takes its time, and is done only in areas that are there. */
class SimulatedFiles extends MemoryFiles {
  readonly #around: Surroundings;
  readonly #inUse: ReadonlySet<string>;

  constructor(around: Surroundings, inUse: ReadonlySet<string>) {
    super(around.blobs);
    this.#around = around;
    this.#inUse = inUse;
  }

  override async place(files: readonly TaskFile[], area: TaskArea): Promise<void> {
    await this.#pause(area);
    await super.place(files, area);
  }

  override async collect(...args: Parameters<MemoryFiles['collect']>): ReturnType<MemoryFiles['collect']> {
    await this.#pause(args[1]);
    return super.collect(...args);
  }

  #pause({ directory }: TaskArea): Promise<void> {
    const { machine, dice } = this.#around;
    return new Promise((resolve) => {
      machine.schedule(machine.instant + dice.between(0, 50), () => {
        assert(this.#inUse.has(directory), `files of ${directory} are touched after its end`);
        resolve();
      });
    });
  }
}

/** One worker program's processes, directories and spools. */
export class ProcessTable implements Launcher, Workspace {
  readonly running = new Map<string, SimulatedProcess>();
  /** Directories and spools in use. */
  readonly inUse = new Set<string>();
  private dirCount = 0;
  /** Chance of a directory not to be made. */
  failedDirs = 0;
  readonly files: MemoryFiles;
  readonly #around: Surroundings;

  constructor(around: Surroundings) {
    this.#around = around;
    this.files = new SimulatedFiles(around, this.inUse);
  }

  /** Areas in use: attempts that were begun and whose result is not settled. */
  get areas(): number {
    return [...this.inUse].filter((name) => name.startsWith('/tasks/')).length;
  }

  launch(plan: LaunchPlan, onOutput: (stream: Stream, data: Uint8Array) => Promise<void> | undefined): Launched {
    const { traces, journal, machine, dice } = this.#around;
    const program = JSON.parse(plan.argv[2] ?? '') as Program;
    const taskId = plan.env.OCTASKLY_TASK_ID ?? '';
    const attempt = Number(plan.env.OCTASKLY_ATTEMPT);
    const key = `${taskId}.${attempt}`;
    assert(!traces.byAttempt.has(key), `attempt ${key} was started twice`);
    const files = this.files.of(plan.cwd);
    for (const { path, blob } of program.reads) {
      const content = files.get(path);
      assert(content !== undefined && blobOf(content) === blob, `attempt ${key} is started without its input ${path}`);
    }
    if (attempt <= program.unstartable) throw new OctasklyError('io', 'there is no such program');
    const trace: Trace = {
      taskId,
      attempt,
      host: machine.name,
      machine,
      beganAt: machine.instant,
      written: { stdout: 0, stderr: 0 },
      read: [],
      left: new Map(),
      ended: false,
    };
    traces.byAttempt.set(key, trace);
    journal.note(machine.name, `starts ${key}`);
    const kills = traces.kills.get(taskId) ?? 0;
    const process = new SimulatedProcess(this.#around, { program, stdin: plan.stdin, trace, onOutput, files }, () => {
      this.running.delete(key);
    });
    this.running.set(key, process);
    if (kills < program.killsWorkers) {
      machine.schedule(machine.instant + dice.between(0, 2 * program.runsMs), () => {
        if (!this.running.has(key)) return;
        traces.kills.set(taskId, kills + 1);
        throw new Crash(`brought down by ${key}`);
      });
    }
    return process;
  }

  /** The worker's program died. */
  killAll(): void {
    for (const process of this.running.values()) process.trace.ended = true;
    this.running.clear();
  }

  createArea(): TaskArea {
    if (this.#around.dice.chance(this.failedDirs)) throw new OctasklyError('io', 'no space left for directories');
    this.dirCount += 1;
    const path = `/tasks/${this.dirCount}`;
    this.inUse.add(path);
    return { directory: path, temporary: null, user: null };
  }

  async removeArea({ directory }: TaskArea): Promise<void> {
    this.inUse.delete(directory);
    this.files.areas.delete(directory);
  }

  openSpool(key: string): Spool {
    return new SimulatedSpool(this.inUse, key);
  }
}

class SimulatedSpool implements Spool {
  readonly #inUse: Set<string>;
  readonly #key: string;
  #bytes = new Uint8Array(0);
  #discarded = false;

  constructor(inUse: Set<string>, key: string) {
    this.#inUse = inUse;
    this.#key = key;
    inUse.add(key);
  }

  get size(): number {
    return this.#bytes.length;
  }

  append(data: Uint8Array): void {
    assert(!this.#discarded, `spool ${this.#key} is written after it was discarded`);
    const bytes = new Uint8Array(this.#bytes.length + data.length);
    bytes.set(this.#bytes);
    bytes.set(data, this.#bytes.length);
    this.#bytes = bytes;
  }

  read(from: number, max: number): Uint8Array {
    assert(!this.#discarded, `spool ${this.#key} is read after it was discarded`);
    return this.#bytes.slice(from, from + max);
  }

  discard(): void {
    this.#discarded = true;
    this.#inUse.delete(this.#key);
  }
}

interface Life {
  readonly program: Program;
  readonly stdin: StdinSpec;
  readonly trace: Trace;
  readonly onOutput: (stream: Stream, data: Uint8Array) => Promise<void> | undefined;
  /** The files of its directory. */
  readonly files: Map<string, Uint8Array>;
}

export class SimulatedProcess implements Launched {
  readonly pid = 1;
  readonly ended: Promise<ProcessEnd>;
  readonly trace: Trace;
  readonly #around: Surroundings;
  readonly #life: Life;
  readonly #onGone: () => void;
  #resolve: (end: ProcessEnd) => void = () => undefined;
  #over = false;
  #inputEnded = false;
  #readsNoMore = false;
  /** When it will have read what was written to it so far. */
  #readsAt = 0;

  constructor(around: Surroundings, life: Life, onGone: () => void) {
    this.#around = around;
    this.#life = life;
    this.#onGone = onGone;
    this.trace = life.trace;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#write();
    if (life.stdin.kind !== 'stream') this.#exitAfter(life.program.runsMs);
  }

  writeStdin(data: Uint8Array): Promise<boolean> {
    const { machine, dice } = this.#around;
    const { trace, program } = this.#life;
    assert(!this.#inputEnded, 'standard input is written after its end');
    // A pipe is read in order.
    this.#readsAt = Math.max(this.#readsAt, machine.instant) + dice.between(0, 50);
    return new Promise((resolve) => {
      machine.schedule(this.#readsAt, () => {
        const taken = !this.#over && !this.#readsNoMore && trace.read.length + data.length <= program.readsBytes;
        if (taken) trace.read.push(...data);
        else if (!this.#readsNoMore) this.#exitAfter(program.runsMs);
        this.#readsNoMore = !taken;
        resolve(taken);
      });
    });
  }

  closeStdin(): void {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    const { machine } = this.#around;
    this.#exitAfter(Math.max(0, this.#readsAt - machine.instant) + this.#life.program.runsMs);
  }

  resize(): void {}

  terminate(): void {
    if (!this.#life.program.ignoresTerm) this.#endAfter(50, 'SIGTERM');
  }

  kill(): void {
    this.#endAfter(20, 'SIGKILL');
  }

  #endAfter(ms: number, signal: string): void {
    const { machine, dice } = this.#around;
    machine.schedule(machine.instant + dice.between(0, ms), () => this.#end({ exitCode: null, signal }));
  }

  #exitAfter(ms: number): void {
    const { machine } = this.#around;
    const { program, trace } = this.#life;
    const exitCode = trace.attempt <= program.failsFirst ? 1 : program.exitCode;
    machine.schedule(machine.instant + ms, () => {
      if (!this.#over) this.#leaveFiles();
      this.#end({ exitCode, signal: null });
    });
  }

  #leaveFiles(): void {
    const { program, trace, files } = this.#life;
    for (const { path, bytes } of program.writes) {
      const content = writtenBytes(`${trace.taskId}.${trace.attempt} ${path}`, 'stdout', 0, bytes);
      files.set(path, content);
      trace.left.set(path, blobOf(content));
    }
  }

  #write(): void {
    const { machine, dice } = this.#around;
    const { program, trace, onOutput } = this.#life;
    const sizes = { stdout: program.stdoutBytes, stderr: program.stderrBytes };
    for (let chunk = 0; chunk < program.chunks; chunk++) {
      for (const stream of ['stdout', 'stderr'] as const) {
        const count = Math.floor(sizes[stream] / program.chunks);
        if (count === 0) continue;
        const at = (program.runsMs * (chunk + dice.roll())) / program.chunks;
        machine.schedule(machine.instant + at, () => {
          if (this.#over) return;
          const from = trace.written[stream];
          trace.written[stream] += count;
          void onOutput(stream, writtenBytes(`${trace.taskId}.${trace.attempt}`, stream, from, count));
        });
      }
    }
  }

  #end(how: { exitCode: number | null; signal: string | null }): void {
    if (this.#over) return;
    this.#over = true;
    const { machine, journal } = this.#around;
    const { trace } = this.#life;
    trace.ended = true;
    journal.note(machine.name, `ends ${trace.taskId}.${trace.attempt} ${how.signal ?? how.exitCode}`);
    this.#onGone();
    this.#resolve({ ...how, cpuMs: null, memoryPeakBytes: null, writtenBytes: null, limitExceeded: null });
  }
}
