/** The record as the API shows it. Pure: whoever reads it without a dispatcher says the same of it. */

import type { AuditEntry, AuditFinding } from '../core/trust.ts';
import { isoTime } from './convert.ts';
import type { AuditEntryView, AuditFindingView } from './trust-schemas.ts';

/** Details as they were written; whoever changed the database by hand may have left something else. */
function detailsOf(text: string): Readonly<Record<string, unknown>> {
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Shown as it is.
  }
  return { text };
}

/** An entry as the API shows it. */
export function entryViewOf(entry: AuditEntry): AuditEntryView {
  return {
    id: entry.id,
    timestamp: isoTime(entry.timestamp),
    event_type: entry.eventType,
    actor: entry.actor,
    worker_id: entry.workerId,
    task_id: entry.taskId,
    details: detailsOf(entry.details),
    previous_hash: entry.previousHash,
  };
}

/** What a check of the record found, as the API shows it. */
export function findingViewOf(finding: AuditFinding): AuditFindingView {
  if (!finding.ok) return { ...finding, removed_through: null, removed_at: null };
  const { entries, cut } = finding;
  const sound = { ok: true, entries, id: null, what: null };
  const [all, were] = entries === 1 ? ['The one entry is', 'it was'] : [`All ${entries} entries are`, 'they were'];
  if (cut === undefined) {
    const detail = `${all} as ${were} written.`;
    return { ...sound, detail, removed_through: null, removed_at: null };
  }
  const removedAt = isoTime(cut.at);
  const detail = `${all} as ${were} written, from entry ${cut.through + 1} on; earlier ones were deleted by retention, last at ${removedAt}.`;
  return { ...sound, detail, removed_through: cut.through, removed_at: removedAt };
}
