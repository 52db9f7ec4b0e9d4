/**
 * The dispatcher is killed again and again while it is busy: nothing it acknowledged is lost, nothing runs twice, nobody
 * has to be told. The moments are drawn from a seed (OCTASKLY_TEST_SEED); a failure names it.
 */

import { afterEach, expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import type { TaskRequest, TaskWithAttempts } from '../../src/api/schemas.ts';
import { daemon, sleepers, token } from '../integration/processes.ts';
import { closeSites, type Node, openSite, type Site } from './site.ts';

afterEach(closeSites, 20_000);

const seed = Number(process.env.OCTASKLY_TEST_SEED ?? 20_250_801);

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function randomOf(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Submissions under keys of their own, each repeated until it is acknowledged. */
class Submitter {
  /** Ids by key. */
  readonly acknowledged = new Map<string, readonly string[]>();
  repeats = 0;
  readonly #site: Site;
  readonly #pending: Promise<void>[] = [];

  constructor(site: Site) {
    this.#site = site;
  }

  task(key: string, request: TaskRequest): void {
    this.#begin(key, '/api/v1/tasks', request);
  }

  batch(key: string, tasks: readonly TaskRequest[]): void {
    this.#begin(key, '/api/v1/batches', { tasks });
  }

  async done(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #begin(key: string, path: string, body: unknown): void {
    const submission = this.#repeat(key, path, body);
    // `done` tells of a failure.
    submission.catch(() => undefined);
    this.#pending.push(submission);
  }

  async #repeat(key: string, path: string, body: unknown): Promise<void> {
    for (const deadline = performance.now() + 60_000; performance.now() < deadline; this.repeats += 1) {
      try {
        type Answered = { id: string; task_ids?: string[] };
        const { status, body: answer } = await this.#site.call<Answered>('POST', path, body, {
          'idempotency-key': key,
        });
        if (status === 201) {
          this.acknowledged.set(key, answer.task_ids ?? [answer.id]);
          return;
        }
        if (status !== 503) throw new TypeError(`${key} was refused with ${status}: ${JSON.stringify(answer)}`);
      } catch (error) {
        // The dispatcher is down, or went down before it answered.
        if (error instanceof TypeError && error.message.startsWith(key)) throw error;
      }
      await Bun.sleep(50);
    }
    throw new Error(`${key} was not acknowledged in time`);
  }
}

/** How often each task was started, by the lines its attempts wrote. */
function startsOf(file: string): Map<string, number> {
  const starts = new Map<string, number>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const id = line.split(' ')[0] ?? '';
    if (id !== '') starts.set(id, (starts.get(id) ?? 0) + 1);
  }
  return starts;
}

const isUp = async (site: Site, workers: number): Promise<boolean> => (await site.stats()).workers.online === workers;

async function openTasks(site: Site): Promise<number> {
  const { blocked = 0, queued = 0, running = 0 } = (await site.stats()).tasks;
  return blocked + queued + running;
}

test('a dispatcher killed ten times with 2,000 tasks in flight loses none, and runs none twice', async () => {
  const random = randomOf(seed);
  const site = openSite();
  const starts = site.path('starts');
  writeFileSync(starts, '');
  const noted = `echo "$OCTASKLY_TASK_ID $OCTASKLY_ATTEMPT" >> ${starts}`;
  const short: TaskRequest = { command: `${noted}; sleep 0.02; echo "$OCTASKLY_TASK_ID"` };
  const long: TaskRequest = {
    command: `${noted}; i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo "line $i"; sleep 0.1; done`,
    priority: 'high',
  };
  const expected = Array.from({ length: 60 }, (_, i) => `line ${i + 1}\n`).join('');

  let dispatcher: Node = await site.dispatcher();
  await site.worker('a', ['--max-jobs', '8']);
  await site.worker('b', ['--max-jobs', '8']);
  const submitter = new Submitter(site);

  const backAfterMs: number[] = [];
  for (let round = 0; round < 10; round++) {
    const missing = 2000 - (await openTasks(site));
    if (missing > 0) submitter.batch(`batch-${round}`, Array<TaskRequest>(missing).fill(short));
    await submitter.done();
    submitter.task(`long-${round}`, long);
    await Bun.sleep(50 + random() * 750);
    // Some of these are stored when it dies, but not answered; some neither.
    for (let n = 0; n < 40; n++) submitter.task(`single-${round}-${n}`, short);
    await Bun.sleep(random() * 20);
    dispatcher.kill('SIGKILL');
    await dispatcher.ended;
    await Bun.sleep(random() * 300);
    const restartedAt = performance.now();
    dispatcher = await site.dispatcher();
    // Now and then it is killed again before they are.
    if (random() < 0.25) continue;
    await site.until(`both workers are back in round ${round} of seed ${seed}`, () => isUp(site, 2));
    backAfterMs.push(performance.now() - restartedAt);
  }
  await submitter.done();
  const ids = [...submitter.acknowledged.values()].flat();
  await site.until(
    `all ${ids.length} tasks have ended (seed ${seed})`,
    async () => (await openTasks(site)) === 0,
    60_000,
  );

  const tasks = await site.allTasks();
  // Every acknowledged task is there, and nothing that was submitted twice under one key.
  expect(new Set(ids).size).toBe(ids.length);
  expect(tasks.map(({ id }) => id).sort()).toEqual([...ids].sort());
  const counted = startsOf(starts);
  const wrong = tasks.filter((task) => task.status !== 'completed' || counted.get(task.id) !== 1);
  expect(wrong.map(({ id, status, reason }) => ({ id, status, reason, starts: counted.get(id) }))).toEqual([]);
  const damaged = tasks.filter((task) => task.priority === 0 && task.stdout_tail !== `${task.id}\n`);
  expect(damaged.map(({ id, stdout_tail }) => ({ id, stdout_tail }))).toEqual([]);
  for (let round = 0; round < 10; round++) {
    const [id = ''] = submitter.acknowledged.get(`long-${round}`) ?? [];
    expect((await site.task(id)).stdout_tail).toBe(expected);
  }
  await eachHasOneResult(site, ids);
  const slowest = Math.round(Math.max(...backAfterMs));
  console.log(`${ids.length} tasks, ${submitter.repeats} submissions repeated, workers back within ${slowest} ms`);
}, 120_000);

/** Exactly one accepted result each: one attempt on record, and it exited. */
async function eachHasOneResult(site: Site, ids: readonly string[]): Promise<void> {
  const several: TaskWithAttempts['attempts'][] = [];
  for (let at = 0; at < ids.length; at += 50) {
    const tasks = await Promise.all(ids.slice(at, at + 50).map((id) => site.task(id)));
    for (const { attempts } of tasks) {
      if (attempts.length !== 1 || attempts[0]?.outcome.kind !== 'exited') several.push(attempts);
    }
  }
  expect(several).toEqual([]);
}

test('dispatcher and a worker killed together lose no task and leave no process', async () => {
  const random = randomOf(seed + 1);
  const site = openSite();
  const starts = site.path('starts');
  writeFileSync(starts, '');
  const command = `echo "$OCTASKLY_TASK_ID" >> ${starts}; sleep 0.2 & wait; echo "$OCTASKLY_TASK_ID"`;
  let dispatcher = await site.dispatcher(['--heartbeat-timeout', '2']);
  await site.worker('b');
  const submitter = new Submitter(site);
  for (let round = 0; round < 3; round++) {
    const worker = await site.worker('a', ['--label', `round=${round}`]);
    const marks = [token(), token(), token()] as const;
    const seen = site.path(`seen-${round}`);
    const stubborn = `[ -e ${seen} ] && exit; touch ${seen}; sleep ${marks[0]} & ${daemon(marks[1])}; sleep ${marks[2]}`;
    submitter.task(`stubborn-${round}`, {
      command: stubborn,
      requires: { labels: { round: `${round}` } },
      priority: 'high',
    });
    submitter.batch(
      `batch-${round}`,
      Array.from({ length: 60 }, () => ({ command })),
    );
    await site.until('the stubborn task runs', () => marks.every((mark) => sleepers(mark).length === 1));
    await Bun.sleep(random() * 400);
    dispatcher.kill('SIGKILL');
    worker.kill('SIGKILL');
    await site.until('nothing of the worker is left', () => marks.every((mark) => sleepers(mark).length === 0));
    dispatcher = await site.dispatcher(['--heartbeat-timeout', '2']);
    await site.worker('a', ['--label', `round=${round}`]).then(async (again) => {
      await site.until('the stubborn task is done', async () => (await openTasks(site)) === 0);
      again.kill('SIGINT');
      expect((await again.ended).status).toBe(0);
    });
  }
  await submitter.done();
  const ids = [...submitter.acknowledged.values()].flat();
  expect(ids.length).toBe(3 * 61);
  const counted = startsOf(starts);
  for (const id of ids) {
    const { status, attempts, stdout_tail: output, priority } = await site.task(id);
    expect(status).toBe('completed');
    expect(attempts.filter(({ outcome }) => outcome.kind === 'exited').length).toBe(1);
    expect(attempts.every(({ outcome }) => outcome.kind === 'exited' || outcome.kind === 'lost')).toBe(true);
    if (priority !== 0) continue;
    expect(output).toBe(`${id}\n`);
    // Lost once at most; and a start that the killed worker could not report is on no record.
    expect(counted.get(id) ?? 0).toBeGreaterThanOrEqual(1);
    expect(counted.get(id) ?? 0).toBeLessThanOrEqual(2);
  }
}, 90_000);
