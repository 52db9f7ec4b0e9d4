/**
 * How a command reaches its dispatcher: the address, the token that goes there, and where a token made here may not go.
 * It opens no connection itself.
 */

import type { Environment } from './config.ts';
import { usage } from './parse.ts';
import type { ReachValues } from './shared-options.ts';

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

/** A dispatcher that was found by mDNS, and where its API should be. */
export interface FoundApi {
  readonly name: string;
  readonly url: string;
  /** Of the dispatcher's key, as it claims. */
  readonly fingerprint: string;
  /** Somebody listens there. */
  readonly answers: boolean;
  /** The data directory belongs to the dispatcher with this key. */
  readonly own: boolean;
  /** Whether it has shown that it has that key; null = no other one claims to have it, and nobody asked. */
  readonly proven: boolean | null;
}

/** Where dispatchers are looked for when nobody named one. */
export interface ApiSources {
  /** That of the data directory's dispatcher; null when there is none. */
  announced(): string | null;
  /** Whether anybody listens there. */
  answers(url: string): Promise<boolean>;
  /** Looks around by mDNS, for a second at most. */
  find(): Promise<readonly FoundApi[]>;
}

/**
 * The address of the dispatcher: as `baseUrlOf`, and where neither is known and nobody listens at the default, the only
 * one that is found, with `found` set. Of several it is the one this data directory belongs to; those that claim a key
 * and could not show it do not count. Throws `usage` when several are left, or the only one has no API for other machines.
 */
export async function findBaseUrl(
  reach: Pick<ReachValues, 'api' | 'tlsFingerprint' | 'discovery'>,
  sources: ApiSources,
): Promise<{ readonly baseUrl: string; readonly found: FoundApi | null }> {
  const local = () => ({ baseUrl: baseUrlOf(reach, sources.announced), found: null });
  if (reach.api !== undefined || !reach.discovery || sources.announced() !== null) return local();
  if (await sources.answers(apiDefault)) return local();
  const all = await sources.find();
  // A certificate that is expected leaves out those without one.
  const found = worthAsking(all.filter(({ url }) => reach.tlsFingerprint === undefined || url.startsWith('https:')));
  const [first] = found;
  if (first === undefined) return local();
  if (found.length > 1) throw usage(whichOne(found));
  if (first.answers) return { baseUrl: first.url, found: first };
  throw usage(
    `The dispatcher ${first.name} was found on the network, but its API does not answer at ${first.url}: it may be there for its own machine alone. Start it with --require-auth true, which opens the API to those with a token, or say --api URL.`,
  );
}

/** Those that may be meant: the own one alone where it is there, none that failed to show a key which another has shown. */
function worthAsking(all: readonly FoundApi[]): readonly FoundApi[] {
  const proven = new Set(all.filter(({ proven }) => proven === true).map(({ fingerprint }) => fingerprint));
  const honest = all.filter((one) => one.proven !== false || !proven.has(one.fingerprint));
  const own = honest.filter((one) => one.own);
  const left = own.length > 0 ? own : honest;
  return [...new Map(left.map((one) => [one.url, one])).values()];
}

function whichOne(found: readonly FoundApi[]): string {
  const keys = new Set(found.map(({ fingerprint }) => fingerprint));
  const lines = found.map(({ name, url, fingerprint, proven }) => {
    const doubt = proven === false ? ', which it has not shown to have' : '';
    return `\n    --api ${url}    ${name}, key ${fingerprint}${doubt}`;
  });
  const suspicion =
    keys.size === found.length
      ? ''
      : ' Some of them claim to have the same key, which is suspicious: somebody may want to be taken for your dispatcher.';
  return `Several dispatchers were found on the network.${suspicion} Say which one:${lines.join('')}`;
}

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
