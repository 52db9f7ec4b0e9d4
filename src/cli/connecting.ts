/** From the options of how to reach a dispatcher, and its address, to a client of it. Nothing is sent before the first call. */

import { type Client, type ClientOptions, createClient } from '../client/client.ts';
import type { Fetch } from '../client/http.ts';
import type { Terminal } from './context.ts';
import { type FoundToken, findToken, type TokenSources } from './reach.ts';
import type { ReachValues } from './shared-options.ts';

/** What is known of the certificate of an HTTPS address. */
export interface PinOptions {
  /** Its SHA-256 as the person gave it, not checked yet; null: not given. */
  readonly fingerprint: string | null;
  /** Where a dispatcher that runs here keeps its own. */
  readonly dataDir: string;
}

export interface Surroundings extends Pick<TokenSources, 'readPrivate' | 'localToken'> {
  readonly terminal: Pick<Terminal, 'env'>;
  /** The `fetch` for one dispatcher, which believes its certificate; missing: the runtime's own. Throws `OctasklyError`. */
  fetchFor?(baseUrl: string, options: PinOptions): Fetch | Promise<Fetch>;
}

export interface Way {
  /** The token that goes there; null = none. */
  readonly token: FoundToken | null;
  connect(options: Pick<ClientOptions, 'onLost' | 'timeoutMs'>): Client;
}

/** The way to the dispatcher at `baseUrl`. Throws `OctasklyError`. */
export async function wayTo(baseUrl: string, reach: ReachValues, around: Surroundings): Promise<Way> {
  const token = findToken(reach, baseUrl, {
    env: around.terminal.env,
    readPrivate: (path) => around.readPrivate(path),
    localToken: (dataDir) => around.localToken(dataDir),
  });
  const pin: PinOptions = { fingerprint: reach.tlsFingerprint ?? null, dataDir: reach.dataDir };
  const fetch = await around.fetchFor?.(baseUrl, pin);
  const common = { baseUrl, token: token?.text ?? null, ...(fetch === undefined ? {} : { fetch }) };
  return { token, connect: (options) => createClient({ ...common, ...options }) };
}
