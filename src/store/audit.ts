/**
 * The chain that ties audit entries together: each carries the SHA-256 of the one before it, and a mark carries that of
 * the last, so that an entry changed, taken out or moved later shows (`verify.ts` finds it). It is evidence, not
 * protection: whoever may write the file can write a new chain.
 *
 * Entries past their retention are cut off the beginning (`cut.ts`), which is an entry itself: it carries the hash of the
 * last one that went, so that the chain is checked from there on, and nobody can shorten it without changing it.
 *
 * Invariants: ids go up by 1 without a gap, from 1 or the entry after the last cut; the mark changes in the transaction of
 * the entry it is about.
 */

/** An entry as the columns of `audit_log` hold it, in the order of the table. The hash is over these, as they are. */
export type AuditColumns = readonly [
  id: number,
  timestamp: string,
  eventType: string,
  actor: string,
  workerId: string | null,
  taskId: string | null,
  details: string,
  previousHash: string,
];

/** Their names, for SELECT. */
export const auditColumns = 'id, timestamp, event_type, actor, worker_id, task_id, details, previous_hash';

/** SHA-256 of a text in UTF-8, as lower-case hex. */
export type Sha256 = (text: string) => string;

/** `previous_hash` of the first entry. */
export const auditStart = '0'.repeat(64);

/** What the following entry carries: SHA-256 of this entry's columns as a JSON array without spaces. */
export function auditHash(columns: AuditColumns, sha256: Sha256): string {
  return sha256(JSON.stringify(columns));
}

/** The last entry written: its id (0 = none was), and its hash, null where a migration only counted the entries. */
export interface AuditHead {
  readonly id: number;
  readonly hash: string | null;
}

/** Name of the mark that holds the head. */
export const auditHeadMark = 'audit_head';

/** The text of the mark: the id, a space, the hash. A migration writes the id alone. */
export function encodeHead(id: number, hash: string): string {
  return `${id} ${hash}`;
}

/** The head a mark holds; null when there is no mark, or one that this program did not write. */
export function decodeHead(text: string | undefined): AuditHead | null {
  const [, id, hash = null] = /^(\d{1,15})(?: ([0-9a-f]{64}))?$/.exec(text ?? '') ?? [];
  return id === undefined ? null : { id: Number(id), hash };
}

/** Type of the entry that tells of a cut: entries at the beginning of the record were deleted. */
export const cutEventType = 'record_cut';

/** What the entry of a cut says. */
export interface AuditCut {
  /** Id of the last entry that went: all up to it did, now or before. */
  readonly through: number;
  /** Hash of that entry. */
  readonly hash: string;
  /** How many this cut took. */
  readonly entries: number;
  /** They were written before this instant, ISO 8601. */
  readonly written_before: string;
  /** The first of them that did not follow from the one before it, where one did not: it, or that one, was changed. */
  readonly damaged?: number;
}

/** The part of such an entry's details that the chain goes on from; null: the program did not write them. */
export function decodeCut(details: string): Pick<AuditCut, 'through' | 'hash'> | null {
  const [, through, hash] = /"through":(\d{1,15}),"hash":"([0-9a-f]{64})"/.exec(details) ?? [];
  return through === undefined || hash === undefined ? null : { through: Number(through), hash };
}
