/**
 * The other version that `octaskly update` may go to: which it is, what vouches for it, and how its program is had.
 *
 * What vouches: the signature of a release by the key this file was built with (or by `--key`); of a dispatcher also that
 * nobody can have answered in its place; of a directory, where no key is known, that it is one's own.
 * Deliberately not here: what is done with the program (`update.ts`).
 */

import { createWriteStream, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { DispatcherOffer, ProgramUpdate } from '../cli/update.ts';
import {
  fileFor,
  manifestFile,
  type ReleaseFile,
  type ReleaseManifest,
  signatureFile,
} from '../core/release-manifest.ts';
import { archiveName, programNameOn, type Target, targetNamed } from '../core/targets.ts';
import { unpackMember } from '../runtime/archive.ts';
import { sha256OfFile } from '../runtime/program-bytes.ts';
import { isSignedBy, releaseKey } from '../runtime/release-key.ts';
import { build } from '../version.ts';
import { absolute } from './common.ts';
import { type FoundManifest, fetchArchive, fetchManifest, findManifest, manifestIn } from './release-source.ts';

/** Largest program, and what a dispatcher's that is not in a manifest is taken to be for the room it needs, bytes. */
const programBytesMax = 1024 ** 3;
const programBytesGuess = 180 * 2 ** 20;

/** A version that can be had. */
export interface Candidate {
  readonly version: string;
  /** Where from, for people. */
  readonly from: string;
  /** Of the program; null = not known before it is fetched. */
  readonly sha256: string | null;
  /** To be fetched, and needed beside the program meanwhile, bytes. */
  readonly fetchBytes: number;
  readonly roomBytes: number;
  /** What people should know before; null = nothing. */
  readonly notice: string | null;
  /** Writes the checked program to `draft`. Errors: `io`, `unreachable`, `forbidden`. */
  fetch(draft: string, onBytes: (count: number) => void): Promise<void>;
}

type Wish = Pick<ProgramUpdate, 'version' | 'key'>;

/** What there is at the source. Errors: `usage`, `forbidden`, `unreachable`, `not_found`. */
export async function candidateFrom(source: string | DispatcherOffer, wish: Wish): Promise<Candidate> {
  const key = wish.key === null ? releaseKey : givenKey(wish.key);
  const target = ownTarget();
  if (typeof source !== 'string') {
    return dispatcherCandidate(source, { key, target, isKeyGiven: wish.key !== null });
  }
  if (/^https?:\/\//i.test(source)) return addressCandidate(source.replace(/\/+$/, ''), { key, target });
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(source)) {
    throw new OctasklyError(
      'usage',
      `--from "${source}" is neither an address that begins with https:// or http://, nor a directory.`,
    );
  }
  return directoryCandidate(absolute(source), { key, target });
}

function ownTarget(): Target {
  const target = build.target === null ? undefined : targetNamed(build.target);
  if (target !== undefined) return target;
  throw new OctasklyError(
    'usage',
    'This runs from its sources, and there is no program to replace: update the sources.',
  );
}

/** SPKI in base64, from a PEM file or as it is. Error: `usage`. */
function givenKey(text: string): string {
  const path = absolute(text);
  const content = existsSync(path) ? readFileSync(path, 'utf8') : text;
  const pem = /-----BEGIN PUBLIC KEY-----([\s\S]*?)-----END PUBLIC KEY-----/.exec(content)?.[1];
  const bare = (pem ?? content).replace(/\s+/g, '');
  // Ed25519 as SPKI (RFC 8410): 44 bytes, which all begin alike.
  if (/^MCowBQYDK2VwAyEA[0-9A-Za-z+/]{43}=$/.test(bare)) return bare;
  throw new OctasklyError(
    'usage',
    `--key "${text.slice(0, 100)}" is no public Ed25519 key: name release.pub.pem of the release, or give the key in base64.`,
  );
}

interface Means {
  /** SPKI in base64; null = none is known. */
  readonly key: string | null;
  readonly target: Target;
}

/** Error: `forbidden` where `key` has not signed it. */
function signedManifest(found: FoundManifest, key: string, from: string): ReleaseManifest {
  if (found.signature === null) {
    throw new OctasklyError('forbidden', `The release at ${from} is not signed: nothing of it is used.`);
  }
  if (isSignedBy(key, found.bytes, found.signature)) return manifestIn(found, from);
  throw new OctasklyError(
    'forbidden',
    `The release at ${from} is not signed by the key this program trusts: it was changed, or is somebody else's. Nothing of it is used.`,
  );
}

function filesFor(manifest: ReleaseManifest, target: Target, from: string) {
  const [program, archive] = [fileFor(manifest, target, 'program'), fileFor(manifest, target, 'archive')];
  if (program !== undefined && archive !== undefined) return { program, archive };
  throw new OctasklyError(
    'not_found',
    `The release ${manifest.version} at ${from} has no program for ${target.name}: name another with --from.`,
  );
}

async function addressCandidate(url: string, { key, target }: Means): Promise<Candidate> {
  if (key === null) {
    throw new OctasklyError(
      'forbidden',
      `This program was built without the key of a release, so nothing vouches for what ${url} has: give the key with --key, or fetch the release yourself and name its directory.`,
    );
  }
  const found = await fetchManifest(url).catch((cause: unknown) => {
    // Not `unreachable`: whoever hears that is told how to find a dispatcher.
    throw new OctasklyError('io', `There is no release at ${url}: ${reasonOf(cause)}`, { cause });
  });
  const manifest = signedManifest(found, key, url);
  const files = filesFor(manifest, target, url);
  return releaseCandidate(manifest, { ...files, target, from: url, notice: null }, async (to, onBytes) => {
    await fetchArchive(url, files.archive, { to, onBytes }).catch((error: unknown) => {
      const cause = error instanceof OctasklyError ? error.cause : error;
      throw new OctasklyError('io', reasonOf(error), { cause });
    });
    return to;
  });
}

async function directoryCandidate(directory: string, { key, target }: Means): Promise<Candidate> {
  const found = findManifest(directory, '--from');
  const manifest = key === null ? manifestIn(found, directory) : signedManifest(found, key, directory);
  const files = filesFor(manifest, target, directory);
  const notice = key === null ? `no key vouches for ${directory}: it is taken as your own.` : null;
  return releaseCandidate(manifest, { ...files, target, from: directory, notice }, async () => {
    const { file } = files.archive;
    if (existsSync(join(directory, file))) return join(directory, file);
    const next = 'copy the whole release, or name another with --from';
    throw new OctasklyError('not_found', `The release in ${directory} is not complete, it lacks ${file}: ${next}.`);
  });
}

interface Packed extends Pick<Candidate, 'from' | 'notice'> {
  readonly program: ReleaseFile;
  readonly archive: ReleaseFile;
  readonly target: Target;
}

/** `bring`: has the archive, copied to `to` where it must be; its path. */
function releaseCandidate(
  { version }: ReleaseManifest,
  { program, archive, target, from, notice }: Packed,
  bring: (to: string, onBytes: (count: number) => void) => Promise<string>,
): Candidate {
  return {
    ...{ version, from, notice, sha256: program.sha256 },
    ...{ fetchBytes: archive.bytes, roomBytes: program.bytes + archive.bytes },
    async fetch(draft, onBytes) {
      // What tells a zip from a tar is its name.
      const copy = `${draft}.${archiveName(version, target).endsWith('.zip') ? 'zip' : 'tar.gz'}`;
      rmSync(copy, { force: true });
      try {
        const packed = await bring(copy, onBytes);
        await requireSum(packed, archive.sha256);
        rmSync(draft, { force: true });
        await unpackMember(packed, `octaskly-${version}-${target.name}/${programNameOn(target)}`, draft);
        await requireSum(draft, program.sha256);
      } finally {
        rmSync(copy, { force: true });
      }
    },
  };
}

async function requireSum(path: string, sha256: string): Promise<void> {
  const sum = await sha256OfFile(path);
  if (sum === sha256) return;
  throw new OctasklyError(
    'forbidden',
    `"${path}" is not what it should be: its SHA-256 is ${sum}, not ${sha256}. It is not used.`,
  );
}

/** Whoever names a key wants it to vouch, also where nobody else can answer. */
async function dispatcherCandidate(
  offer: DispatcherOffer,
  { isKeyGiven, ...means }: Means & { readonly isKeyGiven: boolean },
): Promise<Candidate> {
  const { url } = offer;
  const isTrusted = offer.isTrusted && !isKeyGiven;
  const known = isTrusted ? await byTrust(offer, means.target) : await bySignature(offer, means);
  return {
    ...known,
    ...{ from: `the dispatcher at ${url}`, notice: null, roomBytes: known.fetchBytes },
    async fetch(draft, onBytes) {
      rmSync(draft, { force: true });
      const part = `${draft}.part`;
      try {
        const { body } = await offer.program(means.target.name);
        const pieces = counted(body ?? new Blob([]).stream(), onBytes);
        await pipeline(Readable.from(pieces), createWriteStream(part, { flags: 'wx', mode: 0o600 }));
        if (known.sha256 !== null) await requireSum(part, known.sha256);
        renameSync(part, draft);
      } catch (cause) {
        if (cause instanceof OctasklyError) throw cause;
        throw new OctasklyError('unreachable', `Cannot fetch the program from ${url}: ${reasonOf(cause)}.`, { cause });
      } finally {
        rmSync(part, { force: true });
      }
    },
  };
}

async function* counted(
  body: ReadableStream<Uint8Array>,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > programBytesMax) throw new Error(`it is longer than ${programBytesMax} bytes`);
    onBytes(piece.length);
    yield piece;
  }
}

type Known = Pick<Candidate, 'version' | 'sha256' | 'fetchBytes'>;

/** By the sums of a dispatcher in whose place nobody else can answer. */
async function byTrust(offer: DispatcherOffer, target: Target): Promise<Known> {
  const version = await offer.version();
  const lines = (await offer.text('SHA256SUMS')).trim().split('\n');
  const sha256 = lines.map((line) => line.split('  ')).find(([, name]) => name === target.name)?.[0];
  if (sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256)) return { version, sha256, fetchBytes: programBytesGuess };
  const there = lines.map((line) => line.split('  ')[1]).join(', ');
  throw new OctasklyError(
    'not_found',
    `The dispatcher at ${offer.url} has no program for ${target.name}, only for ${there}: start it with --dist, the directory of a release.`,
  );
}

async function bySignature(offer: DispatcherOffer, { key, target }: Means): Promise<Known> {
  const { url } = offer;
  const ways =
    'use HTTPS (dispatcher --tls self, and --tls-fingerprint here), or have it updated from the dispatcher (octaskly update --fleet)';
  if (key === null) {
    throw new OctasklyError(
      'forbidden',
      `Somebody on the network could answer in the place of ${url}, and this program was built without the key of a release to check by: ${ways}, or give --key.`,
    );
  }
  let found: FoundManifest;
  try {
    const [manifest, signature] = [await offer.text(manifestFile), await offer.text(signatureFile)];
    found = { bytes: new TextEncoder().encode(manifest), signature };
  } catch (error) {
    if (!(error instanceof OctasklyError) || error.code !== 'not_found') throw error;
    const why = offer.isTrusted
      ? `The dispatcher at ${url} shows no release that could be checked by --key`
      : `Somebody on the network could answer in the place of ${url}, and it shows no signed release`;
    const next = `start it with --dist, the directory of the release; or ${offer.isTrusted ? 'leave out --key' : ways}`;
    throw new OctasklyError('forbidden', `${why}: ${next}.`);
  }
  const manifest = signedManifest(found, key, url);
  const { program } = filesFor(manifest, target, url);
  return { version: manifest.version, sha256: program.sha256, fetchBytes: program.bytes };
}
