/**
 * Wall clocks that jump by hours (a Pi without a clock of its own that hears from NTP, a battery that was empty): work
 * goes on, nobody is lost, ids keep their order. The jump is made by a small library that is loaded before libc and adds
 * what a file says to the wall clock of one process; it takes Linux and a C compiler, elsewhere the tests say that they are
 * skipped. The clock of the machine is left alone.
 */

import { afterEach, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { closeSites, openSite, type Site } from './site.ts';

afterEach(closeSites, 20_000);

const source = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile int64_t *offset;
__attribute__((constructor)) static void load(void) {
  const char *path = getenv("CLOCK_OFFSET_FILE");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd >= 0) offset = mmap(0, 8, PROT_READ, MAP_SHARED, fd, 0);
  if (offset == MAP_FAILED) offset = 0;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, clock, now);
  if (!failed && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *offset;
  return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *out) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (out) *out = exact.tv_sec;
  return exact.tv_sec;
}
`;

const canShift = process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0;
if (!canShift) console.log('skipped: tests of jumping clocks need Linux and a C compiler');

/** Makes the library; its path. */
function library(site: Site): string {
  const file = site.path('clock.so');
  writeFileSync(site.path('clock.c'), source);
  const { status, stderr } = spawnSync('cc', ['-O1', '-shared', '-fPIC', '-o', file, site.path('clock.c')]);
  if (status !== 0) throw new Error(`cc failed: ${stderr}`);
  return file;
}

/** A wall clock that can be set: the environment that puts a process under it, and `shift`, in hours from the true time. */
function clockOf(site: Site, name: string): { env: Record<string, string>; shift(hours: number): void } {
  const file = site.path(name);
  const shift = (hours: number): void => {
    writeFileSync(file, Buffer.from(new BigInt64Array([BigInt(Math.round(hours * 3600))]).buffer), { flag: 'r+' });
  };
  writeFileSync(file, Buffer.alloc(8));
  return { env: { LD_PRELOAD: library(site), CLOCK_OFFSET_FILE: file }, shift };
}

const hourMs = 3_600_000;

test.skipIf(!canShift)(
  'a wall clock that jumps by hours loses no worker and no task, and ids keep their order',
  async () => {
    const site = openSite();
    const here = clockOf(site, 'dispatcher-clock');
    const there = clockOf(site, 'worker-clock');
    const limits = ['--heartbeat-timeout', '2'];
    let dispatcher = await site.dispatcher(limits, { env: here.env });
    const worker = await site.worker('a', [], { env: there.env });
    const go = site.path('go');
    const steady = await site.submit({ command: `until [ -e ${go} ]; do sleep 0.02; done; echo end`, timeout: 600 });
    const delayed = await site.submit({ command: '[ "$OCTASKLY_ATTEMPT" = 2 ]', retry_count: 1, retry_delay: 2 });
    await site.reached(steady, 'running');
    const ids = [steady, delayed];
    const seen: number[] = [];
    for (const [hours, theirs] of [
      [7, -3],
      [-9, 5],
      [3, 0],
      [-200, 300],
      [0.01, 0],
    ] as const) {
      here.shift(hours);
      there.shift(theirs);
      const id = await site.submit({ command: 'sleep 0.3; echo done', timeout: 60 });
      const task = await site.reached(id, 'completed', 10_000);
      expect(task.stdout_tail).toBe('done\n');
      expect(task.duration_ms ?? 0).toBeGreaterThanOrEqual(290);
      expect(task.duration_ms ?? 0).toBeLessThan(5000);
      ids.push(id);
      seen.push((Date.parse(task.created_at) - Date.now()) / hourMs);
      expect(await site.stats()).toMatchObject({ workers: { online: 1, silent: 0 }, tasks: { running: 1 } });
    }
    // The clocks did jump.
    expect(seen.map(Math.round)).toEqual([7, -9, 3, -200, 0]);
    expect([...ids].sort()).toEqual(ids);
    expect((await site.reached(delayed, 'completed', 10_000)).attempts.length).toBe(2);
    expect(worker.log()).not.toContain('Lost the dispatcher');
    // A restart far in the past, too.
    here.shift(-1000);
    dispatcher.kill('SIGKILL');
    await dispatcher.ended;
    dispatcher = await site.dispatcher(limits, { env: here.env });
    await site.until('the worker is back', async () => (await site.stats()).workers.online === 1);
    const last = await site.submit({ command: 'true' });
    expect(last > (ids.at(-1) ?? '')).toBe(true);
    await site.reached(last, 'completed', 10_000);
    await Bun.write(go, '');
    const task = await site.reached(steady, 'completed', 10_000);
    expect(task.stdout_tail).toBe('end\n');
    expect(task.attempts.length).toBe(1);
  },
  60_000,
);
