import { expect, test } from 'bun:test';
import { OctasklyError } from '../../../src/base/errors.ts';
import type { LinkFiles } from '../../../src/dispatcher/files.ts';
import { KeptFiles } from '../../../src/dispatcher/kept.ts';
import type { Turn } from '../../../src/dispatcher/turn.ts';
import type { Change, KeptOutput } from '../../../src/ports/store.ts';
import type { DispatcherMessage } from '../../../src/wire/messages.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import { bytes, silentLog } from './fakes.ts';

type Of = Parameters<ConstructorParameters<typeof KeptFiles>[0]['store']['kept']>[0];

/** One worker's link, as far as files are fetched by it. */
class Link {
  readonly asked: string[] = [];
  cancelled = 0;
  #waits = new Map<string, PromiseWithResolvers<void>>();

  fetch(blob: string): ReturnType<LinkFiles['fetch']> {
    this.asked.push(blob);
    const wait = Promise.withResolvers<void>();
    this.#waits.set(blob, wait);
    const cancel = (): void => {
      this.cancelled += 1;
      wait.reject(new OctasklyError('io', 'it was given up'));
    };
    return { done: wait.promise, cancel };
  }

  come(blob: string): void {
    this.#waits.get(blob)?.resolve();
  }

  refuse(blob: string): void {
    this.#waits.get(blob)?.reject(new OctasklyError('not_found', 'the worker cannot give it: it is not here'));
  }
}

class Bench {
  readonly blobs = new MemoryBlobs();
  readonly content = bytes('what it made');
  readonly blob: string;
  rows: KeptOutput[] = [];
  link: Link | null = new Link();
  isMember = true;
  readonly sent: [string, DispatcherMessage][] = [];
  readonly kept: KeptFiles;

  constructor() {
    this.blob = this.blobs.add(this.content);
    this.blobs.lose(this.blob);
    const matches = (row: KeptOutput, of: Of): boolean => {
      if ('taskId' in of) return row.taskId === of.taskId;
      return 'workerId' in of ? row.workerId === of.workerId : row.blob === of.blob;
    };
    this.kept = new KeptFiles({
      store: { kept: (of) => this.rows.filter((row) => matches(row, of)) },
      ...{ blobs: this.blobs, log: silentLog },
      files: () => this.link as unknown as LinkFiles | null,
      keeper: (id) => (id === 'w1' ? { name: 'pi', isMember: this.isMember } : null),
      send: (workerId, message) => this.sent.push([workerId, message]),
      inTurn: async (action) => {
        action({ change: (change: Change) => this.#apply(change) } as unknown as Turn);
      },
    });
  }

  keep(taskId: string, workerId = 'w1'): void {
    this.rows.push({ taskId, attempt: 1, path: 'out', blob: this.blob, bytes: this.content.length, workerId });
  }

  /** The bytes come over the link. */
  async arrive(): Promise<void> {
    this.blobs.add(this.content);
    this.link?.come(this.blob);
    for (let n = 0; n < 20; n++) await Promise.resolve();
  }

  #apply(change: Change): void {
    if (change.kind !== 'outputHere') throw new Error(`unexpected: ${change.kind}`);
    this.rows = this.rows.filter(({ workerId, blob }) => workerId !== change.workerId || blob !== change.blob);
  }
}

const never = new AbortController().signal;
const released = (...taskIds: string[]) => ({
  kind: 'release',
  attempts: taskIds.map((taskId) => ({ taskId, attempt: 1 })),
});

test('bring() has a file brought, records that it is here, and lets the worker go', async () => {
  const bench = new Bench();
  bench.keep('t1');
  bench.keep('t2');
  const brought = bench.kept.bring(bench.blob, never);
  expect(bench.kept.placesOf('t1')({ path: 'out', blob: bench.blob })).toBe('pi');
  await bench.arrive();
  expect(await brought).toBe(bench.content.length);
  expect([bench.rows, bench.sent]).toEqual([[], [['w1', released('t1', 't2')]]] as never);
  expect(bench.kept.placesOf('t1')({ path: 'out', blob: bench.blob })).toBeNull();
});

test('bring() knows nothing of what nobody keeps', async () => {
  const bench = new Bench();
  expect(await bench.kept.bring(bench.blob, never)).toBeNull();
  expect([bench.kept.sizeOf(bench.blob), bench.kept.keepersOf(bench.blob)]).toEqual([null, []]);
});

test('bring() tells a worker that is away from one that is shut out, unknown, or has lost it', async () => {
  const bench = new Bench();
  bench.keep('t1');
  const link = bench.link as Link;
  const lost = bench.kept.bring(bench.blob, never);
  link.refuse(bench.blob);
  await expect(lost).rejects.toMatchObject({ code: 'gone', message: expect.stringContaining('from worker pi') });
  bench.link = null;
  await expect(bench.kept.bring(bench.blob, never)).rejects.toMatchObject({ code: 'worker_away' });
  expect(bench.kept.sizeOf(bench.blob)).toBe(bench.content.length);
  bench.isMember = false;
  await expect(bench.kept.bring(bench.blob, never)).rejects.toMatchObject({ code: 'gone' });
  expect(bench.kept.sizeOf(bench.blob)).toBeNull();
  bench.rows = [];
  bench.keep('t1', 'w9');
  await expect(bench.kept.bring(bench.blob, never)).rejects.toThrow('is not known any more');
});

test('bring() ends with whoever asked, and with the link', async () => {
  const bench = new Bench();
  bench.keep('t1');
  const caller = new AbortController();
  const link = bench.link as Link;
  const left = bench.kept.bring(bench.blob, caller.signal);
  caller.abort();
  await expect(left).rejects.toMatchObject({ code: 'io' });
  expect(link.cancelled).toBe(1);
  const broken = bench.kept.bring(bench.blob, never);
  bench.link = null;
  link.refuse(bench.blob);
  await expect(broken).rejects.toMatchObject({ code: 'worker_away' });
});

test('settle() lets go of what the store does not know as kept there', () => {
  const bench = new Bench();
  bench.keep('t1');
  bench.keep('t2', 'w2');
  const keys = ['t1', 't2', 't3'].map((taskId) => ({ taskId, attempt: 1 }));
  bench.kept.settle('w1', keys);
  bench.kept.settle('w1', keys.slice(0, 1));
  expect(bench.sent).toEqual([['w1', released('t2', 't3')]] as never);
});

test('forgotten() tells each worker what it kept of tasks that are no more', () => {
  const bench = new Bench();
  bench.kept.forgotten([
    { taskId: 't1', attempt: 1, workerId: 'w1' },
    { taskId: 't2', attempt: 1, workerId: 'w2' },
  ]);
  expect(bench.sent).toEqual([
    ['w1', released('t1')],
    ['w2', released('t2')],
  ] as never);
});

test('relieve() brings all a worker keeps, once, and leaves behind what it has lost', async () => {
  const bench = new Bench();
  bench.keep('t1');
  const lost = `sha256:${'0'.repeat(64)}`;
  bench.rows.push({ taskId: 't2', attempt: 1, path: 'lost', blob: lost, bytes: 1, workerId: 'w1' });
  bench.kept.relieve('w1');
  bench.kept.relieve('w1');
  const link = bench.link as Link;
  expect(link.asked).toEqual([bench.blob, lost]);
  link.refuse(lost);
  await bench.arrive();
  expect(bench.rows.map(({ taskId }) => taskId)).toEqual(['t2']);
  expect(bench.sent).toEqual([['w1', released('t1')]] as never);
});
