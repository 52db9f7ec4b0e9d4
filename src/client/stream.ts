/**
 * The body of an answer as chunks, given up when nothing arrived for a while: a dispatcher that lost its power never
 * closes its connections. What to do then (reconnect, from where) is the caller's.
 *
 * The reader is given up by itself beside the signal of the request: some runtimes (Node 20) collect a signal that is made
 * of others while an answer is read, and neither an abort nor the time limit would then reach it.
 */

import { OctasklyError } from '../base/errors.ts';
import { type Connection, type Exchange, exchange, unreachableError } from './http.ts';

/** Ms without a byte after which a stream is taken for dead. Longer than the dispatcher's pause between keep-alives. */
const streamIdleMs = 60_000;

/** Chunks as they come. Ends with the body. Throws as `exchange`, and `unreachable` when the connection breaks. */
export async function* streamChunks(
  connection: Connection,
  request: Exchange,
  onOpen: (response: Response) => void = () => {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const quiet = new Error(`nothing arrived for ${streamIdleMs / 1000} s`);
  const stop = new AbortController();
  let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  const giveUp = (reason: unknown): void => {
    stop.abort(reason);
    reader?.cancel(reason).catch(() => {});
  };
  // One of its own: runtimes warn of many listeners at one signal.
  const asked = request.signal === undefined ? null : AbortSignal.any([request.signal]);
  const onAbort = (): void => giveUp(asked?.reason);
  let timer = setTimeout(giveUp, streamIdleMs, quiet);
  asked?.addEventListener('abort', onAbort, { once: true });
  try {
    request.signal?.throwIfAborted();
    const response = await exchange(connection, { ...request, signal: stop.signal, timeoutMs: null });
    onOpen(response);
    if (response.body === null) return;
    reader = response.body.getReader();
    for (;;) {
      clearTimeout(timer);
      timer = setTimeout(giveUp, streamIdleMs, quiet);
      const { done, value } = await reader.read();
      // The pause while the consumer is busy says nothing about the dispatcher.
      clearTimeout(timer);
      stop.signal.throwIfAborted();
      if (done) return;
      if (value.length > 0) yield value;
    }
  } catch (error) {
    if (request.signal?.aborted) throw request.signal.reason;
    if (error instanceof OctasklyError) throw error;
    throw unreachableError(connection.baseUrl, stop.signal.aborted ? quiet : error);
  } finally {
    clearTimeout(timer);
    asked?.removeEventListener('abort', onAbort);
    // Left early: tell the server that nobody reads on.
    await reader?.cancel().catch(() => {});
  }
}
