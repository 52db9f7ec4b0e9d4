/**
 * Releases, in a directory or at an address. A dispatcher has the programs for other kinds of device from there; that
 * release must be of its own version, so that what joins speaks as it does. `octaskly update` takes any.
 *
 * A directory is its owner's and is believed; what came over a network is believed when the key this file was built with
 * has signed it.
 */

import { createWriteStream, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { networkReason } from '../client/http.ts';
import {
  manifestBytesMax,
  manifestFile,
  type ReleaseFile,
  type ReleaseManifest,
  readManifest,
  signatureFile,
} from '../core/release-manifest.ts';
import { ensureDir } from '../runtime/data-dir.ts';
import { isSignedBy } from '../runtime/release-key.ts';
import { version } from '../version.ts';

const signatureBytesMax = 1024;
/** Longest a manifest, and an archive, may take, ms. */
const manifestMsMax = 15_000;
const archiveMsMax = 30 * 60_000;
/** Longest a server may send nothing of an archive, ms. */
const silenceMsMax = 60_000;

/** A manifest as it was found: exactly these bytes were signed, if at all. */
export interface FoundManifest {
  readonly bytes: Uint8Array;
  /** Text of `manifest.json.sig`; null where there is none. */
  readonly signature: string | null;
}

export interface ReleaseSource {
  readonly manifest: ReleaseManifest;
  readonly found: FoundManifest;
  /** Path of an archive of it, which was copied to `to` where it had to be fetched. Errors: `unreachable`, `io`. */
  archive(file: ReleaseFile, to: string): Promise<string>;
}

/** What it says. `of`: the directory or address. Error: `usage` for what is no manifest. */
export function manifestIn({ bytes }: FoundManifest, of: string): ReleaseManifest {
  const reading = readManifest(new TextDecoder().decode(bytes));
  if (reading.ok) return reading.manifest;
  throw new OctasklyError('usage', `"${of}" holds no release: its ${manifestFile} is none, ${reading.reason}.`);
}

/** Likewise, of this version. */
function ownManifest(found: FoundManifest, of: string): ReleaseManifest {
  const manifest = manifestIn(found, of);
  if (manifest.version === version) return manifest;
  throw new OctasklyError(
    'usage',
    `"${of}" is the release ${manifest.version}, and this dispatcher is ${version}: it hands out programs of its own version only. Name the release ${version}.`,
  );
}

/** The manifest in a directory; `flag`: what named it. Error: `usage`. */
export function findManifest(directory: string, flag: string): FoundManifest {
  const [path, signaturePath] = [join(directory, manifestFile), join(directory, signatureFile)];
  try {
    const signature = existsSync(signaturePath) ? boundedFile(signaturePath, signatureBytesMax) : null;
    return {
      bytes: boundedFile(path, manifestBytesMax),
      signature: signature === null ? null : new TextDecoder().decode(signature),
    };
  } catch (cause) {
    const why = existsSync(path) ? reasonOf(cause) : `there is no ${manifestFile} in it`;
    throw new OctasklyError('usage', `${flag} "${directory}" is not the directory of a release: ${why}.`, { cause });
  }
}

/** A stick or a share may hold anything: a pipe that nobody writes to, or a file without an end. */
function boundedFile(path: string, bytesMax: number): Uint8Array {
  const found = statSync(path);
  if (!found.isFile()) throw new Error(`${basename(path)} is no file`);
  if (found.size > bytesMax) throw new Error(`${basename(path)} is longer than ${bytesMax} bytes`);
  return readFileSync(path);
}

/** The release of this version in a directory. Error: `usage`. */
export function releaseIn(directory: string): ReleaseSource {
  const found = findManifest(directory, '--dist');
  return { manifest: ownManifest(found, directory), found, archive: async ({ file }) => join(directory, file) };
}

/** The manifest at an address without a slash at its end. Error: `unreachable`. */
export async function fetchManifest(url: string): Promise<FoundManifest> {
  const bytes = await fetched(`${url}/${manifestFile}`, manifestBytesMax);
  return { bytes, signature: new TextDecoder().decode(await fetched(`${url}/${signatureFile}`, signatureBytesMax)) };
}

interface Copying {
  readonly to: string;
  /** Longest that nothing may come, ms. */
  readonly silenceMs?: number;
  onBytes?(count: number): void;
}

/** Copies a file of the release at an address to a new file `to`; tells of each piece. Error: `unreachable`. */
export async function fetchArchive(
  url: string,
  { file, bytes }: ReleaseFile,
  { to, silenceMs = silenceMsMax, onBytes = () => undefined }: Copying,
): Promise<void> {
  const silence = new AbortController();
  const giveUp = (): void => silence.abort(new Error(`nothing came for ${silenceMs / 1000} s`));
  let patience = setTimeout(giveUp, silenceMs);
  try {
    const response = await asked(
      `${url}/${file}`,
      AbortSignal.any([AbortSignal.timeout(archiveMsMax), silence.signal]),
    );
    const pieces = atMost(response, bytes).pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(piece, controller) {
          clearTimeout(patience);
          patience = setTimeout(giveUp, silenceMs);
          onBytes(piece.length);
          controller.enqueue(piece);
        },
      }),
    );
    await pipeline(Readable.from(pieces), createWriteStream(to, { flags: 'wx', mode: 0o600 }));
  } catch (cause) {
    if (cause instanceof OctasklyError) throw cause;
    throw new OctasklyError('unreachable', `Cannot fetch ${url}/${file}: ${networkReason(cause)}.`, { cause });
  } finally {
    clearTimeout(patience);
  }
}

interface Fetching {
  /** Without a slash at its end. */
  readonly url: string;
  /** As `releaseKey`. */
  readonly key: string;
  /** Where manifest and signature are kept, for a start without that network. */
  readonly cache: string;
}

/** The release at an address, signed by `key`. Errors: `unreachable`, `usage`, `forbidden`. */
export async function releaseAt({ url, key, cache }: Fetching): Promise<ReleaseSource> {
  const [manifestPath, signaturePath] = [join(cache, manifestFile), join(cache, signatureFile)];
  let found: FoundManifest;
  try {
    found = await fetchManifest(url);
  } catch (error) {
    if (!existsSync(manifestPath) || !existsSync(signaturePath)) throw error;
    found = findManifest(cache, 'The copy in');
  }
  const { bytes, signature } = found;
  if (signature === null || !isSignedBy(key, bytes, signature)) {
    throw new OctasklyError(
      'forbidden',
      `The release at ${url} is not signed by the key of this program: nothing of it is used.`,
    );
  }
  const manifest = ownManifest(found, url);
  ensureDir(cache);
  keep(manifestPath, bytes);
  keep(signaturePath, signature);
  return {
    manifest,
    found,
    async archive(file, to) {
      await fetchArchive(url, file, { to });
      return to;
    },
  };
}

/** Byte by byte what was signed, whole or not at all. */
function keep(path: string, content: Uint8Array | string): void {
  const draft = `${path}.${process.pid}.new`;
  try {
    writeFileSync(draft, content, { mode: 0o600 });
    renameSync(draft, path);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw new OctasklyError('io', `Cannot write "${path}": ${reasonOf(cause)}.`, { cause });
  }
}

async function asked(url: string, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (cause) {
    throw new OctasklyError('unreachable', `Cannot fetch ${url}: ${networkReason(cause)}.`, { cause });
  }
  if (response.ok) return response;
  await response.body?.cancel();
  throw new OctasklyError('unreachable', `Cannot fetch ${url}: it answers ${response.status}.`);
}

/** The body, which breaks off beyond that many bytes. */
function atMost({ body }: Response, bytesMax: number): ReadableStream<Uint8Array> {
  let left = bytesMax;
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, controller) {
      left -= piece.length;
      if (left < 0) controller.error(new Error(`it is longer than ${bytesMax} bytes`));
      else controller.enqueue(piece);
    },
  });
  return (body ?? new Blob([]).stream()).pipeThrough(counting);
}

async function fetched(url: string, bytesMax: number): Promise<Uint8Array> {
  const response = await asked(url, AbortSignal.timeout(manifestMsMax));
  try {
    return await new Response(atMost(response, bytesMax)).bytes();
  } catch (cause) {
    throw new OctasklyError('unreachable', `Cannot fetch ${url}: ${reasonOf(cause)}.`, { cause });
  }
}
