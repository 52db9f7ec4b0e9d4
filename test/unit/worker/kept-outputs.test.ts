import { expect, test } from 'bun:test';
import { OctasklyError } from '../../../src/base/errors.ts';
import type { TaskFile } from '../../../src/core/files.ts';
import type { KeptAttempt } from '../../../src/ports/files.ts';
import { KeptOutputs, keptAttemptsMax, keptFilesMax } from '../../../src/worker/kept-outputs.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import { assignment, bytes, silentLog } from './fakes.ts';
import { type Bench, joined, promises } from './worker-bench.ts';

const file = (letter: string, size = 10): TaskFile => {
  return { path: letter, blob: `sha256:${letter.repeat(64)}`, bytes: size, executable: false };
};
const key = (taskId: string, attempt = 1) => ({ taskId, attempt });

function opened(found: readonly KeptAttempt[] = []) {
  const blobs = new MemoryBlobs();
  for (const { files } of found) for (const { blob } of files) blobs.hold(blob);
  const disk = { saved: found, isFull: false };
  const list = {
    save: (attempts: readonly KeptAttempt[]): void => {
      if (disk.isFull) throw new OctasklyError('io', 'The disk is full.');
      disk.saved = attempts;
    },
  };
  return { blobs, disk, kept: new KeptOutputs({ blobs, list, found, bytesMax: 100, log: silentLog }) };
}

test('KeptOutputs holds what it keeps until it is released, each file once for each task', () => {
  const { blobs, disk, kept } = opened();
  expect(kept.keep(key('t1'), [file('a'), file('b')])).toBe(true);
  expect(kept.keep(key('t2'), [file('a')])).toBe(true);
  expect(blobs.held.get(file('a').blob)).toBe(2);
  expect(disk.saved.map(({ taskId }) => taskId)).toEqual(['t1', 't2']);
  kept.release([key('t1')]);
  expect([...blobs.held]).toEqual([[file('a').blob, 1]]);
  kept.release([key('t1'), key('unknown'), key('t2')]);
  expect([blobs.held.size, kept.size, disk.saved]).toEqual([0, 0, []]);
});

test('KeptOutputs keeps the newest attempt of a task, and releases no newer one than it is told', () => {
  const { blobs, kept } = opened();
  kept.keep(key('t1', 1), [file('a')]);
  kept.keep(key('t1', 3), [file('b')]);
  expect([...blobs.held.keys()]).toEqual([file('b').blob]);
  kept.release([key('t1', 2)]);
  expect(kept.keys()).toEqual([key('t1', 3)]);
  kept.release([key('t1', 3)]);
  expect(kept.size).toBe(0);
});

test('KeptOutputs goes on with what was found at the start', () => {
  const { blobs, kept } = opened([{ ...key('t1'), files: [file('a')] }]);
  expect([kept.keys(), blobs.held.size]).toEqual([[key('t1')], 1]);
  kept.release([key('t1')]);
  expect(blobs.held.size).toBe(0);
});

test('KeptOutputs keeps nothing beyond its bounds, nor what it cannot remember', () => {
  const { blobs, disk, kept } = opened();
  expect(kept.keep(key('t1'), [file('a', 101)])).toBe(false);
  expect(kept.keep(key('t1'), [file('a', 60)])).toBe(true);
  // The same bytes twice are there once.
  expect(kept.keep(key('t2'), [file('a', 60)])).toBe(true);
  expect(kept.keep(key('t3'), [file('b', 60)])).toBe(false);
  expect(kept.keep(key('t3'), Array<TaskFile>(keptFilesMax).fill(file('a', 60)))).toBe(false);
  disk.isFull = true;
  expect(kept.keep(key('t3'), [file('c', 1)])).toBe(false);
  expect([kept.keys(), blobs.held.size]).toEqual([[key('t1'), key('t2')], 1]);
  const full = opened(Array.from({ length: keptAttemptsMax }, (_, n) => ({ ...key(`t${n}`), files: [] })));
  expect(full.kept.keep(key('one more'), [file('a')])).toBe(false);
});

// ---------------------------------------------------------------------------------------------- within a worker

const content = bytes('what it made');

/** A worker whose task has ended and left a file there. */
async function stayed(attempt = 1): Promise<Bench> {
  const bench = joined();
  bench.assign(assignment('a', attempt, { outputs: ['*'], outputsAt: 'worker' }));
  bench.files.of('/tasks/1').set('made', content);
  await bench.exit('a', attempt);
  for (let n = 0; n < 5; n++) {
    await promises();
    bench.clock.settle();
  }
  return bench;
}

test('a file that stays is held beyond the ack and on record, and its end says so', async () => {
  const bench = await stayed();
  const ends = bench.link.take().flatMap((message) => (message.kind === 'report' ? message.entries : []));
  expect(ends).toContainEqual(expect.objectContaining({ kind: 'ended', outputsStay: true }));
  bench.hear({ kind: 'ack', attempts: [key('a')] });
  expect([bench.blobs.held.size, bench.remembered.length]).toEqual([1, 1]);
  bench.hear({ kind: 'release', attempts: [key('a')] });
  expect([bench.blobs.held.size, bench.remembered.length]).toEqual([0, 0]);
});

test('a worker tells what it keeps as it joins again, but for ends that are not acknowledged', async () => {
  const bench = await stayed();
  const again = (): string[] => {
    bench.break();
    bench.clock.advance(100);
    bench.told();
    bench.welcome();
    return bench.told();
  };
  expect(again()).not.toContain('kept');
  // Told to let go of what the dispatcher cannot know yet: that is of an earlier attempt.
  bench.hear({ kind: 'release', attempts: [key('a')] });
  expect(bench.kept.size).toBe(1);
  bench.hear({ kind: 'ack', attempts: [key('a')] });
  expect(again()).toContain('kept');
});

test('an attempt that is abandoned leaves nothing behind', async () => {
  const bench = await stayed();
  bench.hear({ kind: 'abandon', attempts: [key('a')] });
  expect([bench.blobs.held.size, bench.kept.size]).toEqual([0, 0]);
});

test('leave() waits until what stayed was brought, for as long as it is asked for', async () => {
  const bench = await stayed();
  bench.hear({ kind: 'ack', attempts: [key('a')] });
  bench.worker.leave();
  const [made] = bench.remembered[0]?.files ?? [];
  for (let n = 0; n < 3; n++) {
    bench.clock.advance(10_000);
    bench.hear({ kind: 'blobWanted', ranges: [{ blob: made?.blob ?? '', offset: 0, length: 1 }] });
  }
  await promises();
  expect(bench.end).toBeNull();
  bench.hear({ kind: 'release', attempts: [key('a')] });
  await promises();
  expect([bench.told().at(-1), bench.end]).toEqual(['goodbye', { ok: true }]);
});

test.each([
  ['comes back', 5000],
  ['does not', 15_000],
] as const)(
  'leave() waits for a dispatcher that was lost while it asked for what stayed, and it %s',
  async (_, awayMs) => {
    const bench = await stayed();
    bench.hear({ kind: 'ack', attempts: [key('a')] });
    bench.worker.leave();
    const [made] = bench.remembered[0]?.files ?? [];
    bench.hear({ kind: 'blobWanted', ranges: [{ blob: made?.blob ?? '', offset: 0, length: 1 }] });
    bench.break();
    bench.clock.advance(awayMs);
    await promises();
    if (awayMs < 15_000) {
      expect(bench.end).toBeNull();
      bench.told();
      bench.welcome();
      bench.hear({ kind: 'release', attempts: [key('a')] });
      await promises();
      expect(bench.told().at(-1)).toBe('goodbye');
    }
    expect([bench.end, bench.kept.size]).toEqual([{ ok: true }, awayMs < 15_000 ? 0 : 1]);
  },
);

test('leave() waits for no dispatcher that was away before', async () => {
  const bench = await stayed();
  bench.hear({ kind: 'ack', attempts: [key('a')] });
  const [made] = bench.remembered[0]?.files ?? [];
  bench.hear({ kind: 'blobWanted', ranges: [{ blob: made?.blob ?? '', offset: 0, length: 1 }] });
  bench.break();
  bench.worker.leave();
  await promises();
  expect([bench.end, bench.kept.size]).toEqual([{ ok: true }, 1]);
});

test('leave() goes without what nobody asks for, which stays and is spoken of', async () => {
  const bench = await stayed();
  bench.hear({ kind: 'ack', attempts: [key('a')] });
  bench.worker.leave();
  bench.clock.advance(14_999);
  await promises();
  expect(bench.end).toBeNull();
  bench.clock.advance(1);
  await promises();
  expect([bench.end, bench.kept.size]).toEqual([{ ok: true }, 1]);
  expect(bench.status.at(-1)).toBe('Files of a task stay here; they can be had when this worker is back.');
});

test('stop() does not wait for what stayed', async () => {
  const bench = await stayed();
  bench.hear({ kind: 'ack', attempts: [key('a')] });
  bench.worker.leave();
  bench.worker.stop();
  await promises();
  expect([bench.end, bench.kept.size]).toEqual([{ ok: true }, 1]);
});
