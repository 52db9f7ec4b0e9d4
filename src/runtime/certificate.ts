/**
 * The certificate of the API: the user's own files, or one that is made here and kept in the data directory (X.509,
 * RFC 5280; ECDSA P-256), which clients know by its fingerprint instead of an authority.
 *
 *   tls.crt   the certificate (PEM), for whoever wants to trust it       tls.key   its private key (PKCS #8 PEM), 0600
 *
 * Invariants: the fingerprint changes only when the certificate has run out or a file is gone. New addresses and names
 * of this machine do not change it: whoever pins the certificate asks for no name. The key outlives its certificates,
 * and is written before the first of them: after a crash in between, the next start goes on from there.
 */

import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { DispatcherValues } from '../cli/options.ts';
import { readPrivate, writePrivate } from './data-dir.ts';
import { fingerprintOf } from './fingerprint.ts';

const dayMs = 86_400_000;
/** Pins live as long as the certificate: for longer than the devices. */
const validDays = 3650;
/** Devices without a battery for their clock start in the past. */
const backdatedDays = 30;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** What a server shows and what clients may pin, as PEM texts. */
export interface ServerCertificate {
  /** With the certificates between it and its authority behind it, where the user's file has them. */
  readonly cert: string;
  readonly key: string;
  /** As `fingerprintOf`. */
  readonly fingerprint: string;
  /** What the user should be told, a sentence; null: nothing. */
  readonly notice: string | null;
}

/** Where the certificate made here is kept. */
export function selfCertificatePath(dataDir: string): string {
  return join(dataDir, 'tls.crt');
}

/**
 * The certificate that the options ask for; null: plain HTTP. Errors: `usage` for options or files that do not go
 * together, `io`, `forbidden`.
 */
export async function tlsOf(
  { tls, tlsCert, tlsKey }: Pick<DispatcherValues, 'tls' | 'tlsCert' | 'tlsKey'>,
  dataDir: string,
): Promise<ServerCertificate | null> {
  if (tlsCert === undefined && tlsKey === undefined) {
    return tls === 'self' ? await selfCertificate({ dataDir, hosts: hostsHere(), now: Date.now() }) : null;
  }
  if (tlsCert === undefined || tlsKey === undefined) {
    const [given, missing] = tlsCert === undefined ? ['--tls-key', '--tls-cert'] : ['--tls-cert', '--tls-key'];
    throw new OctasklyError('usage', `${given} is given without ${missing}: HTTPS needs both, or --tls self.`);
  }
  if (tls === 'self') {
    throw new OctasklyError('usage', '--tls self makes a certificate, --tls-cert names one: leave one of them out.');
  }
  return ownCertificate({ certFile: tlsCert, keyFile: tlsKey, now: Date.now() });
}

/** The names and addresses this machine has now. */
function hostsHere(): readonly string[] {
  const host = hostname().toLowerCase();
  const names = ['localhost', host, `${host.split('.')[0]}.local`].filter((name) => /^[a-z0-9.-]+$/.test(name));
  const addresses = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .map(({ address }) => address)
    .filter((address) => !/^fe80:/i.test(address));
  return [...new Set([...names, '127.0.0.1', '::1', ...addresses])];
}

/**
 * The certificate kept in the data directory; made for `hosts` (names and addresses) when there is none, and renewed
 * with the same key when it has run out. `now`: wall clock, ms. Errors: `io`, `forbidden` when others can read the key.
 */
export async function selfCertificate({
  dataDir,
  hosts,
  now,
}: {
  readonly dataDir: string;
  readonly hosts: readonly string[];
  readonly now: number;
}): Promise<ServerCertificate> {
  const certFile = selfCertificatePath(dataDir);
  const keyFile = join(dataDir, 'tls.key');
  const keptKey = readPrivate(keyFile);
  // Without its key it is of no use, and a crash below must not leave it beside another one.
  if (keptKey === null) rmSync(certFile, { force: true });
  const kept = existsSync(certFile) ? readFileSync(certFile, 'utf8').trim() : null;
  if (keptKey !== null && kept !== null) {
    const certificate = checkedPair({ cert: kept, certName: `"${certFile}"`, key: keptKey, keyName: `"${keyFile}"` });
    if (now < certificate.validToDate.getTime()) {
      return { cert: kept, key: keptKey, fingerprint: fingerprintOf(certificate), notice: null };
    }
  }
  const key = keptKey ?? (await newKey());
  if (keptKey === null) writePrivate(keyFile, key);
  const cert = await signedByItself({ key, hosts, now });
  writePrivate(certFile, cert);
  const notice =
    kept === null
      ? null
      : 'the certificate for HTTPS had run out and is a new one; whoever pinned the old one needs the new fingerprint';
  return { cert, key, fingerprint: fingerprintOf(new X509Certificate(cert)), notice };
}

async function newKey(): Promise<string> {
  const { privateKey } = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', privateKey));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return key.export({ format: 'pem', type: 'pkcs8' }).toString().trim();
}

async function signedByItself({
  key,
  hosts,
  now,
}: {
  readonly key: string;
  readonly hosts: readonly string[];
  readonly now: number;
}): Promise<string> {
  // Loaded when needed, once in ten years, and in this order: the second uses what the first defines.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const pkcs8 = createPrivateKey(key).export({ format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const keys = {
    privateKey: await crypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), algorithm, false, ['sign']),
    publicKey: await crypto.subtle.importKey('spki', new Uint8Array(spki), algorithm, true, ['verify']),
  };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // RFC 5280 4.1.2.2: positive, at most 20 bytes.
    serialNumber: `01${randomBytes(15).toString('hex')}`,
    name: 'CN=octaskly',
    notBefore: new Date(now - backdatedDays * dayMs),
    notAfter: new Date(now + validDays * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      // No authority: trusting this certificate lets nobody make others.
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        hosts.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
    ],
  });
  return certificate.toString('pem');
}

function ownCertificate({
  certFile,
  keyFile,
  now,
}: {
  readonly certFile: string;
  readonly keyFile: string;
  readonly now: number;
}): ServerCertificate {
  const cert = readGiven(certFile, '--tls-cert');
  const key = readGiven(keyFile, '--tls-key');
  const certName = `"${certFile}" (--tls-cert)`;
  const certificate = checkedPair({ cert, certName, key, keyName: `"${keyFile}" (--tls-key)` });
  const { validFromDate, validToDate } = certificate;
  if (now > validToDate.getTime()) {
    throw new OctasklyError('usage', `The certificate in ${certName} has run out: ${validToDate.toISOString()}.`);
  }
  if (now < validFromDate.getTime()) {
    const from = validFromDate.toISOString();
    throw new OctasklyError(
      'usage',
      `The certificate in ${certName} is valid from ${from} only; it is ${new Date(now).toISOString()} here.`,
    );
  }
  return { cert, key, fingerprint: fingerprintOf(certificate), notice: null };
}

function readGiven(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new OctasklyError('usage', `Cannot read "${file}" (${option}): ${reasonOf(cause)}.`, { cause });
  }
}

/** The first certificate of `cert`, which belongs to `key`. Error: `usage`. */
function checkedPair({
  cert,
  certName,
  key,
  keyName,
}: {
  readonly cert: string;
  readonly certName: string;
  readonly key: string;
  readonly keyName: string;
}): X509Certificate {
  const wrong = (sentence: string, cause?: unknown): OctasklyError => new OctasklyError('usage', sentence, { cause });
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch (cause) {
    throw wrong(`There is no certificate (PEM) in ${certName}.`, cause);
  }
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(key);
  } catch (cause) {
    if (!/ENCRYPTED/.test(key)) throw wrong(`There is no private key (PEM) in ${keyName}.`, cause);
    throw wrong(`The key in ${keyName} asks for a passphrase; name a file without: openssl pkey -in FILE -out NEW.`);
  }
  if (certificate.checkPrivateKey(privateKey)) return certificate;
  throw wrong(
    `The key in ${keyName} is not that of the certificate in ${certName}; give the two that belong together.`,
  );
}

/** A certificate for `name` that is kept nowhere: for what must show one and is trusted for something else. */
export async function passingCertificate(name: string): Promise<Pick<ServerCertificate, 'cert' | 'key'>> {
  const key = await newKey();
  return { key, cert: await signedByItself({ key, hosts: [name], now: Date.now() }) };
}
