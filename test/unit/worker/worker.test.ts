import { expect, test } from 'bun:test';
import { blobOf } from '../../memory-blobs.ts';
import { assignment, bytes } from './fakes.ts';
import { Bench, joined, promises } from './worker-bench.ts';

test('a worker joins with what it holds, and beats from the welcome on', () => {
  const bench = new Bench();
  expect(bench.link.sent).toMatchObject([{ kind: 'join', worker: { id: 'w1' }, held: [] }]);
  bench.told();
  bench.welcome();
  expect(bench.told()).toEqual(['heartbeat']);
  bench.clock.advance(10_000);
  expect(bench.told()).toEqual(['heartbeat', 'heartbeat']);
});

test('a worker starts what its slots allow, and the next without being told', async () => {
  const bench = joined();
  bench.assign(assignment('a'), assignment('b'));
  expect(bench.launcher.processes).toHaveLength(1);
  await bench.exit('a');
  expect(bench.launcher.processes.map(({ plan }) => plan.marker)).toEqual(['a.1', 'b.1']);
  expect(bench.told()).toEqual(['a#1 ended exited', 'b#1 started']);
});

test('the same assignment twice is one run, an older attempt none', () => {
  const bench = joined(4);
  bench.assign(assignment('a', 2));
  bench.assign(assignment('a', 2), assignment('a', 1));
  expect(bench.launcher.processes).toHaveLength(1);
});

test('a newer attempt of a task ends the older one, of which nothing more is said', async () => {
  const bench = joined(4);
  bench.assign(assignment('a', 1));
  bench.assign(assignment('a', 2));
  expect(bench.launcher.of('a', 1).asked).toEqual(['kill']);
  await bench.exit('a', 1);
  await bench.exit('a', 2);
  expect(bench.told()).toEqual(['a#2 ended exited']);
});

test('a recall gives back what waits, and leaves alone what runs', () => {
  const bench = joined();
  bench.assign(assignment('a'), assignment('b'));
  const keys = ['a', 'b', 'c'].map((taskId) => ({ taskId, attempt: 1 }));
  bench.hear({ kind: 'recall', attempts: keys });
  expect(bench.told()).toEqual(['b#1 returned', 'a#1 started']);
});

test('a cancel ends what runs and reports what waits as cancelled', async () => {
  const bench = joined();
  bench.assign(assignment('a'), assignment('b'));
  bench.hear({ kind: 'cancel', attempts: ['a', 'b'].map((taskId) => ({ taskId, attempt: 1 })) });
  expect(bench.launcher.of('a').asked).toEqual(['terminate']);
  expect(bench.told()).toContain('b#1 ended cancelled');
  await bench.exit('a');
  expect(bench.told()).toEqual(['a#1 ended cancelled']);
  expect(bench.launcher.processes).toHaveLength(1);
});

test('what is abandoned is killed and never spoken of, and its slot is used again', async () => {
  const bench = joined();
  bench.assign(assignment('a'), assignment('b'));
  bench.hear({ kind: 'abandon', attempts: [{ taskId: 'a', attempt: 1 }] });
  expect(bench.launcher.of('a').asked).toEqual(['kill']);
  await bench.exit('a');
  bench.clock.advance(5);
  expect(bench.told()).toEqual(['b#1 started']);
});

test('a result is kept over a broken link until it is acknowledged', async () => {
  const bench = joined();
  bench.assign(assignment('a'), assignment('b'));
  bench.break();
  await bench.exit('a');
  bench.clock.advance(100);
  expect(bench.dials).toBe(2);
  expect(bench.link.sent[0]).toMatchObject({
    held: [
      { taskId: 'a', attempt: 1, phase: 'ended' },
      { taskId: 'b', attempt: 1, phase: 'running' },
    ],
  });
  bench.told();
  bench.welcome();
  expect(bench.told()).toEqual(['heartbeat', 'a#1 ended exited', 'b#1 started']);
  bench.hear({ kind: 'ack', attempts: [{ taskId: 'a', attempt: 1 }] });
  bench.break();
  bench.clock.advance(100);
  expect(bench.link.sent[0]).toMatchObject({ held: [{ taskId: 'b' }] });
});

test('a worker gives up on a dispatcher that is silent, or does not answer the join', () => {
  const bench = new Bench();
  bench.clock.advance(15_000);
  expect(bench.link.closed).toBe('the dispatcher did not answer the join');
  const silent = joined();
  silent.clock.advance(12_400);
  expect(silent.link.closed).toBeNull();
  silent.clock.advance(100);
  expect(silent.link.closed).toContain('it does not answer there any more');
});

test('a refused worker waits as long as it is asked to', async () => {
  const bench = new Bench();
  bench.hear({ kind: 'refused', code: 'full', detail: 'No place.', retryAfterMs: 5000 });
  expect(bench.link.closed).toBe('No place.');
  bench.break();
  bench.clock.advance(4999);
  expect(bench.dials).toBe(1);
  bench.clock.advance(1);
  expect(bench.dials).toBe(2);
});

test('leave() gives back what waits, finishes what runs, and says goodbye when all is stored', async () => {
  const bench = joined();
  bench.assign(assignment('a'), assignment('b'));
  bench.worker.leave();
  bench.worker.leave();
  bench.clock.settle();
  expect(bench.told()).toEqual(['leaving', 'b#1 returned', 'a#1 started']);
  bench.assign(assignment('c'));
  expect(bench.told()).toEqual(['c#1 returned']);
  await bench.exit('a');
  expect(bench.told()).toEqual(['a#1 ended exited']);
  expect(bench.end).toBeNull();
  bench.hear({ kind: 'ack', attempts: [{ taskId: 'a', attempt: 1 }] });
  await promises();
  expect(bench.told()).toEqual(['goodbye']);
  expect(bench.link.closed).toBe('the worker stops');
  expect(bench.end).toEqual({ ok: true });
});

test('leave() does not wait for ever for a dispatcher that is away', async () => {
  const bench = joined();
  bench.assign(assignment('a'));
  bench.break();
  bench.failure = { code: 'connection_lost', detail: 'Nobody there.' };
  bench.worker.leave();
  await bench.exit('a');
  bench.clock.advance(14_999);
  await promises();
  expect(bench.end).toBeNull();
  bench.clock.advance(1);
  await promises();
  expect(bench.end?.ok).toBe(false);
});

test('stop() kills what runs and hands it back as lost', async () => {
  const bench = joined();
  bench.assign(assignment('a'));
  bench.told();
  bench.worker.stop();
  expect(bench.launcher.of('a').asked).toEqual(['terminate', 'kill']);
  await bench.exit('a');
  expect(bench.told()).toEqual(['leaving', 'a#1 ended lost']);
  bench.hear({ kind: 'ack', attempts: [{ taskId: 'a', attempt: 1 }] });
  await promises();
  expect(bench.end).toEqual({ ok: true });
});

test('stop() ends after two seconds even when nobody listens', async () => {
  const bench = joined();
  bench.assign(assignment('a'));
  bench.worker.stop();
  bench.clock.advance(2000);
  await promises();
  expect(bench.end).toEqual({ ok: true });
});

test('a link that is made after the end is closed without a join', async () => {
  const bench = new Bench();
  bench.break();
  bench.slow = true;
  bench.clock.advance(100);
  bench.worker.leave();
  await promises();
  expect(bench.end).toEqual({ ok: true });
  bench.connect();
  expect([bench.link.closed, bench.told()]).toEqual(['no link is wanted any more', []]);
});

const content = bytes('what it needs');
const input = { path: 'in/a', blob: blobOf(content), bytes: content.length, executable: false };
const wanted = { kind: 'blobWanted', ranges: [{ blob: input.blob, offset: 0, length: input.bytes }] } as const;
const data = { kind: 'blobData', parts: [{ blob: input.blob, offset: 0, data: content }] } as const;

/** Lets promises and what they put off run until nothing moves any more. */
async function rest(bench: Bench): Promise<void> {
  for (let n = 0; n < 5; n++) {
    await promises();
    bench.clock.settle();
  }
}

test('inputs are asked for on each link until they are here; then the command starts, and they are held to the ack', async () => {
  const bench = joined();
  bench.assign(assignment('a', 1, { inputs: [input] }));
  expect(bench.link.take()).toContainEqual(wanted);
  bench.break();
  bench.clock.advance(100);
  bench.welcome();
  expect(bench.link.take()).toContainEqual(wanted);
  expect(bench.launcher.processes).toHaveLength(0);
  bench.hear(data);
  await rest(bench);
  expect(bench.launcher.processes).toHaveLength(1);
  expect(bench.files.of('/tasks/1').get('in/a')).toEqual(content);
  await bench.exit('a');
  expect(bench.blobs.held.get(input.blob)).toBe(1);
  bench.hear({ kind: 'ack', attempts: [{ taskId: 'a', attempt: 1 }] });
  expect(bench.blobs.held.size).toBe(0);
});

test('an attempt that is abandoned while its inputs travel is gone at once, and its slot free', async () => {
  const bench = joined();
  bench.assign(assignment('a', 1, { inputs: [input] }), assignment('b'));
  bench.hear({ kind: 'abandon', attempts: [{ taskId: 'a', attempt: 1 }] });
  await rest(bench);
  expect(bench.launcher.processes.map(({ plan }) => plan.marker)).toEqual(['b.1']);
  expect([bench.blobs.held.size, bench.workspace.directories.size]).toEqual([0, 1]);
});

test('blobs that are here are served, and what is not is refused', async () => {
  const bench = joined();
  bench.blobs.add(content);
  const lacking = `sha256:${'0'.repeat(64)}`;
  bench.hear({ ...wanted, ranges: [...wanted.ranges, { blob: lacking, offset: 0, length: 1 }] });
  expect(bench.link.take()).toEqual([data, { kind: 'blobRefused', blob: lacking, detail: expect.any(String) }]);
});
