/** Which task runs where, and when: priorities, resources, labels, dependencies, retries, limits. */

import { afterEach, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import type { TaskRequest } from '../../src/api/schemas.ts';
import { daemon, sleepers, token } from '../integration/processes.ts';
import { closeSites, openSite, type Site } from './site.ts';

afterEach(closeSites, 20_000);

/** A dispatcher and one worker. */
async function pair(workerArgs: readonly string[] = []): Promise<Site> {
  const site = openSite();
  await site.dispatcher();
  await site.worker('a', workerArgs);
  return site;
}

/** Submits tasks together, in this order, to a paused dispatcher; then lets go and waits for all. */
async function runTogether(site: Site, tasks: readonly TaskRequest[]): Promise<string[]> {
  await site.text(['pause']);
  const { body } = await site.call<{ task_ids: string[] }>('POST', '/api/v1/batches', { tasks });
  expect((await site.stats()).tasks.queued).toBe(tasks.length);
  await site.text(['resume']);
  for (const id of body.task_ids) await site.reached(id, 'final');
  return body.task_ids;
}

test('tasks of higher priority run first, equal ones in the order they came', async () => {
  const site = await pair(['--max-jobs', '1']);
  const order = site.path('order');
  const say = (word: string, priority?: TaskRequest['priority']): TaskRequest => ({
    command: `echo ${word} >> ${order}`,
    ...(priority === undefined ? {} : { priority }),
  });
  await runTogether(site, [
    ...[say('low', 'low'), say('normal1'), say('high1', 'high'), say('normal2'), say('seven', 7)],
    ...[say('critical', 'critical'), say('high2', 'high'), say('last', -100), say('normal3')],
  ]);
  expect(readFileSync(order, 'utf8').trim().split('\n')).toEqual([
    ...['critical', 'high1', 'high2', 'seven', 'normal1', 'normal2', 'normal3', 'low', 'last'],
  ]);
}, 60_000);

/** Runs `total` tasks that each note when they begin and end; the most that ran at once. */
async function mostAtOnce(site: Site, total: number, requires: TaskRequest['requires']): Promise<number> {
  const notes = site.path('notes');
  const command = `echo + >> ${notes}; sleep 0.1; echo - >> ${notes}`;
  const ids = await runTogether(site, Array<TaskRequest>(total).fill({ command, ...(requires ? { requires } : {}) }));
  for (const id of ids) expect((await site.task(id)).status).toBe('completed');
  let now = 0;
  let most = 0;
  for (const sign of readFileSync(notes, 'utf8').trim().split('\n')) {
    now += sign === '+' ? 1 : -1;
    most = Math.max(most, now);
  }
  expect(now).toBe(0);
  return most;
}

test('slots are used in full and never overcommitted', async () => {
  expect(await mostAtOnce(await pair(['--max-jobs', '3']), 15, undefined)).toBe(3);
}, 60_000);

test('cores are used in full and never overcommitted', async () => {
  const site = await pair(['--max-jobs', '8', '--cpu-cores', '2']);
  expect(await mostAtOnce(site, 12, { cpu_cores: 0.5 })).toBe(4);
  const large = await site.submit({ command: 'true', requires: { cpu_cores: 8 } });
  const explained = await site.text(['explain', large]);
  expect(explained).toContain('it has 2 cores, the task asks for 8');
}, 60_000);

test('memory and GPUs are reserved while a task runs', async () => {
  const site = await pair(['--max-jobs', '8', '--memory', '1000', '--gpu', '1']);
  expect(await mostAtOnce(site, 4, { memory_mb: 500, gpu: 1 })).toBe(1);
}, 60_000);

test('labels decide where a task runs; explain says why one waits', async () => {
  const site = openSite();
  await site.dispatcher();
  await site.worker('attic', ['--label', 'zone=attic', '--label', 'disk=ssd']);
  await site.worker('cellar', ['--label', 'zone=cellar']);
  for (const zone of ['cellar', 'attic', 'cellar']) {
    const { status, stdout } = await site.run(['run', '--label', `zone=${zone}`, 'echo "$OCTASKLY_WORKER"']);
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: `${zone}\n` });
  }
  const id = await site.text(['submit', '--label', 'zone=roof', 'true']);
  const explained = await site.text(['explain', id]);
  expect(explained).toContain('its label zone is attic, the task asks for roof');
  expect(explained).toContain('cellar');
  await site.worker('roof', ['--label', 'zone=roof']);
  await site.reached(id, 'completed');
}, 60_000);

test('a chain of dependencies runs in order, and a failure ends what waits for it', async () => {
  const site = await pair();
  const order = site.path('order');
  const manifest = {
    name: 'chain',
    tasks: [
      { name: 'three', command: `echo 3 >> ${order}`, depends_on: ['two'] },
      { name: 'two', command: `sleep 0.1; echo 2 >> ${order}`, depends_on: ['one'] },
      { name: 'one', command: `sleep 0.1; echo 1 >> ${order}` },
      { name: 'bad', command: 'exit 4' },
      { name: 'never', command: `echo never >> ${order}`, depends_on: ['bad'] },
      { name: 'after-never', command: `echo never >> ${order}`, depends_on: ['never'] },
      {
        name: 'cleanup',
        command: `echo cleanup >> ${order}`,
        depends_on: ['bad', 'three'],
        on_dependency_failure: 'run',
      },
    ],
  };
  await Bun.write(site.path('chain.json'), JSON.stringify(manifest));
  const { status } = await site.run(['batch', '--wait', site.path('chain.json')]);
  expect(status).toBe(1);
  expect(readFileSync(order, 'utf8')).toBe('1\n2\n3\ncleanup\n');
  const byName = new Map((await site.allTasks()).map((task) => [task.name, task]));
  expect(byName.get('never')?.status).toBe('cancelled');
  expect(byName.get('never')?.reason).toContain(`its dependency ${byName.get('bad')?.id} ended as failed`);
  expect(byName.get('after-never')?.status).toBe('cancelled');
  const first = await site.text(['submit', `echo first >> ${order}`]);
  await site.reached(first, 'completed');
  await site.text(['submit', '--wait', '--after', 'last', `echo second >> ${order}`]);
  expect(readFileSync(order, 'utf8')).toEndWith('first\nsecond\n');
}, 60_000);

test('a failed task is tried again after a pause, on another worker', async () => {
  const site = openSite();
  await site.dispatcher();
  await site.worker('a');
  await site.worker('b');
  const id = await site.submit({
    command: 'echo "$OCTASKLY_ATTEMPT $OCTASKLY_WORKER"; [ "$OCTASKLY_ATTEMPT" = 3 ] || exit 5',
    retry_count: 3,
    retry_delay: 0.4,
  });
  const { attempts, stdout_tail: output, exit_code: code } = await site.reached(id, 'completed');
  expect(code).toBe(0);
  expect(output).toMatch(/^3 [ab]\n$/);
  expect(attempts.map(({ outcome }) => outcome.exit_code)).toEqual([5, 5, 0]);
  expect(attempts[0]?.worker_id).not.toBe(attempts[1]?.worker_id);
  const pauseMs = (n: number): number =>
    Date.parse(attempts[n]?.started_at ?? '') - Date.parse(attempts[n - 1]?.ended_at ?? '');
  expect(pauseMs(1)).toBeGreaterThanOrEqual(195);
  expect(pauseMs(2)).toBeGreaterThanOrEqual(395);
  const hopeless = await site.submit({ command: 'exit 6', retry_count: 1, retry_delay: 0.05 });
  const failed = await site.reached(hopeless, 'failed');
  expect(failed.attempts.length).toBe(2);
  const again = await site.text(['retry', hopeless]);
  expect((await site.reached(again, 'failed')).retry_of).toBe(hopeless);
}, 60_000);

test('a time limit ends the whole tree, also what ignores TERM', async () => {
  const site = await pair();
  const marks = [token(), token(), token(), token()] as const;
  const command = `${daemon(marks[0], { scrubbed: true })}; sleep ${marks[1]} & (trap '' TERM; sleep ${marks[2]}) & sleep ${marks[3]}`;
  const id = await site.submit({ command, timeout: 0.7 });
  await site.until('the tree runs', () => marks.every((mark) => sleepers(mark).length === 1));
  const { reason, duration_ms: ms } = await site.reached(id, 'timed_out', 15_000);
  expect(reason).toContain('time limit of 0.7 s');
  expect(ms ?? 0).toBeLessThan(10_000);
  expect(marks.map((mark) => sleepers(mark).length)).toEqual([0, 0, 0, 0]);
}, 60_000);

test('a task may clean up at its time limit, and one that will not end is killed after five seconds', async () => {
  const site = await pair();
  const polite = await site.submit({ command: `trap 'echo cleaned; exit 0' TERM; sleep 60 & wait`, timeout: 0.3 });
  const mark = token();
  const rude = await site.submit({ command: `trap '' TERM; sleep ${mark}; sleep 60`, timeout: 0.3 });
  const cleaned = await site.reached(polite, 'timed_out');
  expect(cleaned.stdout_tail).toBe('cleaned\n');
  expect(cleaned.duration_ms ?? 0).toBeLessThan(4000);
  const killed = await site.reached(rude, 'timed_out', 15_000);
  expect(killed.duration_ms ?? 0).toBeGreaterThanOrEqual(5000);
  expect(sleepers(mark)).toEqual([]);
}, 60_000);

test('what a task leaves in the background ends with it', async () => {
  const site = await pair();
  const marks = [token(), token()] as const;
  const id = await site.submit({ command: `sleep ${marks[0]} & ${daemon(marks[1])}; sleep 0.2; echo done` });
  expect((await site.reached(id, 'completed')).stdout_tail).toBe('done\n');
  expect(marks.map((mark) => sleepers(mark).length)).toEqual([0, 0]);
}, 60_000);

/** Resident memory of a process, bytes. */
function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

test('100 MB of output is kept up to 10 MB and costs no memory', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher();
  const worker = await site.worker('a');
  await site.text(['run', 'head -c 20000000 /dev/zero']);
  const before = { worker: residentBytes(worker.pid), dispatcher: residentBytes(dispatcher.pid) };
  const most = { ...before };
  const id = await site.submit({ command: 'yes 0123456789abcde | head -c 100000000; echo end >&2' });
  await site.until('the task has ended', async () => {
    most.worker = Math.max(most.worker, residentBytes(worker.pid));
    most.dispatcher = Math.max(most.dispatcher, residentBytes(dispatcher.pid));
    return (await site.task(id)).status === 'completed';
  });
  const task = await site.task(id);
  expect(task.stdout_bytes).toBe(10_000_000);
  expect(task.discarded_bytes).toBe(90_000_000);
  expect(task.stderr_tail).toBe('end\n');
  const kept = await site.run(['logs', '--stdout', id]);
  expect(kept.stdout.equals(Buffer.alloc(10_000_000, '0123456789abcde\n'))).toBe(true);
  expect(most.worker - before.worker).toBeLessThan(64e6);
  expect(most.dispatcher - before.dispatcher).toBeLessThan(64e6);
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
  console.log(
    `worker ${megabytes(most.worker)}, dispatcher ${megabytes(most.dispatcher)} at most while 100 MB were written`,
  );
}, 60_000);
