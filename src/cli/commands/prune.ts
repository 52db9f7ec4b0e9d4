/** `prune`: deletes ended tasks and stored files now, and says how much. */

import type { PruneAnswer } from '../../api/prune-schemas.ts';
import { finalStatuses } from '../../core/task.ts';
import type { pruneOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { writeJson } from '../print.ts';
import { formatBytes } from '../text.ts';

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
  const { dry_run: isDry, tasks, blobs, blob_bytes: bytes, ended_before: before } = answer;
  const counted = `${several(tasks, 'task')} that ended before ${before}, and ${several(blobs, 'stored file')} (${formatBytes(bytes)})`;
  if (isDry) return `Would delete ${counted}.`;
  const { database_bytes_before: was, database_bytes: is } = answer;
  const database = is < was ? `went from ${formatBytes(was)} to ${formatBytes(is)}` : `stays at ${formatBytes(is)}`;
  return `Deleted ${counted}. The database ${database}.`;
}

function several(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}
