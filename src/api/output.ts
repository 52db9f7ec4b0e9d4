/**
 * A task's output as the body of an answer: bytes are taken from the cursor only when the connection asks for them, so a
 * reader who stops reading stops us, and nothing is held here but the piece being handed over.
 * The cursor is closed exactly once: at the end, when reading fails, or when the client goes away.
 */

import type { OutputCursor } from './backend.ts';

/** Bytes taken from the cursor at a time. */
export const outputPieceBytesMax = 64 * 1024;

/** Until what is there now is read, or with `follow` until the cursor says that nothing more comes. */
export function outputBody(cursor: OutputCursor, options: { readonly follow: boolean }): ReadableStream<Uint8Array> {
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    cursor.close();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          while (open) {
            const piece = cursor.read(outputPieceBytesMax);
            if (piece !== null && piece.length > 0) {
              controller.enqueue(piece);
              return;
            }
            if (piece === null || !options.follow) {
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
