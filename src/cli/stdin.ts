/**
 * Local standard input to a task, piece by piece: each piece is sent when the task took the one before, so a slow task
 * slows the reading down and memory stays bounded. Pieces carry their position: one that is sent twice counts once.
 * While nothing comes, empty pieces say that somebody is still there: without them the dispatcher would end the input.
 */

import { limits } from '../api/limits.ts';
import { OctasklyError } from '../base/errors.ts';
import { sleep } from '../client/backoff.ts';
import type { CommandContext } from './context.ts';

/** How often an empty piece says that more may come. */
const presenceMs = 15_000;

/** Resolves when all was taken, or when the task takes no more (it ended, or closed its input). Throws what the client throws. */
export async function feedStdin(
  { client, terminal }: Pick<CommandContext, 'client' | 'terminal'>,
  id: string,
  signal: AbortSignal,
  everyMs = presenceMs,
): Promise<void> {
  let offset = 0;
  const send = async (data: Uint8Array, eof: boolean): Promise<void> => {
    await client.writeStdin(id, { offset, data, eof }, { signal });
    offset += data.length;
  };
  const nothing = new Uint8Array(0);
  try {
    for await (const chunk of withPauses(terminal.stdin.chunks(signal), signal, everyMs)) {
      if (chunk === null) await send(nothing, false);
      else {
        for (let at = 0; at < chunk.length; at += limits.stdinChunkBytesMax) {
          await send(chunk.subarray(at, at + limits.stdinChunkBytesMax), false);
        }
      }
    }
    if (!signal.aborted) await send(nothing, true);
  } catch (error) {
    const takesNoMore = error instanceof OctasklyError && (error.code === 'conflict' || error.code === 'not_found');
    if (!takesNoMore && !signal.aborted) throw error;
  }
}

/** The chunks, and a null for each `everyMs` without one. */
async function* withPauses(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  everyMs: number,
): AsyncGenerator<Uint8Array | null, void, void> {
  const source = chunks[Symbol.asyncIterator]();
  let next = source.next();
  while (!signal.aborted) {
    const stop = new AbortController();
    const pause = sleep(everyMs, AbortSignal.any([stop.signal, signal])).then(
      () => null,
      () => null,
    );
    const result = await Promise.race([next, pause]);
    stop.abort();
    if (result === null) yield null;
    else if (result.done === true) return;
    else {
      yield result.value;
      next = source.next();
    }
  }
}
