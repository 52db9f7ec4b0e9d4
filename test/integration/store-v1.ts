/**
 * A database of version 1 as SQL: what a first release left behind. Never edited; every later version must still read it.
 */

export const databaseV1 = `
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
  outcome TEXT, 
  exit_code INTEGER, signal TEXT, outcome_detail TEXT,
  duration_ms INTEGER, cpu_ms INTEGER, memory_peak_bytes INTEGER,
  stdout_bytes INTEGER, stderr_bytes INTEGER, discarded_bytes INTEGER,
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
  outcome TEXT NOT NULL, 
  exit_code INTEGER, signal TEXT, outcome_detail TEXT,
  duration_ms INTEGER, cpu_ms INTEGER, memory_peak_bytes INTEGER,
  stdout_bytes INTEGER, stderr_bytes INTEGER, discarded_bytes INTEGER,
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
INSERT INTO batches (id, name, created_at, size)
  VALUES ('05k000000000', 'night', '2026-06-01T12:00:00.125Z', 1);
INSERT INTO tasks (id, status, worker_id, created_at, started_at, completed_at, priority, attempt, phase, failures, losses, cancel_requested, outcome, outcome_detail, duration_ms, cpu_ms, memory_peak_bytes, stdout_bytes, stderr_bytes, discarded_bytes, reason, command, spec, stdout, stderr)
  VALUES ('05k000000001', 'timed_out', 'w1', '2026-06-01T12:00:00.125Z', '2026-06-01T12:00:00.130Z', '2026-06-01T12:00:00.142Z', 0, 1, 'idle', 0, 0, 0, 'timed_out', '{"limitMs":1500}', 12, 3, 4096, 6, 0, 0, 'exceeded its time limit of 1.5 s', 'true', '{"timeoutMs":1500,"tags":{"k":"v"}}', 'partial\n', '');
INSERT INTO tasks (id, status, worker_id, created_at, started_at, priority, attempt, phase, failures, losses, cancel_requested, command, spec)
  VALUES ('05k000000002', 'running', 'w1', '2026-06-01T12:00:00.125Z', '2026-06-01T12:00:00.130Z', 0, 1, 'started', 0, 0, 0, 'true', '{}');
INSERT INTO tasks (id, status, batch_id, created_at, priority, attempt, phase, failures, losses, cancel_requested, command, spec)
  VALUES ('05k000000003', 'blocked', '05k000000000', '2026-06-01T12:00:00.125Z', 0, 0, 'idle', 0, 0, 0, 'true', '{"dependsOn":["05k000000002"]}');
INSERT INTO task_tags (task_id, key, value)
  VALUES ('05k000000001', 'k', 'v');
INSERT INTO attempts (task_id, attempt, worker_id, started_at, ended_at, outcome, outcome_detail, duration_ms, cpu_ms, memory_peak_bytes, stdout_bytes, stderr_bytes, discarded_bytes)
  VALUES ('05k000000001', 1, 'w1', '2026-06-01T12:00:00.130Z', '2026-06-01T12:00:00.142Z', 'timed_out', '{"limitMs":1500}', 12, 3, 4096, 6, 0, 0);
INSERT INTO settings (key, value)
  VALUES ('paused', 'true');
PRAGMA application_id = 1329812545;
PRAGMA user_version = 1;
`;
