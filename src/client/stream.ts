/**
 * The body of an answer as chunks, given up when nothing arrived for a while: a dispatcher that lost its power never
 * closes its connections. What to do then (reconnect, from where) is the caller's.
 */

import { OctasklyError } from '../base/errors.ts';
import { type Connection, type Exchange, exchange, unreachableError } from './http.ts';

/** Ms without a byte after which a stream is taken for dead. Longer than the dispatcher's pause between keep-alives. */
export const streamIdleMs = 60_000;

/** Chunks as they come. Ends with the body. Throws as `exchange`, and `unreachable` when the connection breaks. */
export async function* streamChunks(
  connection: Connection,
  request: Exchange,
  onOpen: (response: Response) => void = () => {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const idle = new AbortController();
  const quiet = new Error(`nothing arrived for ${streamIdleMs / 1000} s`);
  let timer = setTimeout(() => idle.abort(quiet), streamIdleMs);
  const signal = request.signal === undefined ? idle.signal : AbortSignal.any([idle.signal, request.signal]);
  let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  try {
    const response = await exchange(connection, { ...request, signal, timeoutMs: null });
    onOpen(response);
    if (response.body === null) return;
    reader = response.body.getReader();
    for (;;) {
      clearTimeout(timer);
      timer = setTimeout(() => idle.abort(quiet), streamIdleMs);
      const { done, value } = await reader.read();
      // The pause while the consumer is busy says nothing about the dispatcher.
      clearTimeout(timer);
      if (done) return;
      if (value.length > 0) yield value;
    }
  } catch (error) {
    if (request.signal?.aborted) throw request.signal.reason;
    if (error instanceof OctasklyError) throw error;
    throw unreachableError(connection.baseUrl, idle.signal.aborted ? quiet : error);
  } finally {
    clearTimeout(timer);
    // Left early: tell the server that nobody reads on.
    await reader?.cancel().catch(() => {});
  }
}
