/**
 * A task's output as bytes: what is there, or followed until the task ends. A dispatcher that goes away during a follow
 * is waited for, and reading continues at the byte where it stopped: nothing is given twice, nothing is left out.
 * (A task that starts over on another worker is read on from the same position of the new attempt.)
 */

import type { TaskView } from '../api/schemas.ts';
import { isFinal } from '../core/task.ts';
import { Backoff, reconnectDelays } from './backoff.ts';
import { type Connection, exchangeJson, isTransient, persist, query } from './http.ts';
import { streamChunks } from './stream.ts';

export interface OutputOptions {
  /** Default: `stdout`. */
  readonly stream?: 'stdout' | 'stderr';
  /** Until the task ends, instead of what is there now. */
  readonly follow?: boolean;
  /** First byte wanted, default 0. */
  readonly from?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Throws `OctasklyError`: `not_found`, `unauthorized`, …; without `follow` also `unreachable`. */
export async function* readOutput(
  connection: Connection,
  id: string,
  options: OutputOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { stream = 'stdout', follow = false, signal } = options;
  let position = options.from ?? 0;
  const open = (): AsyncGenerator<Uint8Array, void, undefined> =>
    streamChunks(connection, {
      method: 'GET',
      path: `/api/v1/tasks/${encodeURIComponent(id)}/output${query({ stream, follow: follow || undefined, from: position })}`,
      headers: { accept: 'application/octet-stream' },
      signal,
    });
  if (!follow) {
    yield* open();
    return;
  }
  const backoff = new Backoff(reconnectDelays);
  let wasFinal = false;
  for (let told = false; ; ) {
    try {
      for await (const chunk of open()) {
        position += chunk.length;
        backoff.reset();
        told = false;
        yield chunk;
      }
      // A dispatcher that shuts down ends the stream in good order too: only an ended task makes this the end.
      if (wasFinal) return;
      const task = await persist(connection, signal, () =>
        exchangeJson<TaskView>(connection, { method: 'GET', path: `/api/v1/tasks/${encodeURIComponent(id)}`, signal }),
      );
      wasFinal = isFinal(task.status);
      if (wasFinal && position >= (stream === 'stdout' ? task.stdout_bytes : task.stderr_bytes)) return;
    } catch (error) {
      if (!isTransient(error)) throw error;
      if (!told) connection.onLost?.(error instanceof Error ? error.message : String(error));
      told = true;
    }
    if (!wasFinal) await connection.sleep(backoff.next(), signal);
  }
}
