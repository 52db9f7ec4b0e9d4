/**
 * A task's output, live, to the local standard output and error: kept apart, byte-exact, as fast as the slower of the
 * two sides. Each stream is followed on its own, so neither waits for the other.
 *
 * What the bytes alone do not show is said on standard error after them: that some are of an earlier attempt, that some
 * were discarded.
 */

import { limits } from '../api/limits.ts';
import type { AttemptView, TaskView } from '../api/schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import { type CommandContext, note } from './context.ts';

/** Resolves with the ended task after its last byte was written. Throws `BrokenPipe`, what the client throws, or the signal's reason. */
export async function followTask(context: CommandContext, id: string, signal?: AbortSignal): Promise<TaskView> {
  const { client, terminal } = context;
  // When one stream fails, the other must not stay behind as an unseen reader.
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([failed.signal, signal]);
  const copy = async (stream: 'stdout' | 'stderr'): Promise<void> => {
    try {
      for await (const chunk of client.output(id, { stream, follow: true, signal: either })) {
        await terminal[stream].write(chunk);
      }
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  await Promise.all([copy('stdout'), copy('stderr')]);
  const [task] = await client.waitFor([id], { signal });
  if (task === undefined) throw new OctasklyError('not_found', `Task ${id} is gone.`);
  await noteUnseen(context, task, signal);
  return task;
}

async function noteUnseen({ client, terminal }: CommandContext, task: TaskView, signal?: AbortSignal): Promise<void> {
  if (task.attempt > 1) {
    const { attempts } = await client.task(task.id, { signal });
    for (const line of earlierAttempts(attempts, task.attempt)) await note(terminal, line);
  }
  const discarded = discardedText(task);
  if (discarded !== null) await note(terminal, discarded);
}

/** Those whose output may stand before that of the last one. */
function earlierAttempts(attempts: readonly AttemptView[], last: number): readonly string[] {
  const ran = attempts.filter(({ attempt, started_at }) => attempt < last && started_at !== null);
  return ran.map(({ attempt, outcome: { kind, detail } }) => {
    const how = kind === 'lost' ? `was lost (${detail})` : `did not succeed (${detail})`;
    return `Attempt ${attempt} ${how}; the next one started from the beginning, and its output follows that of attempt ${attempt}.`;
  });
}

/** What `--max-output` cut off; null when nothing was. */
export function discardedText(
  task: Pick<TaskView, 'discarded_bytes' | 'stdout_bytes' | 'stderr_bytes' | 'max_output'>,
): string | null {
  const { discarded_bytes: discarded, stdout_bytes: stdout, stderr_bytes: stderr, max_output: max } = task;
  if (discarded === 0) return null;
  const full = [stdout >= max ? 'standard output' : '', stderr >= max ? 'standard error' : ''].filter(Boolean);
  const what = full.length === 0 ? 'output' : full.join(' and ');
  return `${discarded} bytes of ${what} beyond --max-output (${max} bytes) were discarded${max < limits.outputBytesMax ? '; --max-output 1G keeps more' : ''}.`;
}
