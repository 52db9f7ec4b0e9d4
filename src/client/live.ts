/**
 * What a follower says to a task that runs: input, the size of its terminal, that somebody is still there.
 * All of it waits for a dispatcher that is away, since a task goes on meanwhile.
 */

import { limits } from '../api/limits.ts';
import type { TerminalSize } from '../core/task.ts';
import { type Connection, type Exchange, exchange, exchangeJson, persist, query } from './http.ts';

export interface StdinChunk {
  /** Position of the first byte in the task's standard input. */
  readonly offset: number;
  /** At most `limits.stdinChunkBytesMax` bytes. */
  readonly data: Uint8Array;
  /** Nothing follows. */
  readonly eof: boolean;
}

type Signal = AbortSignal | undefined;

const pathTo = (id: string, rest: string): string => `/api/v1/tasks/${encodeURIComponent(id)}/${rest}`;

function post(connection: Connection, call: Omit<Exchange, 'method'>): Promise<void> {
  return persist(connection, call.signal, async () => {
    await (await exchange(connection, { ...call, method: 'POST' })).body?.cancel();
  });
}

/** As `Client.writeStdin`. */
export function writeStdin(
  connection: Connection,
  id: string,
  { offset, data, eof }: StdinChunk,
  signal: Signal,
): Promise<void> {
  const path = pathTo(id, `stdin${query({ offset, eof: eof || undefined })}`);
  const headers = { 'content-type': 'application/octet-stream' };
  return post(connection, { path, headers, body: new Uint8Array(data), signal, timeoutMs: null });
}

/** As `Client.resize`. */
export function resize(
  connection: Connection,
  id: string,
  { columns, rows }: TerminalSize,
  signal: Signal,
): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  return post(connection, { path: pathTo(id, 'terminal'), headers, body: JSON.stringify({ columns, rows }), signal });
}

/** As `Client.keepAttended`. */
export async function keepAttended(
  connection: Connection,
  ids: readonly string[],
  { seconds, signal }: { readonly seconds?: number | undefined; readonly signal?: Signal },
): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  for (let at = 0; at < ids.length; at += limits.attendedMax) {
    const body = JSON.stringify({ ids: ids.slice(at, at + limits.attendedMax), seconds });
    await exchangeJson(connection, { method: 'POST', path: '/api/v1/attended', headers, body, signal });
  }
}

/** As `Client.attend`. */
export async function attend(connection: Connection, id: string, signal: Signal): Promise<void> {
  const call: Exchange = { method: 'POST', path: pathTo(id, 'attend'), signal };
  for (let again = true; again; )
    again = (await persist(connection, signal, () => exchangeJson<{ again: boolean }>(connection, call))).again;
}
