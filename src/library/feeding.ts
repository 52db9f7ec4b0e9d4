/**
 * Bytes for the standard input of a task that runs, in pieces it can take, as fast as it reads. A task that ends without
 * having read all of them, or takes no more, is no error.
 */

import { limits } from '../api/limits.ts';
import { OctasklyError } from '../base/errors.ts';
import type { Client } from '../client/client.ts';
import { piecesOf } from './bytes.ts';

async function* portions(
  stdin: Uint8Array | Blob | ReadableStream<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const body = stdin instanceof Uint8Array ? new Blob([new Uint8Array(stdin)]) : stdin;
  for await (const piece of piecesOf(body instanceof Blob ? body.stream() : body)) {
    for (let at = 0; at < piece.length; at += limits.stdinChunkBytesMax) {
      yield piece.subarray(at, at + limits.stdinChunkBytesMax);
    }
  }
}

/** Resolves when the task has all of it, or wants no more. */
export async function feed(
  client: Client,
  id: string,
  stdin: Uint8Array | Blob | ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  let offset = 0;
  try {
    for await (const data of portions(stdin)) {
      await client.writeStdin(id, { offset, data, eof: false }, { signal });
      offset += data.length;
    }
    await client.writeStdin(id, { offset, data: new Uint8Array(0), eof: true }, { signal });
  } catch (error) {
    if (!(error instanceof OctasklyError) || error.code !== 'conflict') throw error;
  }
}
