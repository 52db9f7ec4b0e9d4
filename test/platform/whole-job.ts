/** A whole job of one file alone: dispatcher, worker and whoever asks are all started from it. For Linux. */

import { expect } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { openSite, type Site } from '../e2e/site.ts';

/** Input, output, both streams, exit status; then a limit of time and a tree that is cancelled. `closeSites` ends it. */
export async function wholeJob(program: readonly string[], arch: 'x64' | 'arm64'): Promise<Site> {
  const site = openSite();
  await site.dispatcher([], { program });
  await site.worker('other', [], { program });
  const [worker] = await site.workers();
  expect(worker).toMatchObject({ name: 'other', platform: 'linux', arch });
  writeFileSync(site.path('in.txt'), 'from here\n');
  const job = 'tr a-z A-Z < in.txt > out.txt; echo said; echo wrong >&2; exit 3';
  const asked = await site.run(['run', '--in', 'in.txt', '--out', 'out.txt', job], { program });
  expect([asked.status, asked.stdout.toString()]).toEqual([3, 'said\n']);
  expect(asked.stderr).toContain('wrong\n');
  expect(readFileSync(site.path('out.txt'), 'utf8')).toBe('FROM HERE\n');

  const mine = (word: string) => site.processes().some(({ command }) => command.includes(word));
  const late = await site.submit({ command: 'sleep 78001', timeout: 1 });
  const tree = await site.submit({ command: "setsid sh -c 'sleep 78002 & sleep 78003' & sleep 78004" });
  await site.until('the tree grows', () => mine('78002') && mine('78004'));
  await site.call('DELETE', `/api/v1/tasks/${tree}`);
  await site.reached(tree, 'cancelled');
  await site.reached(late, 'timed_out');
  await site.until('nothing of them is left', () => !mine('7800'));
  return site;
}
