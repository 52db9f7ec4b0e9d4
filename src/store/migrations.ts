/**
 * The way from any older database to the present one: numbered SQL texts inside the program (a compiled file has no
 * files beside it), applied in order, all in one transaction together with the number of the last in `PRAGMA
 * user_version`: cut short, the database is as it was, for the program that wrote it too.
 *
 * Forward only. A published migration is never edited: a change of the schema is a new entry at the end of the list,
 * and the same change in `schema.ts`. Foreign keys are deferred, so that the order of changes within a commit is free.
 */

import type { Connection } from './connection.ts';

/** Marks a database as Octaskly's (`PRAGMA application_id`): the letters `OCTA`. */
export const applicationId = 0x4f435441;

const outcomeAndUsage = `
  exit_code INTEGER, signal TEXT, outcome_detail TEXT,
  duration_ms INTEGER, cpu_ms INTEGER, memory_peak_bytes INTEGER,
  stdout_bytes INTEGER, stderr_bytes INTEGER, discarded_bytes INTEGER`;

const v1 = `
CREATE TABLE blobs (
  hash TEXT PRIMARY KEY NOT NULL,
  bytes INTEGER NOT NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE TABLE batches (id TEXT PRIMARY KEY NOT NULL, name TEXT, created_at TEXT NOT NULL, size INTEGER NOT NULL);

CREATE TABLE tasks (
  id TEXT PRIMARY KEY NOT NULL,
  status TEXT NOT NULL,
  worker_id TEXT,
  batch_id TEXT REFERENCES batches (id) DEFERRABLE INITIALLY DEFERRED,
  created_at TEXT NOT NULL,
  started_at TEXT,
  completed_at TEXT,
  priority INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  phase TEXT NOT NULL,
  failures INTEGER NOT NULL DEFAULT 0,
  losses INTEGER NOT NULL DEFAULT 0,
  not_before TEXT,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  avoid TEXT,
  outcome TEXT, ${outcomeAndUsage},
  reason TEXT,
  name TEXT,
  command TEXT,
  spec TEXT NOT NULL,
  stdout_size INTEGER,
  stdout_blob TEXT,
  stderr_size INTEGER,
  stderr_blob TEXT,
  stdout TEXT,
  stderr TEXT
);
CREATE INDEX tasks_open ON tasks (status, id) WHERE status <> 'completed';
CREATE INDEX tasks_batch ON tasks (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX tasks_completed ON tasks (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX tasks_stdout_blob ON tasks (stdout_blob) WHERE stdout_blob IS NOT NULL;
CREATE INDEX tasks_stderr_blob ON tasks (stderr_blob) WHERE stderr_blob IS NOT NULL;

CREATE TABLE task_tags (
  task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (task_id, key)
) WITHOUT ROWID;
CREATE INDEX task_tags_value ON task_tags (key, value, task_id);

CREATE TABLE attempts (
  task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  attempt INTEGER NOT NULL,
  worker_id TEXT NOT NULL,
  started_at TEXT,
  ended_at TEXT NOT NULL,
  outcome TEXT NOT NULL, ${outcomeAndUsage},
  PRIMARY KEY (task_id, attempt)
) WITHOUT ROWID;

CREATE TABLE workers (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  public_key TEXT NOT NULL,
  first_seen_at TEXT NOT NULL,
  last_seen_at TEXT NOT NULL,
  draining INTEGER NOT NULL,
  declaration TEXT NOT NULL
);

CREATE TABLE settings (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE idempotency (
  key TEXT PRIMARY KEY NOT NULL,
  body_hash TEXT NOT NULL,
  created_at TEXT NOT NULL,
  answer TEXT NOT NULL
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE audit_log (
  id INTEGER PRIMARY KEY NOT NULL,
  timestamp TEXT NOT NULL,
  event_type TEXT NOT NULL,
  actor TEXT NOT NULL,
  worker_id TEXT,
  task_id TEXT,
  details TEXT NOT NULL,
  previous_hash TEXT NOT NULL
);

CREATE TABLE marks (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;

PRAGMA application_id = ${applicationId};
`;

/** What came of ended tasks, for people who query with `sqlite3`; and the tokens that were given out, by their hashes. */
const v2 = `
CREATE VIEW results AS
SELECT id AS task_id, attempt, worker_id, status, outcome, exit_code, signal, reason, stdout, stderr, duration_ms, completed_at
FROM tasks WHERE completed_at IS NOT NULL;

CREATE TABLE tokens (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  hash TEXT NOT NULL,
  created_at TEXT NOT NULL,
  expires_at TEXT,
  revoked_at TEXT
);
`;

/** Files of tasks, and what more an attempt used. */
const v3 = `
ALTER TABLE tasks ADD COLUMN written_bytes INTEGER;
ALTER TABLE tasks ADD COLUMN sandbox_level TEXT;
ALTER TABLE attempts ADD COLUMN written_bytes INTEGER;
ALTER TABLE attempts ADD COLUMN sandbox_level TEXT;

CREATE TABLE input_blobs (
  task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  blob TEXT NOT NULL,
  PRIMARY KEY (task_id, blob)
) WITHOUT ROWID;
CREATE INDEX input_blobs_blob ON input_blobs (blob);

CREATE TABLE outputs (
  task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  path TEXT NOT NULL,
  blob TEXT,
  bytes INTEGER NOT NULL,
  executable INTEGER NOT NULL,
  problem TEXT,
  PRIMARY KEY (task_id, path)
) WITHOUT ROWID;
CREATE INDEX outputs_blob ON outputs (blob) WHERE blob IS NOT NULL;
`;

/** Who may join and who may ask; whose a task is; the end of the record of who did what, see `audit.ts`. */
const v4 = `
CREATE TABLE nodes (
  public_key TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  worker_id TEXT,
  admitted_by TEXT NOT NULL,
  invite_id TEXT,
  admitted_at TEXT NOT NULL,
  revoked_at TEXT
);

CREATE TABLE invites (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT,
  uses_max INTEGER NOT NULL,
  uses INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  created_by TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  revoked_at TEXT
);

ALTER TABLE tasks ADD COLUMN owner TEXT;
ALTER TABLE batches ADD COLUMN owner TEXT;
CREATE INDEX tasks_owner ON tasks (owner, id) WHERE owner IS NOT NULL;

CREATE INDEX audit_log_timestamp ON audit_log (timestamp);
INSERT INTO marks (name, value) SELECT 'audit_head', coalesce(max(id), 0) FROM audit_log;
`;

/** Files that stay with the worker they were made by. */
const v5 = `
ALTER TABLE outputs ADD COLUMN kept_at TEXT;
CREATE INDEX outputs_kept ON outputs (kept_at, task_id) WHERE kept_at IS NOT NULL;
`;

/** Notifications on their way, and whom the end of a batch is told. */
const v6 = `
CREATE TABLE deliveries (
  id TEXT PRIMARY KEY NOT NULL,
  destination TEXT NOT NULL,
  created_at TEXT NOT NULL,
  notice TEXT NOT NULL,
  tries INTEGER NOT NULL,
  next_at TEXT NOT NULL
);
ALTER TABLE batches ADD COLUMN notify TEXT;
`;

/** The first version whose record has a mark at its end. */
export const auditHeadSince = 4;

/** Every migration, oldest first; the position (from 1) is the version it leads to. */
export const migrations: readonly string[] = [v1, v2, v3, v4, v5, v6];

/**
 * Applies what the database lacks of `list`, all of it or nothing. Returns how many migrations that were.
 * The caller has made sure that the database is not newer than `list`. Errors: as `Connection.transaction`.
 */
export function migrate(connection: Connection, list: readonly string[] = migrations): number {
  const missing = list.slice(connection.pragma('user_version'));
  if (missing.length === 0) return 0;
  connection.transaction(() => {
    for (const text of missing) connection.exec(text);
    connection.exec(`PRAGMA user_version = ${list.length}`);
  });
  return missing.length;
}
