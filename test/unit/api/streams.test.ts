/** Output and events: pulled by the reader, ended when it leaves, replayed or reset. */

import { describe, expect, test } from 'bun:test';
import { holdsEveryMs } from '../../../src/api/lasting.ts';
import { outputPieceBytesMax } from '../../../src/api/output.ts';
import { eventQueueLengthMax, heartbeatMs } from '../../../src/api/watch.ts';
import { entry, harness } from './fake.ts';

const id = '000000000001';

async function withTask() {
  const all = harness();
  await all.call('POST', '/api/v1/tasks', { command: 'true' });
  return all;
}

function readerOf(response: Response) {
  if (response.body === null) throw new Error('no body');
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  return {
    cancel: () => reader.cancel(),
    async text(): Promise<string | null> {
      const { done, value } = await reader.read();
      return done ? null : decoder.decode(value);
    },
  };
}

describe('GET /tasks/{id}/output', () => {
  test('gives the bytes that are there, unaltered, and ends', async () => {
    const { call, backend } = await withTask();
    const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
    backend.cursor.push(bytes);
    const response = await call('GET', `/api/v1/tasks/${id}/output?stream=stderr&from=5`);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
    expect(backend.outputs).toEqual([{ id, stream: 'stderr', from: 5, follow: false }]);
    expect([backend.cursor.closes, backend.cursor.waits]).toEqual([1, 0]);
  });

  test('gives stdout from the start by default', async () => {
    const { call, backend } = await withTask();
    await (await call('GET', `/api/v1/tasks/${id}/output`)).text();
    expect(backend.outputs).toEqual([{ id, stream: 'stdout', from: 0, follow: false }]);
  });

  test('refuses another stream and a position that is none', async () => {
    const { call } = await withTask();
    for (const query of ['stream=both', 'from=-1', 'from=x', 'follow=maybe']) {
      expect((await call('GET', `/api/v1/tasks/${id}/output?${query}`)).status).toBe(400);
    }
  });

  test('follows until the task ends, silently for as long as it takes', async () => {
    const { call, backend, kept } = await withTask();
    const reader = readerOf(await call('GET', `/api/v1/tasks/${id}/output?follow`));
    expect(kept).toEqual([0]);
    const first = reader.text();
    backend.cursor.push('one');
    expect(await first).toBe('one');
    const second = reader.text();
    backend.cursor.push('two');
    expect(await second).toBe('two');
    const last = reader.text();
    backend.cursor.end();
    expect(await last).toBeNull();
    expect(backend.cursor.closes).toBe(1);
  });

  test('takes from the task only what its reader asks for', async () => {
    const { call, backend } = await withTask();
    for (let n = 0; n < 100; n++) backend.cursor.push(new Uint8Array(outputPieceBytesMax));
    const reader = readerOf(await call('GET', `/api/v1/tasks/${id}/output?follow=true`));
    expect(backend.cursor.bytesRead).toBe(0);
    await reader.text();
    expect(backend.cursor.bytesRead).toBe(outputPieceBytesMax);
    await reader.text();
    expect(backend.cursor.bytesRead).toBe(2 * outputPieceBytesMax);
    await reader.cancel();
  });

  test('closes the cursor once when the reader leaves, also while nothing comes', async () => {
    const { call, backend } = await withTask();
    const reader = readerOf(await call('GET', `/api/v1/tasks/${id}/output?follow=true`));
    const pending = reader.text();
    await reader.cancel();
    expect(await pending).toBeNull();
    backend.cursor.push('too late');
    backend.cursor.end();
    expect([backend.cursor.closes, backend.cursor.bytesRead]).toEqual([1, 0]);
  });

  test('breaks off when the token it was asked with does not hold any more, though nothing is written', async () => {
    const { call, backend, trust, clock } = await withTask();
    const headers = { authorization: 'Bearer admin:ops' };
    const reader = readerOf(await call('GET', `/api/v1/tasks/${id}/output?follow=true`, undefined, headers));
    backend.cursor.push('secret');
    expect(await reader.text()).toBe('secret');
    const next = reader.text();
    clock.advance(holdsEveryMs);
    trust.revoked.add('ops');
    clock.advance(holdsEveryMs);
    await expect(next).rejects.toThrow('does not hold');
    expect([backend.cursor.closes, clock.pending]).toEqual([1, 0]);
  });

  test('breaks off, never ends in good order, when reading fails', async () => {
    const { call, backend } = await withTask();
    backend.cursor.broken = true;
    const response = await call('GET', `/api/v1/tasks/${id}/output?follow=true`);
    await expect(response.text()).rejects.toThrow('Cannot read the output.');
    expect(backend.cursor.closes).toBe(1);
  });
});

describe('GET /events', () => {
  test('gives live events with id, name and data', async () => {
    const { call, backend } = harness();
    const response = await call('GET', '/api/v1/events');
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const reader = readerOf(response);
    expect(await reader.text()).toBe('retry: 1000\n\n');
    backend.publish(entry(1));
    expect(await reader.text()).toBe(`id: 1\nevent: task\ndata: ${JSON.stringify(entry(1).event)}\n\n`);
    await reader.cancel();
    expect(backend.subscribers.size).toBe(0);
  });

  test('replays after the last event seen, the header going before the query', async () => {
    const { call, backend } = harness();
    for (const n of [1, 2, 3]) backend.publish(entry(n));
    const ids = async (query: string, headers: Record<string, string>) => {
      const reader = readerOf(await call('GET', `/api/v1/events${query}`, undefined, headers));
      const text = (await reader.text()) ?? '';
      await reader.cancel();
      return [...text.matchAll(/^id: (.*)$/gm)].map((match) => match[1]);
    };
    expect(await ids('', { 'last-event-id': '1' })).toEqual(['2', '3']);
    expect(await ids('?last_event_id=2', {})).toEqual(['3']);
    expect(await ids('?last_event_id=1', { 'last-event-id': '2' })).toEqual(['3']);
    expect(await ids('?last_event_id=2', { 'last-event-id': '' })).toEqual(['3']);
  });

  test('says "reset" when it cannot replay, with the place where it goes on', async () => {
    const { call, backend } = harness();
    backend.publish(entry(7));
    const reader = readerOf(await call('GET', '/api/v1/events', undefined, { 'last-event-id': 'gone' }));
    expect(await reader.text()).toBe('retry: 1000\n\nid: 7\nevent: reset\ndata: {}\n\n');
    await reader.cancel();
  });

  test('ends after what happened up to now where nobody wants to follow, and says where that is', async () => {
    const { call, backend, clock } = harness();
    for (const n of [1, 2, 3]) backend.publish(entry(n));
    const told = async (query: string) => (await call('GET', `/api/v1/events?follow=false${query}`)).text();
    expect(await told('')).toBe('retry: 1000\n\nid: 3\nevent: reset\ndata: {}\n\n');
    expect([...(await told('&last_event_id=1')).matchAll(/^id: (.*)$/gm)].map(([, id]) => id)).toEqual(['2', '3']);
    expect(await told('&last_event_id=3')).toBe('retry: 1000\n\n');
    expect([backend.subscribers.size, clock.pending]).toEqual([0, 0]);
  });

  test('refuses an id that cannot be one', async () => {
    const { call } = harness();
    expect((await call('GET', '/api/v1/events', undefined, { 'last-event-id': 'a b' })).status).toBe(400);
    expect((await call('GET', `/api/v1/events?last_event_id=${'1'.repeat(129)}`)).status).toBe(400);
  });

  test('sends a comment when nothing happened for a while, and stops with its reader', async () => {
    const { call, clock, kept } = harness();
    const reader = readerOf(await call('GET', '/api/v1/events'));
    await reader.text();
    for (let n = 0; n < 2; n++) {
      clock.advance(heartbeatMs);
      expect(await reader.text()).toBe(':\n\n');
    }
    expect((kept[0] ?? 0) * 1000).toBeGreaterThan(2 * heartbeatMs);
    await reader.cancel();
    expect(clock.pending).toBe(0);
  });

  test('ends when the token it was opened with does not hold any more', async () => {
    const { call, trust, clock, backend } = harness();
    const headers = { authorization: 'Bearer client:ci' };
    const reader = readerOf(await call('GET', '/api/v1/events', undefined, headers));
    await reader.text();
    clock.advance(heartbeatMs);
    expect(await reader.text()).toBe(':\n\n');
    trust.revoked.add('ci');
    clock.advance(holdsEveryMs);
    expect(await reader.text()).toBeNull();
    expect(backend.subscribers.size).toBe(0);
  });

  test('ends a reader who leaves too much unread, and drops what it left', async () => {
    const { call, backend, clock } = harness();
    const reader = readerOf(await call('GET', '/api/v1/events'));
    await reader.text();
    const length = JSON.stringify(entry(1).event).length;
    let published = 0;
    while (backend.subscribers.size > 0) {
      backend.publish(entry(++published));
      if (published * length > 2 * eventQueueLengthMax) throw new Error('the reader was never ended');
    }
    expect(await reader.text()).toBeNull();
    expect(clock.pending).toBe(0);
  });

  test('ends when the dispatcher ends the subscription, after what was still to be said', async () => {
    const { call, backend } = harness();
    const reader = readerOf(await call('GET', '/api/v1/events'));
    await reader.text();
    backend.publish(entry(1));
    for (const subscriber of backend.subscribers) subscriber.onEnd();
    expect(await reader.text()).toStartWith('id: 1\n');
    expect(await reader.text()).toBeNull();
  });
});
