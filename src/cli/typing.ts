/**
 * Keys from a terminal, read the moment they come, also while the ones before are still on their way: the way out must be
 * heard when nothing gets through any more. What was typed meanwhile goes on together, so that a slow network makes
 * fewer and larger pieces, not a longer queue. Bounded: reading pauses when `waitingBytesMax` wait.
 */

import type { Source } from './context.ts';
import { Escapes } from './escapes.ts';

const waitingBytesMax = 64 * 1024;

/** A `Source` of what is typed into another one; `onLeave` is called each time the way out is typed. */
export function typingOf(source: Source, onLeave: () => void): Source {
  return { isTTY: true, isEmpty: false, chunks: (signal) => keysOf(source.chunks(signal), onLeave) };
}

async function* keysOf(
  chunks: AsyncIterable<Uint8Array>,
  onLeave: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const escapes = new Escapes();
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let more = Promise.withResolvers<void>();
  let room = Promise.withResolvers<void>();
  let isOver = false;
  const reading = (async () => {
    for await (const chunk of chunks) {
      const { keys, leaves } = escapes.take(chunk);
      if (keys.length > 0) waiting.push(keys);
      waitingBytes += keys.length;
      more.resolve();
      if (leaves) onLeave();
      if (waitingBytes >= waitingBytesMax) await room.promise;
    }
  })().finally(() => {
    isOver = true;
    more.resolve();
  });
  // Told of below; until then it must not count as unhandled.
  reading.catch(() => undefined);
  for (;;) {
    await more.promise;
    more = Promise.withResolvers<void>();
    const keys = new Uint8Array(waitingBytes);
    let at = 0;
    for (const part of waiting) {
      keys.set(part, at);
      at += part.length;
    }
    waiting = [];
    waitingBytes = 0;
    room.resolve();
    room = Promise.withResolvers<void>();
    if (keys.length > 0) yield keys;
    else if (isOver) return await reading;
    if (isOver) more.resolve();
  }
}
