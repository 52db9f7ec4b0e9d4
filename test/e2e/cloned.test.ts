/** A data directory that was copied to another device, as with the image of an SD card: two workers, never one. */

import { afterEach, expect, test } from 'bun:test';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApprovalView, AuditEntryView } from '../../src/api/trust-schemas.ts';
import { closeSites, type Node, openSite, type Site } from './site.ts';

afterEach(closeSites, 20_000);

async function original(site: Site): Promise<Node> {
  await site.dispatcher();
  const invite = await site.text(['invite', '-o', 'quiet']);
  return start(site, 'pi', '--join', invite);
}

async function start(site: Site, directory: string, ...args: string[]): Promise<Node> {
  const place = ['--data-dir', site.path(directory), '--dispatcher', `127.0.0.1:${site.port}`];
  const node = await site.start(['worker', ...place, ...args]);
  await site.until('it says something', () => /Joined the dispatcher|octaskly approve|--new-identity/.test(node.log()));
  return node;
}

const homeOf = (site: Site, directory: string): string => join(site.path(directory), 'workers', '1');

/** As if the directory had been used on another machine so far. */
function fromElsewhere(site: Site, directory: string): void {
  const file = join(homeOf(site, directory), 'hardware.json');
  const kept = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const other = (facts: unknown) => (Array.isArray(facts) ? facts.map(() => 'f'.repeat(32)) : facts);
  writeFileSync(
    file,
    JSON.stringify(Object.fromEntries(Object.entries(kept).map(([kind, facts]) => [kind, other(facts)]))),
  );
}

function knowsItself(site: Site): boolean {
  const text = readFileSync(join(homeOf(site, 'pi'), 'hardware.json'), 'utf8');
  return /"[0-9a-f]{32}"/.test(text);
}

test('a copy on other hardware takes a new id and key, asks to be let in, and leaves the original alone', async () => {
  const site = openSite();
  const pi = await original(site);
  if (!knowsItself(site)) {
    console.warn('not tested: copied data directories, as this machine has no fact of its own');
    return;
  }
  cpSync(site.path('pi'), site.path('copy'), { recursive: true });
  rmSync(join(homeOf(site, 'copy'), 'lock'), { force: true });
  fromElsewhere(site, 'copy');
  const copy = await start(site, 'copy', '--verbose');
  expect(copy.log()).toContain('was copied from another device');
  await site.until('it asks', async () => (await approvals(site)).length === 1);
  await site.text(['approve', (await approvals(site))[0]?.id ?? '']);
  await site.until('it has joined', () => copy.log().includes('Joined the dispatcher'));
  const workers = await site.workers();
  expect(workers.map(({ status }) => status)).toEqual(['online', 'online']);
  expect(new Set(workers.map(({ id }) => id)).size).toBe(2);
  expect(pi.log()).not.toContain('Lost the dispatcher');
  expect(readdirSync(homeOf(site, 'copy')).filter((name) => name.includes('.replaced-'))).not.toEqual([]);
  expect(readdirSync(homeOf(site, 'pi')).filter((name) => name.includes('.replaced-'))).toEqual([]);

  copy.kill('SIGTERM');
  await copy.ended;
  const again = await start(site, 'copy');
  expect(again.log()).not.toContain('copied');
  expect(await site.workers()).toHaveLength(2);
}, 60_000);

async function approvals(site: Site): Promise<readonly ApprovalView[]> {
  return (await site.get<{ approvals: ApprovalView[] }>('/api/v1/approvals')).approvals;
}

test('of two that are there at once with one identity, the first stays; the other is told what to do, on record', async () => {
  const site = openSite();
  const pi = await original(site);
  cpSync(site.path('pi'), site.path('copy'), { recursive: true });
  const copy = await start(site, 'copy');
  expect(copy.log()).toContain('cloned SD card');
  expect(copy.log()).toContain('--new-identity');
  expect(existsSync(join(homeOf(site, 'copy'), 'credential.json'))).toBe(true);
  expect(pi.log()).not.toContain('Lost the dispatcher');
  expect((await site.workers()).map(({ status }) => status)).toEqual(['online']);
  const { entries } = await site.get<{ entries: AuditEntryView[] }>('/api/v1/audit');
  const refused = entries.filter(({ event_type: type }) => type === 'join_refused');
  expect(JSON.stringify(refused)).toContain('duplicate_id');
}, 60_000);
