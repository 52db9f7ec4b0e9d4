/**
 * Calls with a body that takes a while: as `fetch`, and it tells how far the sending has come. Browsers tell that by
 * `XMLHttpRequest` alone (WHATWG XMLHttpRequest, 3.5.6). Answers are read whole.
 */

import type { Fetch } from '../client/http.ts';

/** `onSent` is told the share of the body that was sent, from 0 to 1. */
export function sendingFetch(onSent: (share: number) => void): Fetch {
  return (url, { method = 'GET', headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const stop = (): void => request.abort();
      request.open(method, url);
      request.responseType = 'arraybuffer';
      for (const [name, value] of new Headers(headers)) request.setRequestHeader(name, value);
      request.upload.onprogress = ({ loaded, total }) => onSent(total === 0 ? 1 : loaded / total);
      request.onload = () => {
        const type = request.getResponseHeader('content-type') ?? '';
        resolve(new Response(request.response, { status: request.status, headers: { 'content-type': type } }));
      };
      request.onerror = () => reject(new TypeError('the connection was closed'));
      request.onabort = () => reject(signal?.reason);
      request.onloadend = () => signal?.removeEventListener('abort', stop);
      signal?.addEventListener('abort', stop);
      // Bodies of the client that take a while are blobs.
      request.send(body instanceof Blob ? body : null);
    });
}
