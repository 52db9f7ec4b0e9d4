import { expect, test } from 'bun:test';
import type { Task } from '../../../src/core/task.ts';
import { OutputWatch, openCursor, readStored } from '../../../src/dispatcher/outputs.ts';
import type { StoredOutput } from '../../../src/ports/files.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import { task } from '../core/samples.ts';
import { bytes, FakeOutputs, FakeStore, row, stored, text } from './fakes.ts';

const id = '000000000001';

class Bench {
  readonly store = new FakeStore();
  readonly outputs = new FakeOutputs();
  readonly blobs = new MemoryBlobs();
  readonly watch = new OutputWatch();
  readonly live = new Map<string, Task>();
  closing = false;

  /** The task as the scheduler has it; its row is saved along. */
  be(wanted: Partial<Task>, stdout: StoredOutput | null = null): void {
    const now = task(id, wanted);
    if (now.completedAt === null) this.live.set(id, now);
    else this.live.delete(id);
    this.store.rows.set(id, row(now, stdout ?? this.store.rows.get(id)?.stdout ?? null));
  }

  runs(attempt: number): void {
    this.be({ attempt, phase: 'started', status: 'running', workerId: 'w1' });
  }

  ends(attempt: number, stdout: StoredOutput): void {
    this.be({ attempt, status: 'completed', completedAt: 1 }, stdout);
  }

  writes(attempt: number, content: string): void {
    this.outputs.append(id, attempt, 'stdout', this.outputs.size(id, attempt, 'stdout'), bytes(content));
    this.watch.notify(id);
  }

  open(options: { from?: number; follow?: boolean } = {}) {
    const { store, outputs, blobs, watch } = this;
    const found = store.task(id);
    if (found === null) throw new Error('no such task');
    const wanted = { id, stream: 'stdout' as const, from: options.from ?? 0, follow: options.follow ?? false };
    const sources = { store, outputs, blobs, watch, liveTask: () => this.live.get(id), isClosing: () => this.closing };
    return openCursor(sources, wanted, found);
  }
}

test('a cursor reads a stored stream from where it is asked to, in pieces, to its end', () => {
  const bench = new Bench();
  bench.ends(1, stored('0123456789'));
  const cursor = bench.open({ from: 2 });
  expect([text(cursor.read(5)), text(cursor.read(5)), cursor.read(5)]).toEqual(['23456', '789', null]);
});

test('a cursor that does not follow ends at what is there now', () => {
  const bench = new Bench();
  bench.runs(1);
  bench.writes(1, 'so far');
  const cursor = bench.open();
  expect([text(cursor.read(100)), cursor.read(100)]).toEqual(['so far', null]);
});

test('a cursor that follows waits for more, and ends with the task', async () => {
  const bench = new Bench();
  bench.runs(1);
  const cursor = bench.open({ follow: true });
  expect(text(cursor.read(100))).toBe('');
  const more = cursor.next();
  bench.writes(1, 'one ');
  await more;
  expect(text(cursor.read(100))).toBe('one ');
  bench.outputs.discard(id, 1);
  bench.ends(1, stored('one two'));
  bench.watch.notify(id);
  await cursor.next();
  expect([text(cursor.read(100)), cursor.read(100)]).toEqual(['two', null]);
});

test('a cursor that follows a task before its first attempt keeps the place it was asked for', () => {
  const bench = new Bench();
  bench.be({});
  const cursor = bench.open({ from: 2, follow: true });
  expect(text(cursor.read(100))).toBe('');
  bench.runs(1);
  bench.writes(1, '0123');
  expect(text(cursor.read(100))).toBe('23');
});

test('a cursor that follows goes on over a retry: the rest of the old attempt, then the new from its first byte', () => {
  const bench = new Bench();
  bench.runs(1);
  bench.writes(1, 'first');
  const cursor = bench.open({ follow: true });
  expect(text(cursor.read(3))).toBe('fir');
  bench.outputs.discard(id, 1);
  bench.be({ attempt: 1, failures: 1 }, stored('first'));
  expect(text(cursor.read(100))).toBe('st');
  expect(text(cursor.read(100))).toBe('');
  bench.runs(2);
  bench.writes(2, 'second');
  expect(text(cursor.read(100))).toBe('second');
  bench.outputs.discard(id, 2);
  bench.ends(2, stored('second'));
  expect(cursor.read(100)).toBeNull();
});

test('a cursor that is closed, or whose dispatcher goes down, ends', async () => {
  const bench = new Bench();
  bench.runs(1);
  const closed = bench.open({ follow: true });
  const next = closed.next();
  closed.close();
  await next;
  expect(closed.read(1)).toBeNull();
  const other = bench.open({ follow: true });
  bench.closing = true;
  await other.next();
  expect(other.read(1)).toBeNull();
});

test('readStored() reads the blob of a stream that is larger than its row', () => {
  const blobs = new MemoryBlobs();
  const blob = blobs.add(bytes('the whole of it'));
  const large: StoredOutput = { bytes: bytes('the … it'), totalBytes: 15, blob };
  expect(text(readStored(blobs, large, 4, 5))).toBe('whole');
  expect(readStored(blobs, large, 15, 5)).toHaveLength(0);
  expect(text(readStored(blobs, stored('small'), 1, 2))).toBe('ma');
});

test('OutputWatch wakes those who wait for a task, each once', async () => {
  const watch = new OutputWatch();
  let woken = 0;
  const count = (): void => {
    woken += 1;
  };
  const [one, two, other] = [watch.wait('a').then(count), watch.wait('a').then(count), watch.wait('b').then(count)];
  watch.notify('a');
  watch.notify('a');
  await Promise.all([one, two]);
  expect(woken).toBe(2);
  watch.notifyAll();
  await other;
  expect(woken).toBe(3);
});
