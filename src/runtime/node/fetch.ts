/**
 * `fetch` for Node with Bun's option `tls`: which authorities are believed, and whether any. By undici, which Node's own
 * `fetch` is made of and does not show. No answer is given up for being slow: whoever asks has a signal for that.
 *
 * Invariant: where one certificate is the only authority, nothing of a request is sent before the other side has proven
 * to hold its key. Node 20 does not believe a leaf certificate by itself, so that it is compared here, with its times.
 */

import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { Agent, buildConnector } from 'undici';

interface Tls {
  readonly ca?: readonly string[];
  readonly rejectUnauthorized?: boolean;
}

type Init = RequestInit & { readonly tls?: Tls };

const patient = { headersTimeout: 0, bodyTimeout: 0 };
type Undici = typeof import('undici');

/** By whom they trust, so that connections are used again. */
const agents = new Map<string, Agent>();

/** As `fetch`. Rejects with what the system says about a connection, as Bun does, rather than that it failed. */
export async function fetchOn(input: string | URL | Request, init: Init = {}): Promise<Response> {
  const { tls, ...rest } = init;
  const streams = rest.body instanceof ReadableStream ? { duplex: 'half' } : {};
  // Most of what a worker does needs no HTTP.
  const undici = await import('undici');
  try {
    const options = { ...rest, ...streams, dispatcher: agentFor(undici, tls) };
    // The same classes by another copy of them.
    return (await undici.fetch(input as string, options as Parameters<Undici['fetch']>[1])) as unknown as Response;
  } catch (error) {
    throw error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
  }
}

function agentFor(undici: Undici, { ca = [], rejectUnauthorized = true }: Tls = {}): Agent {
  const [only = ''] = ca;
  const trust = only === '' ? `anybody: ${!rejectUnauthorized}` : only;
  const known = agents.get(trust);
  if (known !== undefined) return known;
  const connect = only === '' ? { rejectUnauthorized } : connectorTo(undici, new X509Certificate(only));
  const agent = new undici.Agent({ ...patient, connect });
  agents.set(trust, agent);
  return agent;
}

/** Connects to whoever holds the key of `certificate`, and to nobody else. */
function connectorTo(undici: Undici, certificate: X509Certificate): buildConnector.connector {
  const connect = undici.buildConnector({ rejectUnauthorized: false });
  return (options, done) => {
    connect(options, (...[error, socket]) => {
      const distrust = error === null && socket !== null ? reasonAgainst(socket as TLSSocket, certificate) : null;
      if (error !== null || socket === null) done(error ?? new Error('there is no connection'), null);
      else if (distrust === null) done(null, socket);
      else {
        socket.destroy();
        done(distrust, null);
      }
    });
  };
}

/** Named as OpenSSL names it. */
function reasonAgainst(socket: TLSSocket, { raw, validFrom, validTo }: X509Certificate): Error | null {
  const shown = socket.getPeerCertificate(false).raw;
  const now = Date.now();
  const code =
    shown?.equals(raw) !== true
      ? 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
      : now > Date.parse(validTo)
        ? 'CERT_HAS_EXPIRED'
        : now < Date.parse(validFrom)
          ? 'CERT_NOT_YET_VALID'
          : null;
  return code === null ? null : Object.assign(new Error('the certificate is not to be trusted'), { code });
}
