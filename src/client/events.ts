/**
 * The dispatcher's feed of events, without end: reconnects with backoff and continues after the last event seen.
 *
 * Invariant for those who keep a picture of something: between a `gap` and the next one no event is missing. A `gap` is
 * given on the first connection and whenever events may have been missed (the dispatcher started anew or the place is
 * too old): then read again what you follow, and go on with the events behind it.
 */

import type { FeedEvent } from '../api/schemas.ts';
import { reasonOf } from '../base/errors.ts';
import { Backoff, reconnectDelays } from './backoff.ts';
import { type Connection, isTransient, notOurs } from './http.ts';
import { type SseEvent, SseParser } from './sse.ts';
import { streamChunks } from './stream.ts';

export type FeedItem =
  | { readonly kind: 'gap' }
  /** `id` names the event's place in the feed. */
  | { readonly kind: 'event'; readonly id: string; readonly event: FeedEvent };

export interface EventOptions {
  /** Continue after this event. */
  readonly lastEventId?: string;
  readonly signal?: AbortSignal | undefined;
}

function feedEvent(data: string): FeedEvent | null {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null && 'kind' in value ? (value as FeedEvent) : null;
  } catch {
    return null;
  }
}

function itemOf({ name, data, id }: SseEvent): FeedItem | null {
  if (name === 'reset') return { kind: 'gap' };
  const event = feedEvent(data);
  return event === null ? null : { kind: 'event', id, event };
}

/** Throws as `streamChunks`, and `internal` for an answer that is no feed, of which nothing is read (WHATWG HTML, server-sent events). */
function feedChunks(
  connection: Connection,
  path: string,
  { lastEventId, signal }: { readonly lastEventId: string; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array, void, undefined> {
  const headers = { accept: 'text/event-stream', ...(lastEventId === '' ? {} : { 'last-event-id': lastEventId }) };
  return streamChunks(connection, { method: 'GET', path, headers, signal }, (response) => {
    if (/^text\/event-stream\b/.test(response.headers.get('content-type') ?? '')) return;
    response.body?.cancel().catch(() => {});
    throw notOurs(connection);
  });
}

/** What happened after an event, at once; `lastEventId` is where to ask on from. */
export interface News {
  readonly lastEventId: string;
  readonly items: readonly FeedItem[];
}

/**
 * For those who ask from time to time instead of holding a connection. `lastEventId` '' = nowhere yet: the answer begins with a
 * gap and says where the feed is. Made once; throws `OctasklyError`.
 */
export async function readNews(connection: Connection, { lastEventId = '', signal }: EventOptions = {}): Promise<News> {
  const parser = new SseParser(lastEventId);
  const items: FeedItem[] = [];
  let lastId = lastEventId;
  for await (const chunk of feedChunks(connection, '/api/v1/events?follow=false', { lastEventId, signal })) {
    for (const event of parser.push(chunk)) {
      lastId = event.id;
      const item = itemOf(event);
      if (item !== null) items.push(item);
    }
  }
  return { lastEventId: lastId, items };
}

/** Waits for a dispatcher that is away. Throws `OctasklyError` for lasting reasons; the signal's reason on abort. */
export async function* readEvents(
  connection: Connection,
  options: EventOptions = {},
): AsyncGenerator<FeedItem, void, undefined> {
  const { signal } = options;
  const backoff = new Backoff(reconnectDelays);
  let lastId = options.lastEventId ?? '';
  let told = false;
  for (;;) {
    const parser = new SseParser(lastId);
    let reason = 'the stream of events ended';
    let atStart = lastId === '';
    try {
      for await (const chunk of feedChunks(connection, '/api/v1/events', { lastEventId: lastId, signal })) {
        // The first bytes show that the subscription stands: what is read from here on cannot be outdated unnoticed.
        if (atStart) yield { kind: 'gap' };
        atStart = false;
        backoff.reset();
        told = false;
        for (const event of parser.push(chunk)) {
          lastId = event.id;
          const item = itemOf(event);
          if (item !== null) yield item;
        }
      }
    } catch (error) {
      if (!isTransient(error)) throw error;
      reason = reasonOf(error);
    }
    if (!told) connection.onLost?.(reason);
    told = true;
    await connection.sleep(Math.max(parser.retryMs ?? 0, backoff.next()), signal);
  }
}
