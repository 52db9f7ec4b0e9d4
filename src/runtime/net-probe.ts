/**
 * What one connection tells about another host: whether its name is known, whether a port answers, what time it has.
 * Nothing here rejects for the network's sake, and everything ends in the time it is given.
 *
 * Deliberately not here: the handshake of Octaskly (`links.ts`), and what follows from an answer (`discovery/`).
 */

import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import { reasonOf } from '../base/errors.ts';
import type { Reach } from '../discovery/network-facts.ts';
import { placeOf } from './addresses.ts';
import { direct } from './direct.ts';

/** Most addresses of a name that are looked at. */
const addressesMax = 8;

/** No route, one that says so, one that forbids, one that leads nowhere (ip-route(8): unreachable, prohibit, blackhole). */
const noRouteCodes: readonly string[] = ['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL', 'EADDRNOTAVAIL'];

/** What a name stands for. */
export type Resolution =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly reason: string };

/** The addresses of `host`, IPv4 first, as the system resolves them; an address stands for itself. */
export async function resolveHost(host: string, timeoutMs: number): Promise<Resolution> {
  if (isIP(host.split('%')[0] ?? '') !== 0) return { ok: true, addresses: [host] };
  const late = Promise.withResolvers<Resolution>();
  const timer = setTimeout(
    () => late.resolve({ ok: false, reason: `no answer within ${timeoutMs / 1000} s` }),
    timeoutMs,
  );
  const found = lookup(host, { all: true }).then(
    (entries): Resolution => {
      const sorted = entries.toSorted((a, b) => a.family - b.family).map(({ address }) => address);
      return { ok: true, addresses: [...new Set(sorted)].slice(0, addressesMax) };
    },
    (error: unknown): Resolution => ({ ok: false, reason: lookupReason(error) }),
  );
  try {
    return await Promise.race([found, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function lookupReason(error: unknown): string {
  const code = codeOf(error);
  if (code === 'ENOTFOUND' || code === 'ENODATA') return 'no such name';
  return code === 'EAI_AGAIN' ? 'the name server does not answer' : reasonOf(error);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/**
 * What becomes of a TCP connection, which is closed at once without a word. Whether there is a way at all is asked first:
 * Bun 1.4 tells of every connection that fails as if it was refused.
 */
export async function reachOf(
  address: { readonly host: string; readonly port: number },
  timeoutMs: number,
): Promise<Reach> {
  return (await hasRoute(address)) ? connected(address, timeoutMs) : 'unreachable';
}

/**
 * Whether a program of this machine listens at an address of it, or at all of them: then nobody else can. A firewall has
 * no say in that. What cannot be told is false.
 */
export function isListenedAt({ host, port }: { readonly host: string; readonly port: number }): boolean {
  try {
    Bun.listen({ hostname: host, port, socket: { data() {} } }).stop(true);
    return false;
  } catch (error) {
    return codeOf(error) === 'EADDRINUSE';
  }
}

/** The same for UDP, by a socket that is closed at once; nothing is sent. */
export function isUdpTaken({ host, port }: { readonly host: string; readonly port: number }): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
  socket.once('error', (error) => resolve(codeOf(error) === 'EADDRINUSE'));
  socket.bind({ address: host, port, exclusive: true }, () => resolve(false));
  return promise.finally(() => socket.close());
}

/** Whether the system knows a way to an address: tying a UDP socket to it looks that up, and sends nothing. */
async function hasRoute({ host, port }: { readonly host: string; readonly port: number }): Promise<boolean> {
  try {
    const hostname = isIP(host.split('%')[0] ?? '') === 6 ? '::' : '0.0.0.0';
    const socket = await Bun.udpSocket({ hostname, connect: { hostname: host, port } });
    socket.close();
    return true;
  } catch (error) {
    return !noRouteCodes.includes(codeOf(error));
  }
}

function connected(address: { readonly host: string; readonly port: number }, timeoutMs: number): Promise<Reach> {
  const { promise, resolve } = Promise.withResolvers<Reach>();
  const socket = connect({ host: address.host, port: address.port });
  socket.setTimeout(timeoutMs, () => resolve('filtered'));
  const timer = setTimeout(() => resolve('filtered'), timeoutMs);
  socket.once('connect', () => resolve('open'));
  socket.once('error', (error) => resolve(reachIn(codeOf(error))));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}

function reachIn(code: string): Reach {
  if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return 'refused';
  if (code === 'ETIMEDOUT') return 'filtered';
  return 'unreachable';
}

/**
 * How far the clock of a web server is ahead of this one, ms, to the second: by the `Date` of its answer, whatever that
 * is. Null when it does not tell. Its certificate is not checked: nothing secret is asked or sent.
 */
export async function clockAheadMs(
  { host, port }: { readonly host: string; readonly port: number },
  timeoutMs: number,
): Promise<number | null> {
  const signal = AbortSignal.timeout(timeoutMs);
  const askBy = async (scheme: 'http' | 'https'): Promise<number> => {
    const answer = await fetch(`${scheme}://${placeOf(host, port)}/health`, {
      ...direct,
      redirect: 'manual',
      signal,
      tls: { rejectUnauthorized: false },
    });
    const date = Date.parse(answer.headers.get('date') ?? '');
    if (Number.isNaN(date)) throw new Error('it does not tell the time');
    // The header is cut off to whole seconds: on average it is half a second old.
    return date + 500 - Date.now();
  };
  try {
    return await Promise.any([askBy('http'), askBy('https')]);
  } catch {
    return null;
  }
}
