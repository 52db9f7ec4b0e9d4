import { expect, test } from 'bun:test';
import type { NewTask, Submission } from '../../../src/api/backend.ts';
import type { ReportEntry } from '../../../src/core/attempt.ts';
import { emptyCounts } from '../../../src/core/state.ts';
import { Dispatcher } from '../../../src/dispatcher/dispatcher.ts';
import { feederSilenceMs } from '../../../src/dispatcher/stdin.ts';
import type { DispatcherLink, LinkHandlers } from '../../../src/ports/links.ts';
import type { DispatcherMessage, WorkerMessage } from '../../../src/wire/messages.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import { owner, plainTrust } from '../../plain-trust.ts';
import { declaration, policy, spec, usage } from '../core/samples.ts';
import { ManualClock } from '../manual-clock.ts';
import { bytes, FakeOutputs, FakeStore, silentLog, text } from './fakes.ts';

/** A worker as the dispatcher sees it: a link, and what was said to it. */
class Peer implements DispatcherLink {
  readonly remote = '192.0.2.1:5';
  readonly remoteKey: string;
  readonly admission = { by: 'secret', keyId: '00000000' } as const;
  readonly congested = false;
  readonly blobsCongested = false;
  readonly heard: DispatcherMessage[] = [];
  closed: string | null = null;
  readonly #handlers: LinkHandlers<WorkerMessage>;
  readonly #bench: Bench;

  constructor(bench: Bench, id = 'w1') {
    this.#bench = bench;
    this.remoteKey = `key of ${id}`;
    this.#handlers = bench.dispatcher.accept(this);
  }

  send(message: DispatcherMessage): void {
    if (this.closed === null) this.heard.push(message);
  }

  giveUp(detail: string): void {
    this.close(detail);
  }

  close(detail: string): void {
    if (this.closed !== null) return;
    this.closed = detail;
    this.#handlers.onEnd({ code: 'closed', detail });
  }

  /** Says something that is not taken in yet. */
  tell(...messages: WorkerMessage[]): void {
    for (const message of messages) this.#handlers.onMessage(message);
  }

  say(...messages: WorkerMessage[]): void {
    this.tell(...messages);
    this.#bench.clock.settle();
  }

  kinds(): string[] {
    return this.heard.splice(0).map(({ kind }) => kind);
  }
}

class Bench {
  readonly clock = new ManualClock();
  readonly store = new FakeStore();
  readonly outputs = new FakeOutputs();
  readonly blobs = new MemoryBlobs();
  readonly dispatcher: Dispatcher;

  constructor(queueMax = policy.queueMax) {
    const { clock, store, outputs, blobs } = this;
    const parts = {
      clock,
      store,
      outputs,
      blobs,
      log: silentLog,
      version: '0.1.0',
      runId: 'run1',
      clusterId: '00112233445566ff',
      peersAllowed: true,
      node: { id: 'd1', name: 'dispatcher' },
      roster: { save: () => undefined },
      trust: plainTrust(),
    };
    this.dispatcher = new Dispatcher({ ...parts, policy: { ...policy, queueMax } });
  }

  join(id = 'w1', slots = 1): Peer {
    const peer = new Peer(this, id);
    peer.say({ kind: 'join', worker: declaration(id, { slots }), held: [] });
    return peer;
  }

  async submit(wanted: Partial<NewTask> = {}, idempotency: Submission['idempotency'] = null): Promise<string> {
    const answer = this.dispatcher.submit({ tasks: [asked(wanted)], batch: null, idempotency, actor: owner });
    this.clock.settle();
    return (await answer).taskIds[0] ?? '';
  }

  /** What was stored of an attempt's output. */
  storedOutput(): string[] {
    return this.store.commits
      .flat()
      .flatMap((change) => (change.kind === 'output' ? [text(change.stdout.bytes) ?? ''] : []));
  }
}

function asked(wanted: Partial<NewTask> = {}): NewTask {
  const { batchId: _batch, retryOf: _retry, owner: _owner, ...plain } = spec();
  return { ...plain, ...wanted };
}

function ended(taskId: string, stdout: { rest: string; total: number }, exitCode = 0): ReportEntry {
  const rest = bytes(stdout.rest);
  const measured = usage({ stdoutBytes: stdout.total });
  const nothing = new Uint8Array(0);
  const outcome = { kind: 'exited' as const, exitCode };
  return {
    kind: 'ended',
    taskId,
    attempt: 1,
    startedAt: 0,
    outcome,
    usage: measured,
    stdout: rest,
    stderr: nothing,
    outputs: [],
    outputProblems: [],
  };
}

const vitals = {
  load1: null,
  memoryFreeMb: null,
  running: 0,
  batteryPercent: null,
  charging: null,
  temperatureC: null,
};

test('submit() answers only once the task is stored', async () => {
  const bench = new Bench();
  let answered = false;
  const answer = bench.dispatcher
    .submit({ tasks: [asked()], batch: null, idempotency: null, actor: owner })
    .then(() => {
      answered = true;
    });
  await Promise.resolve();
  expect([answered, bench.store.commits.length]).toEqual([false, 0]);
  bench.clock.settle();
  await answer;
  expect(bench.store.commits).toHaveLength(1);
});

test('submit() fails when it cannot be stored', async () => {
  const bench = new Bench();
  bench.store.broken = true;
  await expect(bench.submit()).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(bench.dispatcher.ready()).toEqual({ ready: false, reason: 'The disk is full.' });
});

test('input of a task that nobody feeds is ended', async () => {
  const bench = new Bench();
  const peer = bench.join();
  const id = await bench.submit({ stdin: { kind: 'stream' } });
  peer.say({ kind: 'report', entries: [{ kind: 'started', taskId: id, attempt: 1, startedAt: 0 }] });
  bench.clock.settle();
  bench.clock.advance(feederSilenceMs / 2);
  peer.say({ kind: 'heartbeat', vitals });
  bench.clock.advance(feederSilenceMs / 2 - 1);
  const inputs = () => peer.heard.filter(({ kind }) => kind === 'stdin');
  expect(inputs()).toEqual([]);
  bench.clock.advance(1);
  expect(inputs()).toMatchObject([{ taskId: id, attempt: 1, offset: 0, eof: true }]);
});

test('submit() takes all or nothing when the queue is full', async () => {
  const bench = new Bench(2);
  await bench.submit();
  const tasks = [asked(), asked()];
  const answer = bench.dispatcher.submit({ tasks, batch: { name: null }, idempotency: null, actor: owner });
  bench.clock.settle();
  await expect(answer).rejects.toMatchObject({ code: 'queue_full' });
  expect(bench.dispatcher.state.counts.queued).toBe(1);
});

test('submit() adds to a batch of the same owner, until it is cancelled', async () => {
  const bench = new Bench();
  const to = (batch: Submission['batch'], actor: Submission['actor'] = owner) => {
    const answer = bench.dispatcher.submit({ tasks: [asked()], batch, idempotency: null, actor });
    bench.clock.settle();
    return answer;
  };
  const first = await to({ name: 'n' });
  const joins = first.batchId ?? '';
  const second = await to({ joins });
  expect(second.batchId).toBe(joins);
  expect(bench.dispatcher.state.tasks.get(second.taskIds[0] ?? '')?.spec.batchId).toBe(joins);
  expect(bench.store.commits.flat()).toContainEqual({ kind: 'batchGrown', id: joins, by: 1 });
  const carl = { name: 'carl', role: 'client', from: null } as const;
  await expect(to({ joins }, carl)).rejects.toMatchObject({ code: 'not_found' });
  await expect(to({ joins: '000000000001' })).rejects.toMatchObject({ code: 'not_found' });
  bench.store.batch = () => ({ id: joins, name: 'n', createdAt: 0, size: 2, owner: null, counts: emptyCounts() });
  const cancelled = bench.dispatcher.cancelBatch(joins, owner);
  bench.clock.settle();
  await cancelled;
  await expect(to({ joins })).rejects.toMatchObject({ code: 'conflict' });
});

test('submit() with a key answers the same within one turn, and refuses another body', async () => {
  const bench = new Bench();
  const key = { key: 'k', bodyHash: 'h' };
  const of = (idempotency: Submission['idempotency']) =>
    bench.dispatcher.submit({ tasks: [asked()], batch: null, idempotency, actor: owner });
  const answers = [of(key), of(key), of({ key: 'k', bodyHash: 'other' })];
  bench.clock.settle();
  const [first, second] = await Promise.all(answers.slice(0, 2));
  expect(second).toEqual({ batchId: null, taskIds: first?.taskIds ?? [], repeated: true });
  await expect(answers[2]).rejects.toMatchObject({ code: 'conflict' });
});

test('submit() with inputs names what is not here, and takes what is, durably and with its size', async () => {
  const bench = new Bench();
  const blob = bench.blobs.add(bytes('content'));
  const input = { path: 'in', blob, bytes: null, executable: false };
  const gone = `sha256:${'0'.repeat(64)}`;
  const offer = async (...inputs: NewTask['inputs']): Promise<string> => {
    const answer = bench.dispatcher.submit({
      ...{ tasks: [asked({ inputs })], batch: null, idempotency: null, actor: owner },
    });
    answer.catch(() => undefined);
    for (let ticks = 0; ticks < 20; ticks++) await Promise.resolve();
    bench.clock.settle();
    return (await answer).taskIds[0] ?? '';
  };
  await expect(offer(input, { ...input, path: 'b/c', blob: gone })).rejects.toMatchObject({
    ...{ code: 'invalid', fields: [{ path: 'inputs.1.blob', message: expect.stringContaining('"b/c" is not here') }] },
  });
  await expect(offer({ ...input, bytes: 8 })).rejects.toMatchObject({ fields: [{ path: 'inputs.0.bytes' }] });
  // Cut short at rest, it is dropped as soon as somebody says how large it should be.
  bench.blobs.blobs.set(blob, bytes('cont'));
  await expect(offer({ ...input, bytes: 7 })).rejects.toMatchObject({ fields: [{ path: 'inputs.0.blob' }] });
  expect(bench.blobs.size(blob)).toBeNull();
  bench.blobs.add(bytes('content'));
  expect(bench.dispatcher.state.tasks.size).toBe(0);
  const syncs = bench.blobs.syncs;
  const id = await offer(input);
  expect(bench.blobs.syncs).toBe(syncs + 1);
  expect(bench.dispatcher.state.tasks.get(id)?.spec.inputs).toEqual([{ ...input, bytes: 7 }]);
});

test('submit() knows how a dependency ended that ended in the same turn', async () => {
  const bench = new Bench();
  const peer = bench.join();
  const dependency = await bench.submit();
  bench.store.known.set(dependency, 'running');
  peer.tell({ kind: 'report', entries: [ended(dependency, { rest: '', total: 0 })] });
  const dependent = await bench.submit({ dependsOn: [dependency] });
  expect(bench.dispatcher.state.tasks.get(dependent)?.status).toBe('queued');
});

test('a worker is told to start only what is stored', async () => {
  const bench = new Bench();
  const peer = bench.join();
  expect(peer.kinds()).toEqual(['welcome']);
  const commits = bench.store.commits.length;
  bench.store.broken = true;
  await expect(bench.submit()).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(peer.kinds()).toEqual([]);
  expect(peer.closed).toBe('The disk is full.');
  expect(bench.store.commits).toHaveLength(commits);
});

test('a report is acknowledged once it is stored, also when it is stale', async () => {
  const bench = new Bench();
  const peer = bench.join();
  const id = await bench.submit();
  peer.kinds();
  const entry = ended(id, { rest: 'out', total: 3 });
  peer.say({ kind: 'report', entries: [entry] });
  expect(peer.heard.splice(0)).toEqual([{ kind: 'ack', attempts: [{ taskId: id, attempt: 1 }] }]);
  expect(bench.storedOutput()).toEqual(['out']);
  peer.say({ kind: 'report', entries: [entry] });
  expect(peer.kinds()).toEqual(['ack']);
  expect(bench.dispatcher.state.staleReports).toBe(1);
});

test('output that came before its end is put together with the last bytes', async () => {
  const bench = new Bench();
  const peer = bench.join();
  const id = await bench.submit();
  peer.say(
    { kind: 'output', taskId: id, attempt: 1, stream: 'stdout', offset: 0, data: bytes('first ') },
    { kind: 'report', entries: [ended(id, { rest: 'last', total: 10 })] },
  );
  expect(bench.storedOutput()).toEqual(['first last']);
});

test('output with a gap ends the link and settles nothing', async () => {
  const bench = new Bench();
  const peer = bench.join();
  const id = await bench.submit();
  peer.say({ kind: 'report', entries: [ended(id, { rest: 'last', total: 10 })] });
  expect(peer.closed).toBe(`output of task ${id} has a gap`);
  expect(bench.dispatcher.state.tasks.has(id)).toBe(true);
});

test('output of an attempt that is not the worker’s is not kept', async () => {
  const bench = new Bench();
  bench.join('w1');
  const other = bench.join('w2');
  const id = await bench.submit();
  other.say({ kind: 'output', taskId: id, attempt: 1, stream: 'stdout', offset: 0, data: bytes('forged') });
  expect(bench.outputs.size(id, 1, 'stdout')).toBe(0);
});

test('what a lost attempt has written is stored with its loss', async () => {
  const bench = new Bench();
  const peer = bench.join();
  const id = await bench.submit();
  peer.say({ kind: 'output', taskId: id, attempt: 1, stream: 'stdout', offset: 0, data: bytes('so far') });
  bench.clock.advance(policy.silenceMs);
  expect(bench.dispatcher.state.workers.size).toBe(0);
  expect(bench.storedOutput()).toEqual(['so far']);
  expect(bench.outputs.live.size).toBe(0);
});

test('a link that does not join is hung up on, one that joins twice too', () => {
  const bench = new Bench();
  const peer = new Peer(bench);
  bench.clock.advance(10_000);
  expect(peer.closed).toBe('it did not join in time');
  const twice = bench.join();
  twice.say({ kind: 'join', worker: declaration('w1'), held: [] });
  expect(twice.closed).toBe('it joined twice on one link');
});

test('a message before the join, or after another link took over, is not heard', async () => {
  const bench = new Bench();
  const early = new Peer(bench);
  early.say({ kind: 'leaving' }, { kind: 'heartbeat', vitals });
  expect(early.kinds()).toEqual([]);
  const old = bench.join();
  bench.join();
  expect(old.closed).toContain('took over');
  old.say({ kind: 'goodbye' });
  expect(bench.dispatcher.state.workers.get('w1')?.session).not.toBeNull();
});

test('a heartbeat is answered', () => {
  const bench = new Bench();
  const peer = bench.join();
  peer.kinds();
  peer.say({ kind: 'heartbeat', vitals });
  expect(peer.kinds()).toEqual(['alive']);
});

test('close() tells the workers, stores what is under way, and takes nothing more', async () => {
  const bench = new Bench();
  const peer = bench.join();
  peer.kinds();
  bench.dispatcher.close();
  bench.dispatcher.close();
  expect(peer.kinds()).toEqual(['closing']);
  expect(peer.closed).toBe('the dispatcher is shutting down');
  await expect(bench.submit()).rejects.toMatchObject({ code: 'shutting_down' });
  expect(bench.dispatcher.ready().ready).toBe(false);
});

test('forgotten() takes deleted tasks out of the counts, and leaves what is counted since the start', async () => {
  const bench = new Bench();
  const peer = bench.join();
  const id = await bench.submit();
  peer.say({ kind: 'report', entries: [ended(id, { rest: '', total: 0 })] });
  expect(bench.dispatcher.stats().tasks.completed).toBe(1);
  bench.dispatcher.forgotten({ ended: { completed: 1 }, orphaned: [] });
  expect(bench.dispatcher.stats().tasks).toEqual(emptyCounts());
  const of = (name: string) => bench.dispatcher.metrics().find((family) => family.name === name);
  expect(of('octaskly_tasks_ended_total')?.samples).toContainEqual({ labels: { state: 'completed' }, value: 1 });
  expect(of('octaskly_tasks')?.samples).toContainEqual({ labels: { state: 'completed' }, value: 0 });
});
