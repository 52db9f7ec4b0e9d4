/**
 * The tables, as drizzle sees them: names and types of columns for every query. What makes them real is the SQL in
 * `migrations.ts`; a test holds both against each other, so this file alone changes nothing in a database.
 *
 * People query these tables with `sqlite3`, so instants are ISO 8601 UTC text (about 50 bytes a task more than integers,
 * and they sort and read as one expects), statuses and outcomes are words, and output is text wherever it is text.
 * Invariants: ids are 12 characters and grow with time, so that rows are appended; what a task was asked to do
 * (`command`, `name`, `priority`, `batch_id`, `owner`, `spec`) is written once, the rest of its row changes until it ends.
 */

import { sql } from 'drizzle-orm';
import { customType, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { sandboxLevels } from '../core/isolation.ts';
import { taskStatuses } from '../core/task.ts';
import { roles } from '../core/trust.ts';

/** Last instant whose ISO form has a four-digit year; beyond it text would no longer sort by time. */
const instantMax = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Wall-clock ms as ISO 8601 text. Whole ms from 1970 to 9999; what lies outside (a worker's broken clock) is clamped. */
export function isoOf(wallMs: number): string {
  if (wallMs !== lastIso.wallMs)
    lastIso = { wallMs, text: new Date(Math.min(Math.max(wallMs, 0), instantMax)).toISOString() };
  return lastIso.text;
}

/** The last answer: the rows of one commit mostly carry the same instant. */
let lastIso = { wallMs: Number.NaN, text: '' };

const instant = customType<{ data: number; driverData: string }>({
  dataType: () => 'text',
  toDriver: isoOf,
  fromDriver: (value) => Date.parse(value),
});

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8 = new TextEncoder();

/** Output bytes as the value SQLite keeps: text when they are UTF-8 without NUL, else the bytes as they are. */
function storedOf(bytes: Uint8Array): string | Uint8Array {
  if (bytes.includes(0)) return bytes;
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return bytes;
  }
}

/** Declared TEXT: that affinity keeps blobs as blobs, so the column holds either, byte for byte. */
const output = customType<{ data: Uint8Array; driverData: string | Uint8Array }>({
  dataType: () => 'text',
  toDriver: storedOf,
  fromDriver: (value) => (typeof value === 'string' ? utf8.encode(value) : value),
});

const zero = sql`0`;

/** Files of the blob store that rows refer to. No foreign keys lead here: checking them would be a tenth of a commit. */
export const blobs = sqliteTable('blobs', {
  /** `sha256:<hex>`. */
  hash: text('hash').primaryKey(),
  bytes: integer('bytes').notNull(),
  createdAt: instant('created_at').notNull().default(sql`(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))`),
});

export const batches = sqliteTable('batches', {
  id: text('id').primaryKey(),
  name: text('name'),
  createdAt: instant('created_at').notNull(),
  size: integer('size').notNull(),
  owner: text('owner'),
  /** JSON list of destinations. */
  notify: text('notify'),
});

/** How an attempt ended: the outcome's kind as a word, its usual facts as columns, the rest as JSON. */
const outcomeColumns = {
  outcome: text('outcome'),
  exitCode: integer('exit_code'),
  signal: text('signal'),
  outcomeDetail: text('outcome_detail'),
};

/** What an attempt used. All null when it is not known. */
const usageColumns = {
  durationMs: integer('duration_ms'),
  cpuMs: integer('cpu_ms'),
  memoryPeakBytes: integer('memory_peak_bytes'),
  stdoutBytes: integer('stdout_bytes'),
  stderrBytes: integer('stderr_bytes'),
  discardedBytes: integer('discarded_bytes'),
  writtenBytes: integer('written_bytes'),
  sandboxLevel: text('sandbox_level', { enum: sandboxLevels }),
};

export const tasks = sqliteTable(
  'tasks',
  {
    id: text('id').primaryKey(),
    status: text('status', { enum: taskStatuses }).notNull(),
    workerId: text('worker_id'),
    batchId: text('batch_id').references(() => batches.id),
    /** Subject of the token it was submitted with; null = the cluster owner's. */
    owner: text('owner'),
    createdAt: instant('created_at').notNull(),
    startedAt: instant('started_at'),
    completedAt: instant('completed_at'),
    priority: integer('priority').notNull().default(zero),
    attempt: integer('attempt').notNull().default(zero),
    phase: text('phase', { enum: ['idle', 'assigned', 'started'] }).notNull(),
    failures: integer('failures').notNull().default(zero),
    losses: integer('losses').notNull().default(zero),
    notBefore: instant('not_before'),
    cancelRequested: integer('cancel_requested', { mode: 'boolean' }).notNull().default(zero),
    /** JSON list of worker ids; null = none. */
    avoid: text('avoid'),
    ...outcomeColumns,
    ...usageColumns,
    reason: text('reason'),
    name: text('name'),
    command: text('command'),
    /** JSON: the parts of the specification that have no column and are not the default. */
    spec: text('spec').notNull(),
    /** Bytes of the whole stream, where `stdout` is not the whole; else null. */
    stdoutSize: integer('stdout_size'),
    stdoutBlob: text('stdout_blob'),
    stderrSize: integer('stderr_size'),
    stderrBlob: text('stderr_blob'),
    stdout: output('stdout'),
    stderr: output('stderr'),
  },
  (table) => [
    // Live tasks at a restart and the status filters. Most rows are completed and cost nothing here.
    index('tasks_open').on(table.status, table.id).where(sql`status <> 'completed'`),
    index('tasks_batch').on(table.batchId, table.id).where(sql`batch_id IS NOT NULL`),
    index('tasks_owner').on(table.owner, table.id).where(sql`owner IS NOT NULL`),
    index('tasks_completed').on(table.completedAt).where(sql`completed_at IS NOT NULL`),
    index('tasks_stdout_blob').on(table.stdoutBlob).where(sql`stdout_blob IS NOT NULL`),
    index('tasks_stderr_blob').on(table.stderrBlob).where(sql`stderr_blob IS NOT NULL`),
  ],
);

export const taskTags = sqliteTable(
  'task_tags',
  {
    taskId: text('task_id')
      .notNull()
      .references(() => tasks.id, { onDelete: 'cascade' }),
    key: text('key').notNull(),
    value: text('value').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.taskId, table.key] }),
    index('task_tags_value').on(table.key, table.value, table.taskId),
  ],
);

export const attempts = sqliteTable(
  'attempts',
  {
    taskId: text('task_id')
      .notNull()
      .references(() => tasks.id, { onDelete: 'cascade' }),
    attempt: integer('attempt').notNull(),
    workerId: text('worker_id').notNull(),
    startedAt: instant('started_at'),
    endedAt: instant('ended_at').notNull(),
    ...outcomeColumns,
    outcome: text('outcome').notNull(),
    ...usageColumns,
  },
  (table) => [primaryKey({ columns: [table.taskId, table.attempt] })],
);

/** Files that tasks brought along: which blobs are in use, and by whom. Where they lie is in the specification. */
export const inputBlobs = sqliteTable(
  'input_blobs',
  {
    taskId: text('task_id')
      .notNull()
      .references(() => tasks.id, { onDelete: 'cascade' }),
    blob: text('blob').notNull(),
  },
  (table) => [primaryKey({ columns: [table.taskId, table.blob] }), index('input_blobs_blob').on(table.blob)],
);

/** Files that the last attempts of tasks left. A row without a blob says why there is none. */
export const outputs = sqliteTable(
  'outputs',
  {
    taskId: text('task_id')
      .notNull()
      .references(() => tasks.id, { onDelete: 'cascade' }),
    /** Path below the task directory; of a problem `/` and its number. */
    path: text('path').notNull(),
    blob: text('blob'),
    bytes: integer('bytes').notNull(),
    executable: integer('executable', { mode: 'boolean' }).notNull(),
    problem: text('problem'),
    /** Worker that keeps it, until it is brought here. */
    keptAt: text('kept_at'),
  },
  (table) => [
    primaryKey({ columns: [table.taskId, table.path] }),
    index('outputs_blob').on(table.blob).where(sql`blob IS NOT NULL`),
    index('outputs_kept').on(table.keptAt, table.taskId).where(sql`kept_at IS NOT NULL`),
  ],
);

export const workers = sqliteTable('workers', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  publicKey: text('public_key').notNull(),
  firstSeenAt: instant('first_seen_at').notNull(),
  lastSeenAt: instant('last_seen_at').notNull(),
  draining: integer('draining', { mode: 'boolean' }).notNull(),
  /** JSON: what the worker said it has. */
  declaration: text('declaration').notNull(),
});

export const settings = sqliteTable('settings', { key: text('key').primaryKey(), value: text('value').notNull() });

export const idempotency = sqliteTable(
  'idempotency',
  {
    key: text('key').primaryKey(),
    bodyHash: text('body_hash').notNull(),
    createdAt: instant('created_at').notNull(),
    answer: text('answer').notNull(),
  },
  (table) => [index('idempotency_created').on(table.createdAt)],
);

/** Nodes that were let in, by the key they show. The key is public; what they prove themselves with is derived from it. */
export const nodes = sqliteTable('nodes', {
  publicKey: text('public_key').primaryKey(),
  name: text('name').notNull(),
  workerId: text('worker_id'),
  admittedBy: text('admitted_by', { enum: ['secret', 'invite', 'approval'] }).notNull(),
  inviteId: text('invite_id'),
  admittedAt: instant('admitted_at').notNull(),
  revokedAt: instant('revoked_at'),
});

/** Join tokens that were given out. The secret in one is derived from its id and stored nowhere. */
export const invites = sqliteTable('invites', {
  id: text('id').primaryKey(),
  name: text('name'),
  usesMax: integer('uses_max').notNull(),
  uses: integer('uses').notNull(),
  createdAt: instant('created_at').notNull(),
  createdBy: text('created_by').notNull(),
  expiresAt: instant('expires_at').notNull(),
  revokedAt: instant('revoked_at'),
});

/** Tokens that were given out. Of the token itself only a hash is kept. */
export const tokens = sqliteTable('tokens', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  role: text('role', { enum: roles }).notNull(),
  hash: text('hash').notNull(),
  createdAt: instant('created_at').notNull(),
  expiresAt: instant('expires_at'),
  revokedAt: instant('revoked_at'),
});

/** Notifications that have not arrived yet. */
export const deliveries = sqliteTable('deliveries', {
  id: text('id').primaryKey(),
  destination: text('destination').notNull(),
  createdAt: instant('created_at').notNull(),
  /** JSON: what is to be told. */
  notice: text('notice').notNull(),
  tries: integer('tries').notNull(),
  nextAt: instant('next_at').notNull(),
});

/** Who did what. Entries are appended, and cut off the beginning; each carries a hash of the one before it, see `audit.ts`. */
export const auditLog = sqliteTable(
  'audit_log',
  {
    id: integer('id').primaryKey(),
    timestamp: instant('timestamp').notNull(),
    eventType: text('event_type').notNull(),
    actor: text('actor').notNull(),
    workerId: text('worker_id'),
    taskId: text('task_id'),
    details: text('details').notNull(),
    previousHash: text('previous_hash').notNull(),
  },
  (table) => [index('audit_log_timestamp').on(table.timestamp)],
);

/** The store's own notes: `last_id` (greatest id among pruned rows), `audit_head` (see `audit.ts`) and `probe`. */
export const marks = sqliteTable('marks', { name: text('name').primaryKey(), value: text('value').notNull() });
