/**
 * Where a dispatcher has the programs for other kinds of device: a directory of a release, or the address of one. Either
 * must be of the dispatcher's own version, so that what joins speaks as it does.
 *
 * A directory is its owner's and is believed; what came over a network is believed when the key this file was built with
 * has signed it.
 */

import { createWriteStream, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { OctasklyError, reasonOf } from '../base/errors.ts';
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

export interface ReleaseSource {
  readonly manifest: ReleaseManifest;
  /** Path of an archive of it, which was copied to `to` where it had to be fetched. Errors: `unreachable`, `io`. */
  archive(file: ReleaseFile, to: string): Promise<string>;
}

/** What `text` says, if it is a manifest of this version. `of`: the directory or address. Error: `usage`. */
function manifestOf(text: string, of: string): ReleaseManifest {
  const reading = readManifest(text);
  if (!reading.ok)
    throw new OctasklyError('usage', `"${of}" holds no release: its ${manifestFile} is none, ${reading.reason}.`);
  if (reading.manifest.version === version) return reading.manifest;
  throw new OctasklyError(
    'usage',
    `"${of}" is the release ${reading.manifest.version}, and this dispatcher is ${version}: it hands out programs of its own version only. Name the release ${version}.`,
  );
}

/** The release in a directory. Error: `usage`. */
export function releaseIn(directory: string): ReleaseSource {
  const path = join(directory, manifestFile);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const why = existsSync(path) ? reasonOf(cause) : `there is no ${manifestFile} in it`;
    throw new OctasklyError('usage', `--dist "${directory}" is not the directory of a release: ${why}.`, { cause });
  }
  return { manifest: manifestOf(text, directory), archive: async ({ file }) => join(directory, file) };
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
  let bytes: Uint8Array;
  let signature: string;
  try {
    bytes = await fetched(`${url}/${manifestFile}`, manifestBytesMax);
    signature = new TextDecoder().decode(await fetched(`${url}/${signatureFile}`, signatureBytesMax));
  } catch (error) {
    if (!existsSync(manifestPath) || !existsSync(signaturePath)) throw error;
    [bytes, signature] = [readFileSync(manifestPath), readFileSync(signaturePath, 'utf8')];
  }
  if (!isSignedBy(key, bytes, signature)) {
    throw new OctasklyError(
      'forbidden',
      `The release at ${url} is not signed by the key of this program: nothing of it is used.`,
    );
  }
  const manifest = manifestOf(new TextDecoder().decode(bytes), url);
  ensureDir(cache);
  keep(manifestPath, bytes);
  keep(signaturePath, signature);
  return {
    manifest,
    async archive({ file, bytes: size }, to) {
      const response = await asked(`${url}/${file}`, archiveMsMax);
      try {
        await pipeline(Readable.from(atMost(response, size)), createWriteStream(to, { flags: 'wx', mode: 0o600 }));
      } catch (cause) {
        throw new OctasklyError('unreachable', `Cannot fetch ${url}/${file}: ${reasonOf(cause)}.`, { cause });
      }
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

async function asked(url: string, withinMs: number): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(withinMs) });
  } catch (cause) {
    throw new OctasklyError('unreachable', `Cannot fetch ${url}: ${reasonOf(cause)}.`, { cause });
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
  const response = await asked(url, manifestMsMax);
  try {
    return await new Response(atMost(response, bytesMax)).bytes();
  } catch (cause) {
    throw new OctasklyError('unreachable', `Cannot fetch ${url}: ${reasonOf(cause)}.`, { cause });
  }
}
