import { expect, test } from 'bun:test';
import { OctasklyError } from '../../../src/base/errors.ts';
import type { ReportEntry } from '../../../src/core/attempt.ts';
import type { TaskFile } from '../../../src/core/files.ts';
import type { OutputPlace } from '../../../src/core/task.ts';
import { Dispatcher } from '../../../src/dispatcher/dispatcher.ts';
import type { DispatcherLink, LinkHandlers } from '../../../src/ports/links.ts';
import type { DispatcherMessage, WorkerMessage } from '../../../src/wire/messages.ts';
import { blobOf, MemoryBlobs } from '../../memory-blobs.ts';
import { owner, plainTrust } from '../../plain-trust.ts';
import { declaration, policy, spec, usage } from '../core/samples.ts';
import { ManualClock } from '../manual-clock.ts';
import { bytes, FakeOutputs, FakeStore, silentLog } from './fakes.ts';

const content = bytes('what it made');
const file: TaskFile = { path: 'out/a', blob: blobOf(content), bytes: content.length, executable: false };
const asksForIt = { kind: 'blobWanted', ranges: [{ blob: file.blob, offset: 0, length: file.bytes }] } as const;
const gives = { kind: 'blobData', parts: [{ blob: file.blob, offset: 0, data: content }] } as const;

class Peer implements DispatcherLink {
  readonly remote = '192.0.2.1:5';
  readonly remoteKey: string;
  readonly admission = { by: 'secret', keyId: '00000000' } as const;
  readonly congested = false;
  readonly blobsCongested = false;
  readonly handlers: LinkHandlers<WorkerMessage>;
  heard: DispatcherMessage[] = [];

  constructor(bench: Bench, id = 'w1') {
    this.remoteKey = `key of ${id}`;
    this.handlers = bench.dispatcher.accept(this);
  }

  send(message: DispatcherMessage): void {
    this.heard.push(message);
  }

  giveUp(detail: string): void {
    this.close(detail);
  }

  close(detail: string): void {
    this.handlers.onEnd({ code: 'closed', detail });
  }

  /** Kinds of what it was told since the last look. */
  told(): string[] {
    return this.heard.splice(0).map(({ kind }) => kind);
  }
}

class Bench {
  readonly clock = new ManualClock();
  readonly journal: string[] = [];
  readonly store = new FakeStore(this.journal);
  readonly blobs = new MemoryBlobs();
  readonly dispatcher: Dispatcher;
  peer: Peer;
  taskId = '';

  constructor() {
    const { clock, store, blobs } = this;
    const parts = {
      clock,
      store,
      outputs: new FakeOutputs(),
      blobs,
      log: silentLog,
      version: '0',
      runId: 'r',
      clusterId: '00112233445566ff',
      peersAllowed: true,
      node: { id: 'd1', name: 'dispatcher' },
      roster: { save: () => undefined },
      policy,
      trust: plainTrust(),
    };
    this.dispatcher = new Dispatcher(parts);
    this.peer = new Peer(this);
  }

  async say(...messages: WorkerMessage[]): Promise<void> {
    for (const message of messages) this.peer.handlers.onMessage(message);
    for (let n = 0; n < 3; n++) {
      this.clock.settle();
      for (let m = 0; m < 40; m++) await Promise.resolve();
    }
    this.clock.settle();
  }

  /** A worker runs a task that is asked for outputs. */
  static async running(outputsAt: OutputPlace = 'dispatcher'): Promise<Bench> {
    const bench = new Bench();
    await bench.say({ kind: 'join', worker: declaration('w1', { slots: 4 }), held: [] });
    const { batchId: _batch, retryOf: _retry, ...asked } = spec({ outputs: ['out/*'], outputsAt });
    const tasks = [asked, { ...asked, outputs: [] }];
    const answer = bench.dispatcher.submit({ tasks, batch: null, idempotency: null, actor: owner });
    bench.clock.settle();
    bench.taskId = (await answer).taskIds[0] ?? '';
    bench.peer.told();
    return bench;
  }

  ended(
    outputs: readonly TaskFile[] = [file],
    taskId = this.taskId,
  ): WorkerMessage & { entries: readonly ReportEntry[] } {
    const nothing = new Uint8Array(0);
    const outcome = { kind: 'exited', exitCode: 0 } as const;
    const rest = { startedAt: 0, outcome, usage: usage(), stdout: nothing, stderr: nothing, outputProblems: [] };
    return { kind: 'report', entries: [{ kind: 'ended', taskId, attempt: 1, ...rest, outputs }] };
  }

  /** Changes about files, and the state of the task, as stored. */
  stored(): unknown[] {
    return this.store.commits.flat().filter((change) => change.kind === 'outputs');
  }

  get status(): string | undefined {
    return this.dispatcher.state.tasks.get(this.taskId)?.status;
  }
}

test('an end with files is taken in once they are here and safe', async () => {
  const bench = await Bench.running();
  await bench.say(bench.ended());
  expect(bench.peer.heard).toEqual([asksForIt]);
  expect([bench.status, bench.stored()]).toEqual(['running', []]);
  await bench.say(gives);
  expect(bench.blobs.unsynced.size).toBe(0);
  expect(bench.stored()).toEqual([{ kind: 'outputs', taskId: bench.taskId, files: [file], problems: [] }]);
  expect([bench.status, bench.peer.told()]).toEqual([undefined, ['blobWanted', 'ack']]);
});

/** As `ended`, of a worker that keeps the files. */
function stays(bench: Bench): WorkerMessage {
  const { entries, ...report } = bench.ended();
  return { ...report, entries: entries.map((entry) => ({ ...entry, outputsStay: true })) } as WorkerMessage;
}

test('an end whose files stay is taken in without them, and it is on record who keeps them', async () => {
  const bench = await Bench.running('worker');
  bench.store.keptOutputs = [{ ...file, taskId: bench.taskId, attempt: 1, workerId: 'w1' }];
  await bench.say(stays(bench));
  expect([bench.status, bench.peer.told()]).toEqual([undefined, ['ack']]);
  expect(bench.stored()).toMatchObject([{ files: [file], keptAt: 'w1' }]);
  bench.store.keptOutputs = [];
  // Told again, as after a broken link, when the task is forgotten: nobody needs to keep anything.
  await bench.say(stays(bench));
  expect(bench.peer.told()).toEqual(['ack', 'release']);
});

test('files do not stay unasked, nor with a worker that is about to go: they are fetched, and it is let go', async () => {
  const unasked = await Bench.running();
  await unasked.say(stays(unasked));
  expect([unasked.status, unasked.peer.told()]).toEqual(['running', ['blobWanted']]);
  const leaving = await Bench.running('worker');
  await leaving.say({ kind: 'leaving' }, stays(leaving));
  expect(leaving.peer.told()).toContain('blobWanted');
  await leaving.say(gives);
  expect(leaving.stored()).toEqual([{ kind: 'outputs', taskId: leaving.taskId, files: [file], problems: [] }]);
  expect(leaving.peer.told()).toEqual(['ack', 'release']);
});

test('a worker that joins is told what of that which it keeps nobody wants', async () => {
  const bench = await Bench.running('worker');
  bench.store.keptOutputs = [{ ...file, taskId: 't1', attempt: 1, workerId: 'w1' }];
  await bench.say({ kind: 'kept', attempts: ['t1', 't2'].map((taskId) => ({ taskId, attempt: 1 })) });
  expect(bench.peer.heard).toEqual([{ kind: 'release', attempts: [{ taskId: 't2', attempt: 1 }] }]);
});

test('a worker gets what another one keeps, as it comes; and a task may name it', async () => {
  const bench = await Bench.running('worker');
  const keeper = bench.peer;
  bench.peer = new Peer(bench, 'w2');
  await bench.say({ kind: 'join', worker: declaration('w2', { slots: 4 }), held: [] });
  bench.store.keptOutputs = [{ ...file, taskId: bench.taskId, attempt: 1, workerId: 'w1' }];
  const wanted = { tasks: [{ ...spec(), inputs: [file] }], batch: null, idempotency: null, actor: owner };
  const submitted = bench.dispatcher.submit(wanted);
  await bench.say(asksForIt);
  expect((await submitted).taskIds).toHaveLength(1);
  expect(keeper.heard).toContainEqual(asksForIt);
  keeper.handlers.onMessage(gives);
  await bench.say();
  bench.clock.advance(50);
  await bench.say();
  expect(bench.peer.heard).toContainEqual(gives);
});

test('an end that is held back holds up no other, and is asked for once however often it is told', async () => {
  const bench = await Bench.running();
  const other = [...bench.dispatcher.state.tasks.keys()].find((id) => id !== bench.taskId) ?? '';
  const [held] = bench.ended().entries;
  if (held === undefined) throw new Error('there is an entry');
  await bench.say({ kind: 'report', entries: [held, ...bench.ended([], other).entries] }, bench.ended());
  expect(bench.peer.told().sort()).toEqual(['ack', 'blobWanted']);
  expect([...bench.dispatcher.state.tasks.keys()]).toEqual([bench.taskId]);
});

test('what is here already is not sent again', async () => {
  const bench = await Bench.running();
  bench.blobs.add(content);
  await bench.say(bench.ended());
  expect([bench.status, bench.peer.told()]).toEqual([undefined, ['ack']]);
  expect(bench.blobs.syncs).toBeGreaterThan(0);
});

test('a file that cannot be had becomes a problem of the end, which is taken in', async () => {
  const bench = await Bench.running();
  const lacking = { ...file, path: 'out/b', blob: `sha256:${'0'.repeat(64)}` };
  await bench.say(bench.ended([file, lacking]));
  await bench.say({ kind: 'blobRefused', blob: lacking.blob, detail: 'It is damaged.' }, gives);
  expect(bench.stored()).toEqual([
    {
      kind: 'outputs',
      taskId: bench.taskId,
      files: [file],
      problems: ['The output "out/b" could not be fetched from its worker: the worker cannot give it: It is damaged.'],
    },
  ]);
  expect(bench.status).toBeUndefined();
});

test('when the link breaks nothing is taken in; the next report goes on where the transfer stood', async () => {
  const bench = await Bench.running();
  await bench.say(bench.ended());
  await bench.say({ kind: 'blobData', parts: [{ ...gives.parts[0], data: content.subarray(0, 5) }] });
  bench.peer.close('the line is cut');
  await bench.say();
  expect(bench.stored()).toEqual([]);
  bench.peer = new Peer(bench);
  const held = [{ taskId: bench.taskId, attempt: 1, phase: 'ended' as const }];
  await bench.say({ kind: 'join', worker: declaration('w1', { slots: 4 }), held });
  await bench.say(bench.ended());
  const wanted = bench.peer.heard.find(({ kind }) => kind === 'blobWanted');
  expect(wanted).toEqual({ kind: 'blobWanted', ranges: [{ blob: file.blob, offset: 5, length: file.bytes - 5 }] });
  await bench.say({ kind: 'blobData', parts: [{ blob: file.blob, offset: 5, data: content.subarray(5) }] });
  expect([bench.status, bench.stored()]).toEqual([undefined, [expect.objectContaining({ files: [file] })]]);
});

test('files that cannot be made safe are a failure of storage: nothing is taken in', async () => {
  const bench = await Bench.running();
  bench.blobs.add(content);
  bench.blobs.sync = () => Promise.reject(new OctasklyError('storage_unavailable', 'The disk is full.'));
  await bench.say(bench.ended());
  expect([bench.stored(), bench.dispatcher.ready().reason]).toEqual([[], 'The disk is full.']);
  expect(bench.peer.told()).toEqual(['refused']);
});

test('blobs are served to workers that have joined, and to nobody else', async () => {
  const bench = await Bench.running();
  bench.blobs.add(content);
  await bench.say(asksForIt);
  expect(bench.peer.heard).toEqual([gives]);
  bench.peer = new Peer(bench);
  await bench.say(asksForIt);
  expect(bench.peer.heard).toEqual([]);
});

test('a worker that joins twice in one turn is told of no attempt that was taken back in between', async () => {
  const bench = new Bench();
  const tasks = [spec()].map(({ batchId: _batch, retryOf: _retry, ...asked }) => asked);
  const answer = bench.dispatcher.submit({ tasks, batch: null, idempotency: null, actor: owner });
  const join: WorkerMessage = { kind: 'join', worker: declaration('w1'), held: [] };
  // The dispatcher gets to run once both are here.
  bench.peer.handlers.onMessage(join);
  bench.peer.handlers.onEnd({ code: 'stalled', detail: 'no answer' });
  bench.peer = new Peer(bench);
  await bench.say(join);
  const [id = ''] = (await answer).taskIds;
  const assigned = bench.peer.heard.flatMap((message) => (message.kind === 'assign' ? message.attempts : []));
  expect(assigned.map(({ taskId, attempt }) => [taskId, attempt])).toEqual([[id, 2]]);
});
