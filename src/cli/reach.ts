/**
 * How a command reaches its dispatcher: the address, the token that goes there, and where a token made here may not go.
 * It opens no connection.
 */

import type { Environment } from './config.ts';
import type { ReachValues } from './options.ts';
import { usage } from './parse.ts';

/** Where tokens come from; both throw `OctasklyError`. */
export interface TokenSources {
  readonly env: Environment;
  /** A file's text without the white space around it, null when there is none. `forbidden`: others can read it. */
  readPrivate(path: string): string | null;
  /** A token signed with the secret in the data directory; null when that cannot be read. */
  localToken(dataDir: string): string | null;
}

/** A token, and whether it was made here rather than given. */
export interface FoundToken {
  readonly text: string;
  readonly own: boolean;
}

/** Where a dispatcher is that nobody named: the port of the API unless told otherwise. */
const apiDefault = 'http://127.0.0.1:3000';

/**
 * The address with its scheme: the one given, that of the data directory's dispatcher (`announced`), or the default; HTTPS
 * where a certificate is expected. Throws `usage` when that was expected of plain HTTP.
 */
export function baseUrlOf(
  { api: given, tlsFingerprint }: Pick<ReachValues, 'api' | 'tlsFingerprint'>,
  announced: () => string | null,
): string {
  const api = given ?? announced() ?? apiDefault;
  if (!/^[a-z]+:\/\//i.test(api)) return `${tlsFingerprint === undefined ? 'http' : 'https'}://${api}`;
  if (tlsFingerprint !== undefined && !/^https:/i.test(api)) {
    throw usage(`A certificate is expected (--tls-fingerprint), but ${api} has none: say --api https://HOST:PORT.`);
  }
  return api;
}

/** True when `baseUrl` names this machine by its loopback. */
function isThisMachine(baseUrl: string): boolean {
  const host = URL.canParse(baseUrl) ? new URL(baseUrl).hostname : '';
  return host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
}

/**
 * The token for `baseUrl`; null = none. One made here opens all of this cluster, so it goes to this machine only; to
 * another one when the person gave the secret for this call themselves. Everywhere else a token must be named.
 */
export function findToken(reach: ReachValues, baseUrl: string, sources: TokenSources): FoundToken | null {
  if (reach.token !== undefined) return { text: reach.token, own: false };
  if (reach.tokenFile !== undefined) {
    const text = sources.readPrivate(reach.tokenFile);
    if (text) return { text, own: false };
    throw usage(`There is no token in ${reach.tokenFile}.`);
  }
  if (!sources.env.OCTASKLY_SECRET && !isThisMachine(baseUrl)) return null;
  const text = sources.localToken(reach.dataDir);
  return text === null ? null : { text, own: true };
}
