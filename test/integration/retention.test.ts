/** What is past the retention goes, with its files; what is in use, or was just brought, stays. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finalStatuses } from '../../src/core/task.ts';
import type { BlobStore } from '../../src/ports/files.ts';
import { Pruning } from '../../src/roles/pruning.ts';
import { startRetention } from '../../src/roles/retention.ts';
import { createBlobStore } from '../../src/runtime/blobs.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore } from '../../src/store/store.ts';
import { blobOf } from '../memory-blobs.ts';
import { bytes, silentLog } from '../unit/dispatcher/fakes.ts';
import { completed, plainSpec, sampleTask, saved } from '../unit/store/samples.ts';

const dayMs = 86_400_000;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-retention-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function bring(store: BlobStore, name: string): Promise<string> {
  const blob = blobOf(bytes(name));
  const receiver = store.receive(blob, name.length);
  receiver.write(bytes(name));
  await receiver.finish();
  return blob;
}

test('startRetention() deletes ended tasks and files nobody refers to, and says how many', async () => {
  const store = openStore(join(directory, 'db'), storeFiles);
  const blobs = createBlobStore({ directory: join(directory, 'blobs'), log: silentLog });
  const names = ['of the old task', 'of the live task', 'of the old task, brought again', 'never used', 'just brought'];
  const [ofOld, ofLive, again, unused, fresh] = await Promise.all(names.map((name) => bring(blobs, name)));
  const past = new Date(Date.now() - 3 * dayMs);
  for (const blob of [ofOld, ofLive, unused]) utimesSync(blobs.file(blob ?? ''), past, past);
  const input = (blob: string | undefined) => ({ path: `in-${blob}`, blob: blob ?? '', bytes: 1, executable: false });
  const old = sampleTask({ ...completed, completedAt: Date.now() - 2 * dayMs });
  const live = sampleTask({ spec: { ...plainSpec, inputs: [input(ofLive)] } });
  const spec = { ...plainSpec, inputs: [input(ofOld), input(ofLive), input(again)] };
  store.commit([saved({ ...old, spec }), saved(live)]);

  const said = Promise.withResolvers<unknown>();
  const log = { ...silentLog, info: (message: string, fields: unknown) => said.resolve([message, fields]) };
  const dispatcher = { forgotten: () => undefined, trust: { notePruned: () => Promise.resolve() } };
  const pruning = new Pruning({ dataDir: directory, store, values: { auditRetentionMs: 0 }, blobs, dispatcher, log });
  const database = join(directory, 'db');
  const copies = [`${database}.before-v1`, `${database}.before-v2`];
  for (const copy of copies) writeFileSync(copy, '');
  utimesSync(copies[0] ?? '', past, past);
  const retention = startRetention({ pruning, database, log, retentionMs: dayMs });
  expect(await said.promise).toEqual(['deleted ended tasks past their retention', { tasks: 1, blobs: 2 }]);
  await retention.stop();
  expect(copies.map((copy) => existsSync(copy))).toEqual([false, true]);
  expect([ofOld, ofLive, again, unused, fresh].map((blob) => blobs.size(blob ?? '') !== null)).toEqual([
    false,
    true,
    true,
    false,
    true,
  ]);
  expect([store.task(old.id), store.task(live.id)?.task.id]).toEqual([null, live.id]);
  store.close();
});

test('Pruning cuts the record at a retention of its own, whatever age is asked for', async () => {
  const store = openStore(join(directory, 'db'), storeFiles);
  const blobs = createBlobStore({ directory: join(directory, 'blobs'), log: silentLog });
  const entry = { kind: 'audit', eventType: 'seen', actor: 'me', workerId: null, taskId: null, details: '{}' } as const;
  const days = [9, 8, 3, 1];
  store.commit(days.map((day) => ({ ...entry, at: Date.now() - day * dayMs })));
  const noted: unknown[] = [];
  const trust = { notePruned: async (_: unknown, details: object) => void noted.push(details) };
  const parts = {
    dataDir: directory,
    store,
    blobs,
    dispatcher: { forgotten: () => undefined, trust },
    log: silentLog,
  };
  const asked = { older_than: 0, statuses: [...finalStatuses], blobs: false, dry_run: true };
  const admin = { name: 'ann', role: 'admin', from: null } as const;
  const pruning = (auditRetentionMs: number) => new Pruning({ ...parts, values: { auditRetentionMs } });
  expect((await pruning(0).forget({ wallMs: Date.now(), unused: false })).entries).toBe(0);
  expect((await pruning(5 * dayMs).prune(asked, admin)).audit_entries).toBe(2);
  expect(store.verifyAudit()).toEqual({ ok: true, entries: 4 });
  expect((await pruning(5 * dayMs).prune({ ...asked, dry_run: false }, admin)).audit_entries).toBe(2);
  expect(noted).toMatchObject([{ entries: 2 }]);
  expect(store.verifyAudit()).toMatchObject({ ok: true, entries: 3, cut: { through: 2 } });
  store.close();
});
