/** What every `Store` promises of nodes, invites, tokens and the record, held against the real one on a file. */

import { Database } from 'bun:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InviteRecord, NodeRecord, TokenRecord } from '../../src/core/trust.ts';
import type { AuditFilter, Change } from '../../src/ports/store.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore, type SqliteStore } from '../../src/store/store.ts';
import { sampleAt } from '../unit/store/samples.ts';

let directory: string;
let store: SqliteStore;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-store-'));
  store = openStore(join(directory, 'octaskly.db'), storeFiles);
});
afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true, force: true });
});

function reopened(): SqliteStore {
  store.close();
  store = openStore(join(directory, 'octaskly.db'), storeFiles);
  return store;
}

describe('Store.load()', () => {
  test('keeps nodes, invites and tokens, the last state of each', () => {
    const node: NodeRecord = {
      ...{ publicKey: 'aa', name: 'pi', workerId: null, admittedBy: 'invite', inviteId: '01', admittedAt: sampleAt },
      revokedAt: null,
    };
    const invite: InviteRecord = {
      ...{ id: '01', name: 'pi', usesMax: 1, uses: 0, createdAt: sampleAt, createdBy: 'local' },
      ...{ expiresAt: Date.now() + 60_000, revokedAt: null },
    };
    const token: TokenRecord = {
      ...{ id: 't1', name: 'ci', role: 'client', hash: 'ff', createdAt: sampleAt, expiresAt: null, revokedAt: null },
    };
    store.commit([
      { kind: 'node', record: node },
      { kind: 'node', record: { ...node, publicKey: 'bb', admittedBy: 'approval', inviteId: null } },
      { kind: 'invite', record: invite },
      { kind: 'token', record: token },
      { kind: 'token', record: { ...token, id: 't2', role: 'admin', expiresAt: sampleAt + 9 } },
    ]);
    const later = sampleAt + 1;
    const [usedNode, usedInvite, usedToken] = [
      { ...node, name: 'pi-2', workerId: 'w1', revokedAt: later },
      { ...invite, uses: 1, revokedAt: later },
      { ...token, expiresAt: later, revokedAt: later },
    ];
    store.commit([
      { kind: 'node', record: usedNode },
      { kind: 'invite', record: usedInvite },
      { kind: 'token', record: usedToken },
    ]);
    const { nodes, invites, tokens } = reopened().load();
    expect(nodes).toEqual([usedNode, { ...node, publicKey: 'bb', admittedBy: 'approval', inviteId: null }]);
    expect(invites).toEqual([usedInvite]);
    expect(tokens).toEqual([usedToken, { ...token, id: 't2', role: 'admin', expiresAt: sampleAt + 9 }]);
  });

  test('leaves out invites that expired more than 30 days ago', () => {
    const day = 86_400_000;
    const invite = (id: string, expiresAt: number): Change => ({
      kind: 'invite',
      record: {
        ...{ id, name: null, usesMax: 1, uses: 1, createdAt: sampleAt, createdBy: 'local', expiresAt, revokedAt: null },
      },
    });
    const now = Date.now();
    store.commit([invite('old', now - 31 * day), invite('ended', now - 29 * day), invite('open', now + day)]);
    expect(store.load().invites.map(({ id }) => id)).toEqual(['ended', 'open']);
  });
});

describe('Store.audit()', () => {
  const said = (at: number, changes: Partial<Extract<Change, { kind: 'audit' }>> = {}): Change => ({
    ...{
      kind: 'audit',
      at: sampleAt + at,
      eventType: 'joined',
      actor: 'me',
      workerId: null,
      taskId: null,
      details: '',
    },
    ...changes,
  });
  const idsFor = (filter: AuditFilter, limit = 100, after = 0): number[] =>
    store.audit(filter, { limit, after }).map(({ id }) => id);

  test('gives entries as they were said, oldest first, in pages without gaps or repeats', () => {
    store.commit([said(0, { details: '{"from":"::1"}', workerId: 'w1', taskId: 't1' })]);
    store.commit(Array.from({ length: 24 }, (_, i) => said(i)));
    const [first] = reopened().audit({}, { limit: 1, after: 0 });
    expect(first).toEqual({
      ...{ id: 1, timestamp: sampleAt, eventType: 'joined', actor: 'me', workerId: 'w1', taskId: 't1' },
      ...{ details: '{"from":"::1"}', previousHash: '0'.repeat(64) },
    });
    const pages: number[] = [];
    for (let after = 0; ; after = pages.at(-1) ?? 0) {
      const page = idsFor({}, 10, after);
      if (page.length === 0) break;
      pages.push(...page);
    }
    expect(pages).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
  });

  /** Every filter, alone and combined, against filtering in memory; the clock was set back twice. */
  test('filters as a plain comparison of each entry would', () => {
    const all = Array.from({ length: 60 }, (_, i) =>
      said((i % 25) * 1000, {
        ...{ eventType: i % 2 === 0 ? 'joined' : 'kicked', actor: `a${i % 3}` },
        ...{ taskId: i % 4 === 0 ? 't' : null, workerId: i % 5 === 0 ? 'w' : null },
      }),
    );
    store.commit(all);
    const entries = store.audit({}, { limit: 100, after: 0 });
    const filters: AuditFilter[] = [{}];
    const choices: AuditFilter[] = [
      { since: sampleAt + 9500 },
      { since: sampleAt + 99_000 },
      { eventType: 'kicked' },
      { actor: 'a1' },
      { taskId: 't' },
      { workerId: 'w' },
    ];
    for (const choice of choices) for (const filter of [...filters]) filters.push({ ...filter, ...choice });
    for (const filter of filters) {
      const matching = entries.filter(
        (entry) =>
          entry.timestamp >= (filter.since ?? 0) &&
          (filter.eventType ?? entry.eventType) === entry.eventType &&
          (filter.actor ?? entry.actor) === entry.actor &&
          (filter.taskId ?? entry.taskId) === entry.taskId &&
          (filter.workerId ?? entry.workerId) === entry.workerId,
      );
      const ids = matching.map(({ id }) => id);
      expect(idsFor(filter)).toEqual(ids);
      expect(idsFor(filter, 3, 20)).toEqual(ids.filter((id) => id > 20).slice(0, 3));
    }
  });
});

test('Store.commit() puts on record that the mark of the last entry was gone', () => {
  const entry = (eventType: string): Change => {
    return { kind: 'audit', at: sampleAt, eventType, actor: 'me', workerId: null, taskId: null, details: '' };
  };
  store.commit([entry('one'), entry('two')]);
  store.close();
  const database = new Database(join(directory, 'octaskly.db'));
  database.run('DELETE FROM audit_log WHERE id = 2');
  database.run('DELETE FROM marks');
  database.close();
  store = openStore(join(directory, 'octaskly.db'), storeFiles);
  store.commit([entry('three')]);
  store.commit([entry('four')]);
  const types = store.audit({}, { limit: 10, after: 0 }).map(({ eventType }) => eventType);
  expect(types).toEqual(['one', 'record_damaged', 'three', 'four']);
});
