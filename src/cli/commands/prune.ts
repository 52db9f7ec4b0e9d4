/** `prune`: deletes ended tasks and stored files now, and says how much. */

import type { PruneAnswer } from '../../api/prune-schemas.ts';
import { finalStatuses } from '../../core/task.ts';
import type { pruneOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { writeJson } from '../print.ts';
import { counted, formatBytes } from '../text.ts';

export const prune: ClientAction<typeof pruneOptions> = async ({ client, terminal }, values) => {
  const { olderThanMs, status, blobs, dryRun } = values;
  const answer = await client.prune({
    older_than: olderThanMs / 1000,
    statuses: status.length === 0 ? [...finalStatuses] : [...status],
    blobs,
    dry_run: dryRun,
  });
  if (values.output === 'json') await writeJson(terminal, answer);
  else if (values.output === 'quiet') await terminal.stdout.write(`${answer.tasks}\n`);
  else await terminal.stdout.write(`${sentenceOn(answer)}\n`);
  return 0;
};

function sentenceOn(answer: PruneAnswer): string {
  const { dry_run: isDry, tasks, blobs, blob_bytes: bytes, ended_before: before, audit_entries: entries } = answer;
  const files = `${counted(blobs, 'stored file')} (${formatBytes(bytes)})`;
  const parts = [`${counted(tasks, 'task')} that ended before ${before}`, files];
  // A dispatcher of an older version does not say it.
  if (entries > 0) parts.push(`${counted(entries, 'entry', 'entries')} of the record past --audit-retention`);
  const listed = `${parts.slice(0, -1).join(', ')}, and ${parts.at(-1)}`;
  if (isDry) return `Would delete ${listed}.`;
  const { database_bytes_before: was, database_bytes: is } = answer;
  const database = is < was ? `went from ${formatBytes(was)} to ${formatBytes(is)}` : `stays at ${formatBytes(is)}`;
  return `Deleted ${listed}. The database ${database}.`;
}
