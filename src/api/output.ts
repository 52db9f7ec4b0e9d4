/**
 * A task's output as the body of an answer: bytes are taken from the cursor only when the connection asks for them, so a
 * reader who stops reading stops us, and nothing is held here but the piece being handed over.
 * The cursor is closed exactly once: at the end, when reading fails, when the client goes away, or is not let in any more;
 * then, as when reading fails, the answer breaks off: it has not come to its end.
 */

import { OctasklyError } from '../base/errors.ts';
import type { OutputCursor } from './backend.ts';
import { type Lasting, whileHolds } from './lasting.ts';

/** Bytes taken from the cursor at a time. */
export const outputPieceBytesMax = 64 * 1024;

/** Until what is there now is read (`follow` null), or until the cursor says that nothing more comes. */
export function outputBody(cursor: OutputCursor, follow: Lasting | null): ReadableStream<Uint8Array> {
  let open = true;
  let stopAsking = (): void => undefined;
  const close = (): void => {
    if (!open) return;
    open = false;
    stopAsking();
    cursor.close();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (follow === null) return;
        stopAsking = whileHolds(follow, () => {
          close();
          controller.error(new OctasklyError('unauthorized', 'The token does not hold any more.'));
        });
      },
      async pull(controller) {
        try {
          while (open) {
            const piece = cursor.read(outputPieceBytesMax);
            if (piece !== null && piece.length > 0) {
              controller.enqueue(piece);
              return;
            }
            if (piece === null || follow === null) {
              close();
              controller.close();
              return;
            }
            await cursor.next();
          }
        } catch (error) {
          // The status line is long gone: breaking off is the only way left to say that the rest is missing.
          close();
          throw error;
        }
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}
