/**
 * Cutting the record: entries past their retention go, from the beginning on and never out of the middle. What was cut is
 * an entry of its own, in the same transaction (`audit.ts`), that the check of the rest begins with (`verify.ts`).
 *
 * Entries stand in the order in which they were written, which is that of their instants as long as the clock goes right.
 * Where it did not, an entry dated in the future goes with older ones behind it, and one dated too early stays for as long
 * as one before it does: a clock that was wrong neither empties the record nor keeps it for ever.
 */

import type { NewEntry } from './append.ts';
import { type AuditColumns, type AuditCut, auditHash, cutEventType, type Sha256 } from './audit.ts';
import type { Connection } from './connection.ts';
import { isoOf } from './schema.ts';
import { entriesFrom } from './verify.ts';

/** Which entries: those written before `beforeMs`, as far as they are the first ones. Both wall ms. */
export interface Cuttable {
  readonly beforeMs: number;
  readonly nowMs: number;
}

/** Entries dated in the future that older ones behind them are looked for: more in a row stay until their date. */
const aheadMax = 10_000;

/** What a cut took. `damaged`: as in `AuditCut`, else null. */
export interface Cut {
  readonly entries: number;
  readonly damaged: number | null;
}

/** Nothing was old enough. */
export const nothingCut: Cut = { entries: 0, damaged: null };

/**
 * Deletes up to `limit` of these entries and gives the one that tells of it, for the caller to write; null when there are
 * none. Inside the caller's transaction.
 */
export function cutRecord(
  connection: Connection,
  sha256: Sha256,
  { limit, ...cuttable }: Cuttable & { readonly limit: number },
): { readonly cut: Cut; readonly entry: NewEntry } | null {
  let last: { id: number; hash: string } | null = null;
  let entries = 0;
  let damaged: number | null = null;
  for (const entry of oldEntries(connection, cuttable)) {
    const [id, , , , , , , previousHash] = entry;
    if (last !== null && (id !== last.id + 1 || previousHash !== last.hash)) damaged ??= id;
    last = { id, hash: auditHash(entry, sha256) };
    entries += 1;
    if (entries === limit) break;
  }
  if (last === null) return null;
  connection.rows('DELETE FROM audit_log WHERE id <= ?', last.id);
  const said: AuditCut = {
    ...{ through: last.id, hash: last.hash, entries, written_before: isoOf(cuttable.beforeMs) },
    ...(damaged === null ? {} : { damaged }),
  };
  const details = JSON.stringify(said);
  const doer = { actor: 'dispatcher', workerId: null, taskId: null };
  const entry: NewEntry = { kind: 'audit', at: cuttable.nowMs, eventType: cutEventType, ...doer, details };
  return { cut: { entries, damaged }, entry };
}

/** How many entries cuts would take. */
export function cuttableCount(connection: Connection, cuttable: Cuttable): number {
  let entries = 0;
  for (const _ of oldEntries(connection, cuttable)) entries += 1;
  return entries;
}

/** The first entries, up to the last one that is old before the first one that is not. */
function* oldEntries(connection: Connection, { beforeMs, nowMs }: Cuttable): Generator<AuditColumns> {
  const [before, now] = [isoOf(beforeMs), isoOf(nowMs)];
  let ahead: AuditColumns[] = [];
  for (const entry of entriesFrom(connection, 1)) {
    const [, timestamp] = entry;
    if (timestamp > now && ahead.length < aheadMax) ahead.push(entry);
    else if (timestamp < before) {
      yield* ahead;
      yield entry;
      ahead = [];
    } else return;
  }
}
