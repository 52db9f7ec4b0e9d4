/** `octaskly update --fleet`: workers are brought to the dispatcher's version one after another, until one fails. */

import { afterEach, expect, test } from 'bun:test';
import { copyFileSync, linkSync, mkdirSync, readdirSync } from 'node:fs';
import { version } from '../../src/version.ts';
import { executable } from './executable.ts';
import { closeSites, type Node, openSite, type Site } from './site.ts';
import { programBefore, programOf } from './versions.ts';

const next = '99.0.0';
const patienceMs = 120_000;

afterEach(closeSites);

/** A worker with a file of the program of its own. */
async function ownWorker(site: Site, name: string, from: string, ...words: readonly string[]): Promise<Node> {
  mkdirSync(site.path(name));
  const program = site.path(name, 'octaskly');
  try {
    linkSync(from, program);
  } catch {
    copyFileSync(from, program);
  }
  return site.worker(name, words, { program: [program] });
}

const versions = async (site: Site) =>
  (await site.workers()).map((worker) => `${worker.name} ${worker.version} ${worker.status}`);

test(
  'update --fleet drains, updates and gives work back to one worker after another, and a running task ends first',
  async () => {
    const site = openSite();
    await site.dispatcher([], { program: [await programOf(next)] });
    const nodes = [await ownWorker(site, 'w1', await executable()), await ownWorker(site, 'w2', await executable())];
    const task = await site.submit({ command: 'sleep 2; echo whole' });
    await site.reached(task, 'running');
    const { status, stdout, stderr } = await site.run(['update', '--fleet']);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout.toString()).toContain(`2 workers updated to ${next}`);
    expect(await versions(site)).toEqual([`w1 ${next} online`, `w2 ${next} online`]);
    const { status: ended, attempt, stdout_tail: output } = await site.task(task);
    expect([ended, attempt, output]).toEqual(['completed', 1, 'whole\n']);
    expect(readdirSync(site.path('w1')).toSorted()).toEqual(['octaskly', 'octaskly.previous']);
    // The same processes still: whatever looks after them has seen no end.
    for (const node of nodes) process.kill(node.pid, 0);
    expect(await site.text(['run', 'echo works'])).toBe('works');
    const again = await site.run(['update', '--fleet']);
    expect([again.status, again.stdout.toString()]).toEqual([0, `0 workers updated to ${next}, 2 had it\n`]);
  },
  patienceMs,
);

test(
  'update --fleet updates workers that share a file of the program, and the version before stays beside it',
  async () => {
    const site = openSite();
    await site.dispatcher([], { program: [await programOf(next)] });
    await ownWorker(site, 'w1', await executable());
    const shared = { program: [site.path('w1', 'octaskly')] };
    await site.worker('w2', [], shared);
    expect((await site.run(['update', '--fleet'])).status).toBe(0);
    expect(await versions(site)).toEqual([`w1 ${next} online`, `w2 ${next} online`]);
    expect(readdirSync(site.path('w1')).toSorted()).toEqual(['octaskly', 'octaskly.previous']);
    const back = await site.run(['update', '--rollback', '--dry-run'], shared);
    expect([back.status, back.stdout.toString()]).toEqual([
      0,
      expect.stringContaining(`from octaskly ${next} to ${version}`),
    ]);
  },
  patienceMs,
);

test(
  'update --fleet stops at the first worker that fails, which goes on as it was, as do those behind it',
  async () => {
    const site = openSite();
    await site.dispatcher([], { program: [await programOf(next)] });
    for (const name of ['w1', 'w2', 'w3']) await ownWorker(site, name, await executable());
    // Where the version before would be kept something else is.
    mkdirSync(site.path('w2', 'octaskly.previous', 'full'), { recursive: true });
    const { status, stderr } = await site.run(['update', '--fleet']);
    expect([status, stderr]).toEqual([1, expect.stringContaining('Worker w2: Cannot replace')]);
    const now = [`w1 ${next} online`, `w2 ${version} online`, `w3 ${version} online`];
    await site.until('all are back', async () => (await versions(site)).join() === now.join());
    expect(await site.text(['update', '--fleet', '--dry-run'])).toBe(
      `w2: ${version} -> ${next}\nw3: ${version} -> ${next}\nw1: ${next}, has that version`,
    );
  },
  patienceMs,
);

test(
  'update --fleet gives up on tasks that do not end, names whom it cannot update before it begins, and tells what happened',
  async () => {
    const site = openSite();
    await site.dispatcher([], { program: [await programOf(next)] });
    await ownWorker(site, 'w1', await executable(), '--label', 'room=attic');
    await ownWorker(site, 'w2', await executable(), '--allow-update', 'false');
    const refused = await site.run(['update', '--fleet']);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringContaining(
        'Worker w2: It takes no update from its dispatcher: it was started with --allow-update false',
      ),
    ]);
    // Only w1 has this label.
    const task = await site.submit({ command: 'sleep 60', requires: { labels: { room: 'attic' } } });
    await site.reached(task, 'running');
    const late = await site.run(['update', '--fleet', '--worker', 'w1', '--wait', '500ms']);
    expect([late.status, late.stderr]).toEqual([1, expect.stringContaining('Tasks still run there after 0.5 s')]);
    // It goes on as before, with that task too.
    expect(await versions(site)).toEqual([`w1 ${version} online`, `w2 ${version} online`]);
    expect((await site.task(task)).status).toBe('running');
    expect(readdirSync(site.path('w1'))).toEqual(['octaskly']);
    const events = await site.get<{ entries: { event_type: string }[] }>('/api/v1/audit');
    const kinds = events.entries.map((entry) => entry.event_type);
    expect(kinds).toEqual(
      expect.arrayContaining(['fleet_update_started', 'worker_drained', 'worker_update_failed', 'worker_undrained']),
    );
  },
  patienceMs,
);

test(
  'protocols N and N-1 work together: tasks with files both ways, and the older worker says that it is not updated from here',
  async () => {
    const before = programBefore();
    if (before === null) return;
    const job = async (site: Site): Promise<void> => {
      await Bun.write(site.path('in.txt'), 'abc');
      const words = ['--in', 'in.txt', '--out', 'out.txt', 'tr a-c A-C < in.txt > out.txt; cat out.txt'];
      expect(await site.text(['run', ...words])).toBe('ABC');
      expect(await Bun.file(site.path('out.txt')).text()).toBe('ABC');
    };
    const olderWorker = openSite();
    await olderWorker.dispatcher();
    await olderWorker.worker('older', [], { program: [before] });
    await job(olderWorker);
    const olderDispatcher = openSite();
    await olderDispatcher.dispatcher([], { program: [before] });
    await olderDispatcher.worker('newer', ['--when', 'cool']);
    await job(olderDispatcher);
    const fleet = openSite();
    await fleet.dispatcher([], { program: [await programOf(next)] });
    await fleet.worker('older', [], { program: [before] });
    const refused = await fleet.run(['update', '--fleet']);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringContaining('takes no updates from here: update it on that device once'),
    ]);
  },
  patienceMs,
);
