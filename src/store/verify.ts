/**
 * Checks the record: walks the chain of audit entries once, a page at a time, and says which entry is not as it was
 * written. Writes nothing and mends nothing.
 *
 * Where the chain breaks, between an entry and the one after it, either of them may be at fault. More of the table tells
 * which: what was done to it by hand leaves hashes elsewhere that only the entry as it was can have. Found are, in one
 * place each:
 *
 *   a column edited            the link after the entry breaks, and that one only       changed
 *   `previous_hash` edited     with the hash it should carry, the chain goes on         changed
 *   rows exchanged or moved    the entry that follows stands at another id              reordered
 *   contents exchanged         another row's contents fit here                          reordered
 *   taken out                  a gap in the ids, at the end against the mark            removed
 *   taken out, ids closed up   with its old id, the entry fits the next                 removed
 *   put in by hand             entries past the mark                                    changed
 *
 * Where the beginning was cut off (`cut.ts`), the check begins with what the entry of the last cut says. That entry is
 * part of the chain like any other.
 *
 * Known limit: where two entries that touch were edited, or one and the link after it was mended, the first entry that
 * cannot be right is named, which need not be the first that was edited.
 */

import { present } from '../base/assert.ts';
import type { AuditFinding } from '../core/trust.ts';
import {
  type AuditColumns,
  type AuditCut,
  type AuditHead,
  auditColumns,
  auditHash,
  auditHeadMark,
  auditStart,
  cutEventType,
  decodeCut,
  decodeHead,
  type Sha256,
} from './audit.ts';
import type { Connection } from './connection.ts';
import { auditHeadSince } from './migrations.ts';

/** Entries read at once. */
const pageMax = 1000;

/** What a walk has come to: the last entry found right, null before the first, and what the next one must carry. */
interface Checked {
  readonly entry: AuditColumns | null;
  readonly id: number;
  readonly hash: string;
}

type Verdict = Pick<Extract<AuditFinding, { ok: false }>, 'id' | 'what' | 'detail'>;

/** The record of one database, as it is while a check runs. */
interface Chain {
  readonly connection: Connection;
  readonly sha256: Sha256;
  readonly head: AuditHead | null;
  /** The entry of the last cut, and what it says; null = there was none. */
  readonly cut: { readonly entry: AuditColumns; readonly said: Pick<AuditCut, 'through' | 'hash'> | null } | null;
  /** Number of entries. */
  readonly size: number;
}

/** Checks the whole record, as it is at one instant. Errors: as `Connection.attempt`. */
export function verifyRecord(connection: Connection, sha256: Sha256): AuditFinding {
  return connection.snapshot(() => {
    const [mark] = connection.rows<{ value: string }>('SELECT value FROM marks WHERE name = ?', auditHeadMark);
    const [counted] = connection.rows<{ entries: number }>('SELECT count(*) AS entries FROM audit_log');
    const { entries } = present(counted, 'a count');
    const cut = lastCut(connection);
    const verdict = firstFault({ connection, sha256, head: decodeHead(mark?.value), cut, size: entries });
    if (verdict !== null) return { ok: false, entries, ...verdict };
    if (!cut?.said) return { ok: true, entries };
    return { ok: true, entries, cut: { through: cut.said.through, at: Date.parse(cut.entry[1]) } };
  });
}

function lastCut(connection: Connection): Chain['cut'] {
  const text = `SELECT ${auditColumns} FROM audit_log WHERE event_type = ? ORDER BY id DESC LIMIT 1`;
  const [entry] = connection.tuples<AuditColumns>(text, cutEventType);
  return entry === undefined ? null : { entry, said: decodeCut(entry[6]) };
}

/** What goes before the first entry that should be there. */
function beginning({ cut }: Chain): Checked {
  return cut?.said
    ? { entry: null, id: cut.said.through, hash: cut.said.hash }
    : { entry: null, id: 0, hash: auditStart };
}

function firstFault(chain: Chain): Verdict | null {
  const fault = firstFaultOnTheWay(chain);
  const { cut } = chain;
  if (fault === null || cut === null || fault.id > beginning(chain).id + 1) return fault;
  // The beginning is not where the cut says it is: one of both was changed.
  return isRight(chain, cut.entry) ? fault : changed(cut.entry[0]);
}

function firstFaultOnTheWay(chain: Chain): Verdict | null {
  const { head, sha256 } = chain;
  let checked = beginning(chain);
  for (const entry of entriesFrom(chain.connection, 1)) {
    const [id] = entry;
    const expected = checked.id + 1;
    if (checked.entry === null && id < expected) return added(id);
    if (head !== null && expected > head.id) return added(id);
    if (id !== expected) return missing(chain, checked);
    if (previousHashOf(entry) !== checked.hash) return broken(chain, checked, entry);
    checked = { entry, id, hash: auditHash(entry, sha256) };
  }
  return wrongEnd(chain, checked);
}

/** Entries in order of their ids, from an id on. */
export function* entriesFrom(connection: Connection, from: number): Generator<AuditColumns> {
  const text = `SELECT ${auditColumns} FROM audit_log WHERE id >= ? ORDER BY id LIMIT ${pageMax}`;
  for (let next = from; ; ) {
    const page = connection.tuples<AuditColumns>(text, next);
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageMax) return;
    next = last[0] + 1;
  }
}

function previousHashOf(entry: AuditColumns): string {
  return entry[7];
}

/** The entry as it would be under another id, or after another one. */
function altered(entry: AuditColumns, id: number, previousHash: string): AuditColumns {
  const [, timestamp, eventType, actor, workerId, taskId, details] = entry;
  return [id, timestamp, eventType, actor, workerId, taskId, details, previousHash];
}

// ------------------------------------------------------------------------------------------------------- findings

/** Nothing stands where the entry after `checked` should. */
function missing(chain: Chain, checked: Checked): Verdict {
  const id = checked.id + 1;
  const follower = followerElsewhere(chain, checked.hash, id);
  if (follower !== undefined && isCarried(chain, altered(follower, id, checked.hash))) return moved(id, follower[0]);
  return { id, what: 'removed', detail: `Entry ${id} was removed: it is not there.` };
}

/** `entry` stands where it should but does not carry the hash of `checked`, the one before it. */
function broken(chain: Chain, checked: Checked, entry: AuditColumns): Verdict {
  const { head, size } = chain;
  const [id] = entry;
  const gone = beginning(chain).id;
  const follower = followerElsewhere(chain, checked.hash, id);
  if (follower !== undefined) {
    return isCarried(chain, altered(follower, id, checked.hash)) ? moved(id, follower[0]) : changed(id);
  }
  if (goesOn(chain, checked)) return changed(id);
  const lacking = head === null ? 0 : head.id - gone - size;
  if (lacking > 0 && isCarried(chain, altered(entry, id + lacking, previousHashOf(entry)))) {
    const detail = `Entry ${id} was removed, and later ones were given its id and those that follow: what stands there was entry ${id + lacking}.`;
    return { id, what: 'removed', detail };
  }
  if (checked.entry === null) return changed(id);
  const contents = contentsElsewhere(chain, checked.entry, previousHashOf(entry));
  return contents === null ? changed(checked.id) : moved(checked.id, contents);
}

/** All entries are right as far as they carry one another; what of the last, and of those that should come after it? */
function wrongEnd(chain: Chain, checked: Checked): Verdict | null {
  const { connection, head } = chain;
  if (head !== null && head.id > checked.id) return missing(chain, checked);
  const [early] = connection.tuples<[number]>('SELECT min(id) FROM audit_log WHERE id < 1');
  if (early !== undefined && early[0] !== null) return added(early[0]);
  if (head === null) {
    if (connection.pragma('user_version') < auditHeadSince) return null;
    const id = checked.id + 1;
    const detail = `Entry ${id} may have been removed, and those after it: the mark that holds the end of the record is not there.`;
    return { id, what: 'removed', detail };
  }
  return head.hash === null || head.hash === checked.hash ? null : changed(checked.id);
}

function changed(id: number): Verdict {
  return { id, what: 'changed', detail: `Entry ${id} was changed: it is not the one whose hash was kept.` };
}

function added(id: number): Verdict {
  return { id, what: 'changed', detail: `Entry ${id} was put in by something else: it is outside of the record.` };
}

function moved(id: number, to: number): Verdict {
  return { id, what: 'reordered', detail: `Entry ${id} was moved: what belongs there stands at ${to}.` };
}

// -------------------------------------------------------------------------------------------------------- searches

/** The row that says it follows the entry with this hash, and stands somewhere else than at `id`. */
function followerElsewhere({ connection }: Chain, hash: string, id: number): AuditColumns | undefined {
  const text = `SELECT ${auditColumns} FROM audit_log WHERE previous_hash = ? AND id <> ? LIMIT 1`;
  return connection.tuples<AuditColumns>(text, hash, id)[0];
}

/** What entries say from `checked` on, whatever hashes they carry, comes to a hash that was kept. */
function goesOn({ connection, sha256, head }: Chain, checked: Checked): boolean {
  let { id, hash } = checked;
  for (const entry of entriesFrom(connection, checked.id + 1)) {
    if (previousHashOf(entry) === hash) return true;
    if (entry[0] !== id + 1) return false;
    id += 1;
    hash = auditHash(altered(entry, id, hash), sha256);
  }
  return head?.id === id && head.hash === hash;
}

/**
 * The id of the row whose contents, put into the place of `entry`, have the hash that the next one carries, and which is
 * not right where it stands: entries may say the same by nature.
 */
function contentsElsewhere(chain: Chain, entry: AuditColumns, hash: string): number | null {
  const [id] = entry;
  for (const other of entriesFrom(chain.connection, id + 1)) {
    const fits = auditHash(altered(other, id, previousHashOf(entry)), chain.sha256) === hash;
    if (fits && !isRight(chain, other)) return other[0];
  }
  return null;
}

/** The next entry, or the mark at the end, carries the hash of this one. */
function isRight({ connection, sha256, head }: Chain, entry: AuditColumns): boolean {
  const [id] = entry;
  const [next] = connection.tuples<[string]>('SELECT previous_hash FROM audit_log WHERE id = ?', id + 1);
  return auditHash(entry, sha256) === (next === undefined ? head?.hash : next[0]);
}

/** Some entry, or the mark at the end, carries the hash of this one: it was once written just so. */
function isCarried({ connection, sha256, head }: Chain, entry: AuditColumns): boolean {
  const hash = auditHash(entry, sha256);
  if (head?.hash === hash) return true;
  return connection.rows('SELECT 1 FROM audit_log WHERE previous_hash = ? LIMIT 1', hash).length > 0;
}
