/**
 * Who may call what, as pure functions: which hosts the API answers for, from which pages a browser may call it, who the
 * caller is, and what a role may do. It keeps no list of tokens and reads no clock; verifying a token is handed in.
 *
 * Host check (DNS rebinding): a page under a name of its own, pointed at our address, sends that name as `Host`.
 * Names are therefore allowed one by one; literal IP addresses cannot be rebound and are always allowed.
 * Origin check (cross-site requests): a browser says where a call comes from (`Origin`, `Sec-Fetch-Site`, W3C Fetch
 * Metadata); everything but our own origin is refused. Programs send neither header and are not concerned.
 */

import type { Role } from '../core/trust.ts';

/**
 * What a route asks of its caller.
 *
 * public: nothing. self: any role. tasks: to hand in work, see and change it; a client its own alone. cluster: to see and change workers,
 * the queue as a whole, and who may join. admin: tokens, the secret, the record.
 */
export const accesses = ['public', 'self', 'tasks', 'cluster', 'admin'] as const;
export type Access = (typeof accesses)[number];

/** What each role may call beside what is public. A worker executes, over its link; the API has nothing for it. */
const allowed: Readonly<Record<Role, readonly Access[]>> = {
  admin: ['self', 'tasks', 'cluster', 'admin'],
  dispatcher: ['self', 'tasks', 'cluster'],
  worker: ['self'],
  client: ['self', 'tasks'],
};

/** True when `role` may call a route that asks for `access`. */
export function mayCall(role: Role, access: Access): boolean {
  return access === 'public' || allowed[role].includes(access);
}

/** The roles that may call a route that asks for `access`, the least one first, as words. */
export function rolesFor(access: Access): string {
  const roles = (['client', 'dispatcher', 'admin'] as const).filter((role) => mayCall(role, access));
  return roles.join(', ').replace(/, (?=\w+$)/, ' or ');
}

/** The name of a `Host` header or an origin's authority: lower case, without port and final dot; null when malformed. */
export function hostName(authority: string): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+?)\.?(?::\d{1,5})?$/i.exec(authority);
  return match?.[1]?.toLowerCase() ?? null;
}

function isIpLiteral(name: string): boolean {
  return name.startsWith('[') || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name);
}

/** True when the API answers for `authority`: loopback names, IP addresses, and `names` (lower case). */
export function hostAllowed(authority: string, names: readonly string[]): boolean {
  const name = hostName(authority);
  if (name === null) return false;
  return name === 'localhost' || name.endsWith('.localhost') || isIpLiteral(name) || names.includes(name);
}

/** What a browser says about where a call comes from; null = the header is missing. */
export interface Provenance {
  readonly host: string;
  readonly scheme: 'http:' | 'https:';
  readonly origin: string | null;
  /** `Sec-Fetch-Site`, `Sec-Fetch-Mode`, `Sec-Fetch-Dest`. */
  readonly site: string | null;
  readonly mode: string | null;
  readonly dest: string | null;
  readonly method: string;
}

/**
 * By which of the two a page of our own was loaded: a page of the same host over the other one is not ours. Something before
 * this server that speaks TLS says so; no page can say it without being asked first (CORS preflight).
 */
export function schemeOf({ url, headers }: Pick<Request, 'url' | 'headers'>): 'http:' | 'https:' {
  return url.startsWith('https:') || headers.get('x-forwarded-proto') === 'https' ? 'https:' : 'http:';
}

/** True when `origin` is that of a page which `from.host` itself served. */
export function isOwnOrigin(origin: string, { host, scheme }: Pick<Provenance, 'host' | 'scheme'>): boolean {
  if (!URL.canParse(origin) || !URL.canParse(`${scheme}//${host}`)) return false;
  const from = new URL(origin);
  // The default port of a scheme is left out of an origin, and may stand in a Host header.
  return from.protocol === scheme && from.host === new URL(`${scheme}//${host}`).host;
}

/** True for calls of programs, of our own pages, of allowed origins, and for links that are simply followed. */
export function originAllowed(from: Provenance, origins: readonly string[]): boolean {
  if (from.origin !== null) {
    if (origins.includes(from.origin.toLowerCase())) return true;
    return isOwnOrigin(from.origin, from);
  }
  if (from.site === null || from.site === 'same-origin' || from.site === 'none') return true;
  // A link from elsewhere opens a page: nothing changes, and the page it came from cannot read the answer.
  return from.method === 'GET' && from.mode === 'navigate' && from.dest === 'document';
}

/** True for addresses of this machine, also as IPv4 inside IPv6. */
export function isLoopback(address: string): boolean {
  return /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/i.test(address) || address === '::1';
}

/** `true`: every call needs a token. `auto`: calls from this machine do not. `false`: none does. */
export type RequireAuth = 'auto' | 'true' | 'false';

/** What is known of a caller before it is known who it is. */
export interface Caller {
  /** Peer address; null = not known, which counts as foreign. */
  readonly remote: string | null;
  readonly authorization: string | null;
  /** The token a browser keeps for its page; null where there is none, or where it does not count (`session.ts`). */
  readonly cookie: string | null;
  /** A proxy says it speaks for somebody else, so its own address proves nothing. */
  readonly forwarded: boolean;
}

/** Who calls, or why that is not known; `reason` is a whole sentence for the caller and holds no secret. */
export type Identity =
  | {
      readonly ok: true;
      readonly name: string;
      readonly role: Role;
      /** Wall ms at which the token ends, for one that does. */
      readonly expiresAt?: number;
    }
  | { readonly ok: false; readonly reason: string };

/** Decides who a caller is. `verifyToken` judges the token itself. A token that is shown is judged even where none is needed. */
export function identify(requireAuth: RequireAuth, caller: Caller, verifyToken: (token: string) => Identity): Identity {
  if (requireAuth === 'false') return { ok: true, name: 'anonymous', role: 'admin' };
  if (caller.authorization !== null) {
    const token = /^Bearer +([^\s]+)$/i.exec(caller.authorization)?.[1];
    if (token !== undefined) return verifyToken(token);
    return { ok: false, reason: 'The Authorization header should be "Bearer" and a token.' };
  }
  if (caller.cookie !== null) return verifyToken(caller.cookie);
  const local = caller.remote !== null && isLoopback(caller.remote) && !caller.forwarded;
  if (requireAuth === 'auto' && local) return { ok: true, name: 'local', role: 'admin' };
  return { ok: false, reason: 'This call needs a token: send "Authorization: Bearer TOKEN".' };
}
