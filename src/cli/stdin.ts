/**
 * Local standard input to a task, piece by piece: each piece is sent when the task took the one before, so a slow task
 * slows the reading down and memory stays bounded. Pieces carry their position: one that is sent twice counts once.
 */

import { limits } from '../api/limits.ts';
import { OctasklyError } from '../base/errors.ts';
import type { CommandContext } from './context.ts';

/** Resolves when all was taken, or when the task takes no more (it ended, or closed its input). Throws what the client throws. */
export async function feedStdin({ client, terminal }: CommandContext, id: string, signal: AbortSignal): Promise<void> {
  let offset = 0;
  try {
    for await (const chunk of terminal.stdin.chunks(signal)) {
      for (let at = 0; at < chunk.length; at += limits.stdinChunkBytesMax) {
        const data = chunk.subarray(at, at + limits.stdinChunkBytesMax);
        await client.writeStdin(id, { offset, data, eof: false }, { signal });
        offset += data.length;
      }
    }
    if (!signal.aborted) await client.writeStdin(id, { offset, data: new Uint8Array(0), eof: true }, { signal });
  } catch (error) {
    const takesNoMore = error instanceof OctasklyError && (error.code === 'conflict' || error.code === 'not_found');
    if (!takesNoMore && !signal.aborted) throw error;
  }
}
