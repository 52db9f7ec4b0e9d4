/**
 * `fetch` for a dispatcher with a certificate of its own: it speaks to the bearer of one fingerprint and to nobody else.
 *
 * A fingerprint is not a certificate, and the TLS stack wants the certificate. So the first call looks: it makes a TLS
 * connection, takes the certificate that is shown there, compares its fingerprint, and hangs up without a byte of HTTP.
 * Every connection that carries requests then has that one certificate as its only authority, so the TLS stack itself
 * ends a handshake with anything else, also with one who takes the place of the first between two connections.
 *
 * Invariant: nothing of a request is sent before the handshake has proven possession of the pinned certificate's key.
 * Host names are not checked: the pin says more. Times are: a certificate that has run out is refused.
 */

import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { isLoopbackHost } from '../base/place.ts';
import { selfCertificatePath } from './certificate.ts';
import { direct } from './direct.ts';
import { fingerprintOf, parseFingerprint } from './fingerprint.ts';

export type HttpFetch = (url: string, init: RequestInit) => Promise<Response>;

/** How long a look at a certificate may take, ms. */
const lookTimeoutMs = 10_000;

/**
 * `fetch` for the dispatcher at `baseUrl`. HTTPS is verified by the fingerprint given; without one, by the certificate that
 * this machine's dispatcher keeps in `dataDir`, if that is what is shown; otherwise by the system's authorities. Error: `usage` for what is
 * no fingerprint. Calls reject with `forbidden` and the fingerprint that was seen when the other side cannot be trusted.
 */
export function fetchFor(
  baseUrl: string,
  { fingerprint, dataDir }: { readonly fingerprint: string | null; readonly dataDir: string },
): HttpFetch {
  const pin = fingerprint === null ? null : parseFingerprint(fingerprint);
  if (!/^https:/i.test(baseUrl) || !URL.canParse(baseUrl)) return plainFetch;
  if (pin !== null) return pinnedFetch({ fingerprint: pin });
  const kept = keptFingerprint(dataDir, { isNeeded: isLoopbackHost(hostOf(baseUrl)) });
  return kept === null ? verifiedFetch : localFetch(kept);
}

/** `fetch` that speaks only to a server whose certificate has this fingerprint (as `parseFingerprint` gives it). */
export function pinnedFetch({ fingerprint }: { readonly fingerprint: string }): HttpFetch {
  let trusted: string | null = null;
  return async (url, init) => {
    if (trusted === null) {
      const seen = await look(url);
      if (fingerprintOf(seen) !== fingerprint) throw strangerError(url, fingerprintOf(seen), fingerprint);
      trusted = seen.toString();
    }
    // That the bearer of a leaf certificate is believed without its authority is what makes it the only authority.
    const tls = { ca: [trusted], rejectUnauthorized: true, allowPartialTrustChain: true, checkServerIdentity };
    try {
      return await fetch(url, { ...init, ...direct, tls });
    } catch (error) {
      if (!isDistrust(error)) throw error;
      const seen = fingerprintOf(await look(url));
      throw seen === fingerprint ? untrustedError(url, error, seen) : strangerError(url, seen, fingerprint);
    }
  };
}

/** Any name will do: see above. */
const checkServerIdentity = (): undefined => undefined;

/** The dispatcher of this machine may have the certificate that it made, or one of the user's. */
function localFetch(fingerprint: string): HttpFetch {
  let chosen: HttpFetch | null = null;
  return async (url, init) => {
    chosen ??= fingerprintOf(await look(url)) === fingerprint ? pinnedFetch({ fingerprint }) : verifiedFetch;
    return await chosen(url, init);
  };
}

/** The system's authorities decide. */
const verifiedFetch: HttpFetch = async (url, init) => {
  try {
    return await fetch(url, { ...init, ...direct });
  } catch (error) {
    if (!isDistrust(error)) throw error;
    throw untrustedError(url, error, fingerprintOf(await look(url)));
  }
};

/** Plain HTTP, which says so when the other side speaks HTTPS. */
const plainFetch: HttpFetch = async (url, init) => {
  try {
    return await fetch(url, { ...init, ...direct });
  } catch (error) {
    if (init.signal?.aborted || !(await speaksTls(url))) throw error;
    const { host } = new URL(url);
    throw new OctasklyError(
      'bad_request',
      `The dispatcher at http://${host} speaks HTTPS: say --api https://${host} or set OCTASKLY_API.`,
      { cause: error },
    );
  }
};

async function speaksTls(url: string): Promise<boolean> {
  try {
    await look(url);
    return true;
  } catch {
    return false;
  }
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
}

function keptFingerprint(dataDir: string, { isNeeded }: { readonly isNeeded: boolean }): string | null {
  const file = selfCertificatePath(dataDir);
  if (!existsSync(file)) return null;
  try {
    return fingerprintOf(new X509Certificate(readFileSync(file)));
  } catch (cause) {
    if (!isNeeded) return null;
    throw new OctasklyError('io', `Cannot read the certificate "${file}": ${reasonOf(cause)}.`, { cause });
  }
}

/** The certificate that is shown at this address, whoever that is. Sends no HTTP. Rejects as a connection fails. */
function look(url: string): Promise<X509Certificate> {
  const { port, protocol } = new URL(url);
  const host = hostOf(url);
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(port || (protocol === 'https:' ? 443 : 80)),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      rejectUnauthorized: false,
    });
    const settle = (error: Error | null): void => {
      const raw = error === null ? socket.getPeerCertificate(false).raw : undefined;
      socket.destroy();
      if (raw === undefined) reject(error ?? new Error('the other side showed no certificate'));
      else resolve(new X509Certificate(raw));
    };
    socket.setTimeout(lookTimeoutMs, () => settle(new Error('the other side did not answer in time')));
    socket.once('secureConnect', () => settle(null));
    socket.on('error', settle);
    socket.once('close', () => settle(new Error('the connection was closed')));
  });
}

/** True when the other side was reached, and not believed. */
function isDistrust(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /CERT|LEAF_SIGNATURE/.test(code);
}

function strangerError(url: string, seen: string, expected: string): OctasklyError {
  const { origin } = new URL(url);
  return new OctasklyError(
    'forbidden',
    `Cannot trust ${origin}: its certificate has the fingerprint ${seen}, expected is ${expected}. Either the dispatcher has a new certificate (it prints the fingerprint at its start), or something else answers in its place. Nothing was sent to it.`,
  );
}

function untrustedError(url: string, cause: unknown, seen: string): OctasklyError {
  const { origin, hostname } = new URL(url);
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const state = code === 'CERT_HAS_EXPIRED' ? 'has run out' : 'is not valid yet';
    const remedy = 'Look at the clock of this machine; a dispatcher with --tls self renews its own when it is started.';
    return new OctasklyError('forbidden', `Cannot trust ${origin}: its certificate ${state}. ${remedy}`, { cause });
  }
  const why =
    code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? `its certificate is not made out to "${hostname}"`
      : 'its certificate comes from no authority that this system knows';
  return new OctasklyError(
    'forbidden',
    `Cannot trust ${origin}: ${why}. Its fingerprint is ${seen}; if the dispatcher printed the same at its start, say --tls-fingerprint ${seen} or set OCTASKLY_TLS_FINGERPRINT.`,
    { cause },
  );
}
