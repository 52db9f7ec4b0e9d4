import { expect, test } from 'bun:test';
import type { Log } from '../../../src/ports/time.ts';
import type { Job, JobCalls } from '../../../src/runtime/windows-jobs.ts';
import { WindowsTrees } from '../../../src/runtime/windows-trees.ts';

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };
const unlimited = { cpuTimeMs: null, memoryBytes: null, diskBytes: null, processes: null };

interface FakeJob extends Job {
  readonly pids: Set<number>;
  readonly said: string[];
}

/** Windows as far as trees ask it: the first job is the nest, in which everything is born. */
function fakeWindows(startedAt: Readonly<Record<number, number>>) {
  const jobs: FakeJob[] = [];
  const open = (): FakeJob => {
    const pids = new Set<number>();
    const said: string[] = [];
    const job: FakeJob = {
      ...{ pids, said, take: (pid) => pids.add(pid).size > 0, members: () => [...pids] },
      limit: ({ memoryBytes, processes }) => said.push(`limit ${memoryBytes} ${processes}`),
      use: () => ({ cpuMs: 5, writtenBytes: 6, memoryPeakBytes: 7, active: pids.size }),
      end: (status) => {
        said.push(`end ${status}`);
        pids.clear();
      },
      release: () => said.push('release'),
      close: () => said.push('close'),
    };
    jobs.push(job);
    return job;
  };
  const calls: JobCalls = {
    ...{ open, residentBytes: (pid) => pid * 10, startedAt: (pid) => BigInt(startedAt[pid] ?? 0) },
    openStatus: (pid) => ({ read: () => pid * 1000, close() {} }),
  };
  const trees = new WindowsTrees(calls, quiet);
  const jobOf = (index: number): FakeJob => jobs[index] ?? open();
  return { trees, nest: jobOf(0), jobOf };
}

test('WindowsTrees.add() takes what the main process started before it was in its job, and nothing else', () => {
  const { trees, nest, jobOf } = fakeWindows({ 3: 5, 10: 20, 11: 21, 12: 22, 30: 40, 31: 41 });
  expect([...nest.pids]).toEqual([process.pid]);
  for (const pid of [3, 10, 11, 12]) nest.pids.add(pid);
  trees.add(10, { marker: 'a' });
  expect([...jobOf(1).pids]).toEqual([10, 11, 12]);
  for (const pid of [30, 31]) nest.pids.add(pid);
  trees.add(30, { marker: 'b' });
  expect([...jobOf(2).pids]).toEqual([30, 31]);
});

test('WindowsTrees.kill() and terminate() end the job; finish() what is left of it', async () => {
  const { trees, jobOf } = fakeWindows({});
  for (const pid of [10, 20, 30]) trees.add(pid, { marker: `${pid}` });
  trees.kill(10);
  trees.terminate(20);
  expect([jobOf(1).said, jobOf(2).said]).toEqual([['end 137'], ['end 137']]);
  expect(trees.finish(10)).toBeNull();
  await trees.finish(30);
  expect(jobOf(3).said).toEqual(['end 137']);
  expect(trees.size).toBe(1);
});

test('WindowsTrees.groupOf() holds the job to its limits with room to see them passed, and sums it up', async () => {
  const { trees, jobOf } = fakeWindows({});
  trees.add(10, { marker: 'a' });
  const group = trees.groupOf(10, { ...unlimited, memoryBytes: 1600, processes: 3 });
  expect(jobOf(1).said).toEqual(['limit 1700 3']);
  expect(group?.usage()).toMatchObject({ cpuMs: 5, memoryPeakBytes: 7 });
  expect(group?.exitStatus?.()).toBe(10_000);
  await group?.remove();
  expect(jobOf(1).said).toContain('close');
});

test('WindowsTrees.survey() has the members of each tree', async () => {
  const { trees, jobOf } = fakeWindows({});
  trees.add(10, { marker: 'a' });
  jobOf(1).pids.add(12);
  const tree = (await trees.survey([{ pid: 10, enough: 9, suspect: false }])).get(10);
  expect(tree?.count).toBe(2);
  expect(tree?.members.map(({ residentBytes }) => residentBytes)).toEqual([100, 120]);
});

test('WindowsTrees.close() lets go of the nest, unless tasks still run: they are to end with this process', () => {
  const idle = fakeWindows({});
  idle.trees.close();
  expect(idle.nest.said).toContain('release');
  const busy = fakeWindows({});
  busy.trees.add(10, { marker: 'a' });
  busy.trees.close();
  expect(busy.nest.said).not.toContain('release');
});
