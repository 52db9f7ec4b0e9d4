/**
 * The people who use a simulated dispatcher: they submit, repeat what was not answered under the same idempotency key,
 * cancel, try again, feed input, follow output. They remember what they were promised, which is what the checks hold the
 * dispatcher to.
 */

import type { NewTask, OutputCursor, Submission, Submitted } from '../../src/api/backend.ts';
import { OctasklyError } from '../../src/base/errors.ts';
import type { Dispatcher } from '../../src/dispatcher/dispatcher.ts';
import type { Stream } from '../../src/wire/messages.ts';
import { owner } from '../plain-trust.ts';
import type { Machine } from './clock.ts';
import type { Dice } from './dice.ts';
import type { Program } from './processes.ts';
import type { Running, World } from './world.ts';

/** A call that has not been answered. */
interface Call {
  readonly what: string;
  /** The task whose process it waits for. */
  readonly feeds: string | null;
  /** It is made again until it is answered. */
  readonly insists: boolean;
  readonly action: (dispatcher: Dispatcher) => Promise<void>;
  machine: Machine | null;
  tries: number;
}

/** What a person asks for. */
export interface Order {
  readonly tasks: readonly NewTask[];
  readonly batch: boolean;
}

/** A task somebody was told is safe. */
export interface Promised {
  readonly id: string;
  readonly program: Program;
  readonly task: NewTask;
  cancelled: boolean;
}

/** What a follower has seen of a stream. */
export interface Followed {
  readonly id: string;
  readonly stream: Stream;
  readonly bytes: number[];
  /** It was let go by a dispatcher that was neither closing nor gone. */
  complete: boolean;
}

/** Answers after which the same call is made again. */
const passing = new Set(['storage_unavailable', 'shutting_down', 'queue_full']);
const triesMax = 200;
const inputChunkBytes = 300;

export class People {
  readonly promised = new Map<string, Promised>();
  readonly followed: Followed[] = [];
  /** What was promised and not kept, noticed by those it was promised to. */
  readonly complaints: string[] = [];
  readonly #world: World;
  readonly #dice: Dice;
  readonly #calls = new Set<Call>();
  readonly #answers: { submission: Submission; answer: Submitted }[] = [];
  #keys = 0;

  constructor(world: World, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
  }

  /** Calls that wait for an answer; `feeds` names the task whose process they wait for. */
  get waiting(): readonly { readonly what: string; readonly feeds: string | null }[] {
    return [...this.#calls];
  }

  /** Those who waited for an answer of this program never get it; they ask its successor. */
  onDispatcherGone(machine: Machine): void {
    for (const call of this.#calls) if (call.machine === machine) this.#again(call);
  }

  submit({ tasks, batch }: Order): void {
    this.#keys += 1;
    const submission: Submission = {
      tasks,
      batch: batch ? { name: null } : null,
      idempotency: { key: `key${this.#keys}`, bodyHash: `hash${this.#keys}` },
      actor: owner,
    };
    this.#submit(submission);
  }

  /** Asks a second time for what was granted before. */
  repeat(): void {
    if (this.#answers.length === 0) return;
    const { submission, answer } = this.#dice.pick(this.#answers);
    this.#call(`repeats ${submission.idempotency?.key}`, async (dispatcher) => {
      const again = await dispatcher.submit(submission);
      const same = JSON.stringify(again.taskIds) === JSON.stringify(answer.taskIds);
      if (!again.repeated || !same) this.complaints.push(`key ${submission.idempotency?.key} made other tasks`);
    });
  }

  cancel(): void {
    const promised = this.#anyone();
    if (promised === null) return;
    this.#call(`cancels ${promised.id}`, async (dispatcher) => {
      await dispatcher.cancel([promised.id], owner);
      promised.cancelled = true;
    });
  }

  retry(): void {
    const promised = this.#anyone();
    if (promised === null) return;
    this.#call(`retries ${promised.id}`, async (dispatcher) => {
      const id = await dispatcher.retry(promised.id, owner);
      const { dependsOn: _ended, ...task } = promised.task;
      this.#promise(dispatcher, id, { ...task, dependsOn: [] });
    });
  }

  setDraining(workerId: string, draining: boolean, { insists }: { insists: boolean }): void {
    const action: Call['action'] = (dispatcher) => dispatcher.setDraining(workerId, draining, owner);
    this.#call(`${draining ? 'drains' : 'undrains'} ${workerId}`, action, { insists });
  }

  setPaused(paused: boolean, { insists }: { insists: boolean }): void {
    const action: Call['action'] = (dispatcher) => dispatcher.setPaused(paused, owner);
    this.#call(paused ? 'pauses' : 'resumes', action, { insists });
  }

  /** Reads a task's output as it comes, until it is let go. */
  follow(): void {
    const promised = this.#anyone();
    const running = this.#world.dispatcher;
    if (promised === null || running === null) return;
    const stream = this.#dice.pick<Stream>(['stdout', 'stderr']);
    const followed: Followed = { id: promised.id, stream, bytes: [], complete: false };
    running.machine.schedule(running.machine.instant, () => {
      const cursor = running.dispatcher.output(promised.id, stream, { from: 0, follow: true });
      this.followed.push(followed);
      void this.#read(running, cursor, followed);
    });
  }

  async #read({ dispatcher }: Running, cursor: OutputCursor, followed: Followed): Promise<void> {
    for (;;) {
      const bytes = cursor.read(5000);
      if (bytes === null) break;
      followed.bytes.push(...bytes);
      if (bytes.length === 0) await cursor.next();
    }
    followed.complete = dispatcher.ready().ready;
  }

  #anyone(): Promised | null {
    const all = [...this.promised.values()];
    return all.length === 0 ? null : this.#dice.pick(all);
  }

  #submit(submission: Submission): void {
    this.#call(`submits ${submission.tasks.length} as ${submission.idempotency?.key}`, async (dispatcher) => {
      const answer = await dispatcher.submit(submission);
      this.#answers.push({ submission, answer });
      answer.taskIds.forEach((id, index) => {
        const task = submission.tasks[index];
        if (task !== undefined) this.#promise(dispatcher, id, task);
      });
      this.#world.journal.note('p', `has ${answer.taskIds.join(' ')}`);
    });
  }

  #promise(dispatcher: Dispatcher, id: string, task: NewTask): void {
    if (this.promised.has(id)) return;
    if (!this.#world.disk.tasks.has(id)) this.complaints.push(`task ${id} was acknowledged and is not stored`);
    if (dispatcher.task(id) === null) this.complaints.push(`task ${id} was acknowledged and cannot be read`);
    this.promised.set(id, { id, task, program: JSON.parse(task.command ?? '') as Program, cancelled: false });
    if (task.stdin.kind === 'stream') this.#feed(id, 0);
  }

  /** Input byte n is n modulo 256. */
  #feed(id: string, offset: number): void {
    const data = Uint8Array.from({ length: this.#dice.whole(1, inputChunkBytes) }, (_, i) => (offset + i) & 0xff);
    const eof = this.#dice.chance(0.3);
    const write: Call['action'] = async (dispatcher) => {
      await dispatcher.writeStdin(id, { offset, data, eof });
      if (!eof) this.#feed(id, offset + data.length);
    };
    this.#call(`feeds ${id} at ${offset}`, write, { feeds: id });
  }

  #call(what: string, action: Call['action'], manner: Partial<Pick<Call, 'feeds' | 'insists'>> = {}): void {
    const call: Call = { what, action, feeds: null, insists: true, ...manner, machine: null, tries: 0 };
    this.#calls.add(call);
    this.#make(call);
  }

  #make(call: Call): void {
    const running = this.#world.dispatcher;
    if (running === null) {
      this.#again(call);
      return;
    }
    const { machine, dispatcher } = running;
    call.machine = machine;
    machine.schedule(machine.instant + this.#dice.between(0, 5), () => {
      this.#world.journal.note('p', call.what);
      call.action(dispatcher).then(
        () => this.#calls.delete(call),
        (error) => this.#refused(call, error),
      );
    });
  }

  #refused(call: Call, error: unknown): void {
    if (!(error instanceof OctasklyError)) {
      this.#calls.delete(call);
      this.complaints.push(`${call.what}: ${error instanceof Error ? error.stack : String(error)}`);
      return;
    }
    this.#world.journal.note('p', `is told ${error.code}`);
    if (passing.has(error.code)) this.#again(call);
    else this.#calls.delete(call);
  }

  #again(call: Call): void {
    call.machine = null;
    call.tries += 1;
    if (!call.insists || call.tries > triesMax) {
      this.#calls.delete(call);
      return;
    }
    const { timeline } = this.#world;
    timeline.at(timeline.now + this.#dice.between(200, 3000), () => this.#make(call));
  }
}
