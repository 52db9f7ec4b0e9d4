/** What a dispatcher would answer, for the dashboard's tests. */

import type { FeedEvent, Stats, TaskView, TaskWithAttempts, WorkerView } from '../../../src/api/schemas.ts';
import type { ApprovalView } from '../../../src/api/trust-schemas.ts';
import type { Size } from '../../../tui/layout.ts';
import { placesOf, type Row } from '../../../tui/lines.ts';
import { type DataEvent, initial, type Model, queryOf } from '../../../tui/model.ts';
import type { Look } from '../../../tui/text.ts';
import { update } from '../../../tui/update.ts';
import { view } from '../../../tui/views.ts';

export const now = Date.parse('2026-03-01T12:00:00.000Z');
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString();

export const small: Size = { columns: 80, rows: 24 };

export function lookOf(size: Size, ascii = false): Look {
  return { ...size, ascii, textWidth: (text) => Bun.stringWidth(text) };
}

export function taskOf(facts: Partial<TaskView> = {}): TaskView {
  return {
    ...{ id: '0t2jgz700000', name: null, command: 'true', argv: null, status: 'queued', priority: 0, worker_id: null },
    ...{ attempt: 0, timeout: 3600, retry_count: 0, retry_delay: 1, env: {}, workdir: null, max_output: 10_000_000 },
    requires: { cpu_cores: 0, memory_mb: 0, gpu: 0, labels: {}, platform: null, arch: null },
    ...{ depends_on: [], on_dependency_failure: 'cancel', tags: {}, batch_id: null, retry_of: null, owner: null },
    ...{ cpu_time_limit: null, memory_limit_mb: null, disk_limit_mb: null, max_open_files: null, max_processes: null },
    ...{ sandbox_level: null, network: false, written_bytes: null, sandbox_level_used: null },
    ...{
      inputs: [],
      outputs: [],
      outputs_at: 'dispatcher',
      exit_code: null,
      signal: null,
      reason: null,
      duration_ms: null,
      cpu_ms: null,
    },
    ...{ memory_peak_bytes: null, stdout_bytes: 0, stderr_bytes: 0, discarded_bytes: 0 },
    ...{ stdout_tail: '', stderr_tail: '', created_at: ago(90), started_at: null, completed_at: null },
    ...facts,
  };
}

export function openedTask(facts: Partial<TaskView> = {}): TaskWithAttempts {
  return { ...taskOf(facts), attempts: [], worker_names: {} };
}

/** An ended task. */
export function ended(id: string, facts: Partial<TaskView> = {}): TaskView {
  return taskOf({
    ...{ id, status: 'completed', exit_code: 0, worker_id: 'w-attic', attempt: 1, duration_ms: 1234 },
    ...{ started_at: ago(60), completed_at: ago(58) },
    ...facts,
  });
}

export function workerOf(facts: Partial<WorkerView> = {}): WorkerView {
  return {
    ...{ id: 'w-attic', name: 'attic-pi', status: 'online', address: '192.168.1.20', version: '0.1.0' },
    ...{ platform: 'linux', arch: 'arm64', slots: 4, running: 2, backlog: 1, cpu_cores: 4, memory_mb: 8192, gpu: 0 },
    reserved: { cpu_cores: 2, memory_mb: 1024, gpu: 0 },
    labels: { zone: 'attic' },
    sandbox: { least: 'basic', levels: [], missing: [] },
    kept_outputs: 0,
    ...{
      load1: 1.25,
      memory_free_mb: 2048,
      battery_percent: null,
      charging: null,
      resting: null,
      wake: null,
      temperature_c: null,
    },
    ...{ first_seen_at: ago(86_400), last_seen_at: ago(3) },
    ...facts,
  };
}

export function statsOf(facts: Partial<Stats> = {}): Stats {
  return {
    ...{ version: '0.1.0', paused: false, uptime_seconds: 7260 },
    tasks: { blocked: 0, queued: 12, running: 3, completed: 1002, failed: 4, timed_out: 0, cancelled: 1 },
    workers: { online: 2, draining: 1, silent: 0, offline: 0 },
    ...{
      slots: { total: 8, used: 3 },
      queue: { size: 12, max: 10_000 },
      stale_reports: 0,
      links_ended: {},
      discovery: {},
    },
    ...facts,
  };
}

export function deviceOf(facts: Partial<ApprovalView> = {}): ApprovalView {
  return {
    ...{ id: 'd-phone', code: '123456', name: 'phone', address: '192.168.1.30:4711', platform: 'android' },
    ...{ arch: 'arm64', version: '0.1.0', fingerprint: 'ab:cd', asked_at: ago(20), expires_at: ago(-280) },
    ...facts,
  };
}

export function eventOf(facts: Partial<FeedEvent> = {}): FeedEvent {
  return { kind: 'task', id: '0t2jgz700000', status: 'running', at: ago(0), worker_id: null, detail: null, ...facts };
}

export function after(model: Model, ...events: readonly DataEvent[]): Model {
  return events.reduce((one, event) => update(one, event).model, model);
}

export function modelOf(size: Size = small, workers: readonly WorkerView[] = [workerOf()]): Model {
  const facts = { address: 'http://127.0.0.1:3000', role: 'admin', leaving: null } as const;
  const fresh = initial({ ...facts, now, size, ruler: { textWidth: lookOf(size).textWidth } });
  return after(fresh, { kind: 'systemRead', at: now, stats: statsOf(), workers, approvals: [] });
}

/** `model` with these tasks as the page it asked for. */
export function withTasks(model: Model, tasks: readonly TaskView[], next: string | null = null): Model {
  const list = { tasks: [...tasks], next_cursor: next, worker_names: {} };
  return after(model, { kind: 'tasksRead', query: queryOf(model), list });
}

export function textOf(row: Row): string {
  return row.map(({ text }) => text).join('');
}

/** The screen as lines of text, without the blanks at their ends. */
export function screenOf(model: Model, ascii = false): string[] {
  const look = lookOf(model.size, ascii);
  return view(model, look).rows.map((row) => {
    const places = placesOf(row, look);
    return places
      .map(({ text }) => text)
      .join('')
      .trimEnd();
  });
}
