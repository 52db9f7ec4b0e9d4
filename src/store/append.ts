/**
 * Entries onto the end of the record, within the transaction of the changes they record. Comes with every submission, so
 * that all its statements are prepared once. What ties entries together is in `audit.ts`.
 */

import { eq, max } from 'drizzle-orm';
import type { AuditEntry } from '../core/trust.ts';
import type { Change } from '../ports/store.ts';
import {
  type AuditColumns,
  auditColumns,
  auditHash,
  auditHeadMark,
  auditStart,
  decodeHead,
  encodeHead,
  type Sha256,
} from './audit.ts';
import { type Connection, slots } from './connection.ts';
import { auditLog, isoOf, marks } from './schema.ts';

/** What is recorded, before it has a place in the chain. */
export type NewEntry = Extract<Change, { kind: 'audit' }>;

/** Tells that the end of the record was not marked any more: what may have been cut off there cannot be told from here on. */
function unmarked(at: number): NewEntry {
  const details = JSON.stringify({ reason: 'the mark of the last entry was gone; entries after this one follow anew' });
  return { kind: 'audit', at, eventType: 'record_damaged', actor: 'dispatcher', workerId: null, taskId: null, details };
}

function compileStatements(connection: Connection) {
  const { orm } = connection;
  const entry = slots(
    auditLog,
    ...(['id', 'timestamp', 'eventType', 'actor'] as const),
    ...(['workerId', 'taskId', 'details', 'previousHash'] as const),
  );
  const mark = slots(marks, 'name', 'value');
  const set = { value: mark.value };
  return {
    entry: connection.compile<AuditEntry>(orm.insert(auditLog).values(entry)),
    mark: connection.compile<typeof marks.$inferInsert>(
      orm.insert(marks).values(mark).onConflictDoUpdate({ target: marks.name, set }),
    ),
    head: connection.keep((kept) =>
      kept.select({ value: marks.value }).from(marks).where(eq(marks.name, auditHeadMark)).prepare(),
    ),
    lastId: connection.keep((kept) =>
      kept
        .select({ id: max(auditLog.id) })
        .from(auditLog)
        .prepare(),
    ),
  };
}

/** Writes entries. Errors: SQLite's own. */
export class Appends {
  readonly #connection: Connection;
  readonly #sha256: Sha256;
  readonly #statements: ReturnType<typeof compileStatements>;

  constructor(connection: Connection, sha256: Sha256) {
    this.#connection = connection;
    this.#sha256 = sha256;
    this.#statements = compileStatements(connection);
  }

  /** Writes entries in this order. The end is looked up and not remembered: a rolled-back commit leaves no trace. */
  append(entries: readonly NewEntry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    let { id, hash, isMarked } = this.#end();
    for (const { at, eventType, ...said } of isMarked ? entries : [unmarked(first.at), ...entries]) {
      id += 1;
      // As the columns give it back: half a surrogate pair would not come back, and the entry would seem changed.
      const actor = said.actor.toWellFormed();
      const workerId = said.workerId?.toWellFormed() ?? null;
      const taskId = said.taskId?.toWellFormed() ?? null;
      const details = said.details.toWellFormed();
      this.#statements.entry({ id, timestamp: at, eventType, actor, workerId, taskId, details, previousHash: hash });
      hash = auditHash([id, isoOf(at), eventType, actor, workerId, taskId, details, hash], this.#sha256);
    }
    this.#statements.mark({ name: auditHeadMark, value: encodeHead(id, hash) });
  }

  /**
   * The id that the next entry comes after, and the hash it carries. The mark is believed and not the last row, so that an
   * end that was cut off or changed goes on showing.
   */
  #end(): { id: number; hash: string; isMarked: boolean } {
    const head = decodeHead(this.#statements.head.get()?.value);
    const id = Math.max(head?.id ?? 0, this.#statements.lastId.get()?.id ?? 0);
    if (head !== null && head.hash !== null) return { id, hash: head.hash, isMarked: true };
    const text = `SELECT ${auditColumns} FROM audit_log ORDER BY id DESC LIMIT 1`;
    const [last] = this.#connection.tuples<AuditColumns>(text);
    const hash = last === undefined ? auditStart : auditHash(last, this.#sha256);
    return { id, hash, isMarked: head !== null || last === undefined };
  }
}
