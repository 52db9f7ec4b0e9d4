/**
 * A browser's session: the token somebody signed in with, kept in a cookie that no script can read (RFC 6265). The server
 * keeps nothing; the token is judged with every call as one in the header is.
 *
 * What a browser sends by itself, any page can have it send. `SameSite=Strict` keeps other sites from that; pages on another
 * port of the same host count as the same site, and cookies know no ports. Therefore the cookie counts only where the call
 * comes from a page of this very origin: a call that changes something has to say so, by `Origin` (browsers send it
 * with everything but GET and HEAD) or `Sec-Fetch-Site`; one that reads must not say otherwise. The name of the cookie holds the
 * port, so that two dispatchers on one host do not take each other's.
 */

import { isOwnOrigin, schemeOf } from './access.ts';

/** Of a request, what decides about its cookie. */
type Carrier = Pick<Request, 'headers' | 'method' | 'url'>;

/** The name of the cookie for the authority of a `Host` header. */
function sessionCookieName(host: string): string {
  const port = /:(\d{1,5})$/.exec(host)?.[1];
  return port === undefined ? 'octaskly' : `octaskly_${port}`;
}

/** True when the call comes from a page of the origin it goes to, as far as the browser says. */
function isOwnPage(request: Carrier, host: string): boolean {
  const { headers, method } = request;
  const site = headers.get('sec-fetch-site');
  if (site !== null && site !== 'same-origin' && site !== 'none') return false;
  const origin = headers.get('origin');
  if (origin !== null) return isOwnOrigin(origin, { host, scheme: schemeOf(request) });
  return site === 'same-origin' || method === 'GET' || method === 'HEAD';
}

/** The token in the request's cookie; null without one, with two of them, or where it does not count. */
export function sessionToken(request: Carrier): string | null {
  const host = request.headers.get('host');
  const cookies = request.headers.get('cookie');
  if (host === null || cookies === null || !isOwnPage(request, host)) return null;
  const prefix = `${sessionCookieName(host)}=`;
  const found = cookies.split(/; ?/).filter((cookie) => cookie.startsWith(prefix));
  const value = found.length === 1 ? found[0]?.slice(prefix.length) : undefined;
  return value === undefined || value === '' ? null : value;
}

/** The `Set-Cookie` that keeps `token` for `seconds` (null = until the browser ends), or with an empty token removes it. */
export function sessionCookie(token: string, seconds: number | null, headers: Headers): string {
  // The page's own address tells, also where something before this server speaks TLS.
  const secure = headers.get('origin')?.startsWith('https:') === true;
  return [
    `${sessionCookieName(headers.get('host') ?? '')}=${token}`,
    'Path=/',
    'HttpOnly',
    'SameSite=Strict',
    ...(secure ? ['Secure'] : []),
    ...(seconds === null ? [] : [`Max-Age=${Math.max(0, Math.floor(seconds))}`]),
  ].join('; ');
}
