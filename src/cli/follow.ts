/**
 * A task's output, live, to the local standard output and error: kept apart, byte-exact, as fast as the slower of the
 * two sides. Each stream is followed on its own, so neither waits for the other.
 */

import type { TaskView } from '../api/schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import type { CommandContext } from './context.ts';

/** Resolves with the ended task after its last byte was written. Throws `BrokenPipe`, what the client throws, or the signal's reason. */
export async function followTask(
  { client, terminal }: CommandContext,
  id: string,
  signal?: AbortSignal,
): Promise<TaskView> {
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
  return task;
}
