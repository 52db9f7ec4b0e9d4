/**
 * The `Postman` port on `fetch`. It decides nothing about who may be written to, and tries nothing twice.
 *
 * A redirect is an answer like others: followed, it would lead the dispatcher to where nobody allowed it. The answer's body is
 * given up unread, and a receiver that answers a byte a minute is left after `timeoutMs`.
 */

import { reasonOf } from '../base/errors.ts';
import type { PostAnswer, Postman } from '../ports/postman.ts';

/** From the first byte out to the head of the answer. */
const timeoutMs = 10_000;

/** A postman that uses the network of this machine. */
export function createPostman(): Postman {
  const closing = new AbortController();
  return {
    async post({ url, headers, body }): Promise<PostAnswer> {
      const limit = AbortSignal.timeout(timeoutMs);
      const signal = AbortSignal.any([closing.signal, limit]);
      try {
        const answer = await fetch(url, {
          method: 'POST',
          headers,
          body,
          redirect: 'manual',
          keepalive: false,
          signal,
        });
        answer.body?.cancel().catch(() => undefined);
        return { status: answer.status, retryAfterMs: retryAfterOf(answer.headers.get('retry-after')) };
      } catch (error) {
        if (limit.aborted) throw new Error(`it did not answer within ${timeoutMs / 1000} s`);
        throw new Error(withoutAddress(reasonOf(error)));
      }
    },
    close: () => closing.abort(),
  };
}

/** What `fetch` says may repeat the address, whose path may be a secret, and asks the reader questions. */
function withoutAddress(message: string): string {
  const said = message.replaceAll(/https?:\/\/\S+/g, 'the address').replace(/ (?:Is|Was) the[^?]*\?$/, '');
  // It goes into a sentence.
  return said.replace(/\.$/, '');
}

/** RFC 9110, 10.2.3: seconds; a date is not taken, as the clocks may differ. */
function retryAfterOf(text: string | null): number | null {
  return text !== null && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : null;
}
