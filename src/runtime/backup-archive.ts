/**
 * The form of a backup: one tar file (POSIX.1-2017, pax; `tar tf FILE` lists it), written and read in a stream.
 *
 *   octaskly.db          a consistent copy of the database
 *   node.key, secret, …  the small files of the data directory that make the dispatcher who it is
 *   blobs/ab/<62 hex>    files of tasks and long output, by the hash of their content
 *   manifest.json        last of all: what is in it, with sums; an archive that was cut off has none
 *
 * Deliberately not here: what belongs into a backup (`roles/backup.ts`), and putting it in place (`restoring.ts`).
 * Invariants: an archive has its name only when it is whole and on disk; reading one writes below the given folder alone,
 * whatever names stand in it, and what was read is what was written, by its sums, once `readArchive` resolves.
 */

import { createHash } from 'node:crypto';
import { closeSync, fsync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { createTarDecoder, createTarPacker } from 'modern-tar';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { isDiskFull, Pace, readDescriptor } from './file-bytes.ts';
import { storeFiles, syncDirectory } from './store-files.ts';

export const databaseEntry = 'octaskly.db';
const manifestEntry = 'manifest.json';
const manifestBytesMax = 64 * 2 ** 20;
const formVersion = 1;

/** Files beside the database that a backup may hold. Anything else in an archive is not one of ours. */
export const stateEntries: readonly string[] = [
  ...['id', 'node.key', 'secret', 'secret.previous', 'secret.retired', 'roster.json'],
  ...['tls.crt', 'tls.key', 'config.toml', 'deny.toml'],
];

const blobPattern = /^blobs\/([0-9a-f]{2})\/([0-9a-f]{62})$/;

/** A file that goes into an archive. */
export interface Source {
  /** Its name in the archive. */
  readonly name: string;
  readonly file: string;
}

interface Entry {
  readonly name: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** What an archive says of itself. */
export interface Manifest {
  readonly form: 'octaskly backup';
  readonly version: number;
  /** Version of the program that wrote it. */
  readonly program: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** Version of the database's schema. */
  readonly schema: number;
  /** Everything but blobs, whose names are their sums. */
  readonly files: readonly Entry[];
  readonly blobs: number;
  /** Blobs that were damaged on the disk already, by their names in the archive; they are of no use. */
  readonly damaged: readonly string[];
  /** Blobs that rows name and that were not there. */
  readonly missing: readonly string[];
}

export type ManifestFacts = Pick<Manifest, 'program' | 'createdAt' | 'schema'>;

/** Bytes that moved. */
type Moved = (bytes: number) => void;

/** Waits for the disk beside everything else. */
const onDisk = promisify(fsync);

/**
 * Writes an archive of `sources`, in this order, to the new private file `target`, and waits until it is on disk. A blob
 * that is not there is noted as missing; anything else has to be. Errors: `io`, `conflict`; nothing is left then.
 */
export async function writeArchive(
  target: string,
  sources: readonly Source[],
  { facts, moved }: { readonly facts: ManifestFacts; readonly moved: Moved },
): Promise<Manifest> {
  storeFiles.create(target);
  const fd = openSync(target, 'r+');
  try {
    const { readable, controller } = createTarPacker();
    const packing = pack(controller, sources, { facts, moved }).catch((error: unknown) => {
      controller.error(error);
      throw error;
    });
    packing.catch(() => undefined);
    for await (const chunk of readable) {
      for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
    }
    const manifest = await packing;
    await onDisk(fd);
    return manifest;
  } catch (cause) {
    storeFiles.remove(target);
    if (cause instanceof OctasklyError) throw cause;
    const why = isDiskFull(cause) ? 'the disk is full' : reasonOf(cause);
    throw new OctasklyError('io', `Cannot write the backup in "${dirname(target)}": ${why}.`, { cause });
  } finally {
    closeSync(fd);
  }
}

type Controller = ReturnType<typeof createTarPacker>['controller'];

async function pack(
  controller: Controller,
  sources: readonly Source[],
  { facts, moved }: { readonly facts: ManifestFacts; readonly moved: Moved },
): Promise<Manifest> {
  const files: Entry[] = [];
  const damaged: string[] = [];
  const missing: string[] = [];
  const pace = new Pace();
  let blobs = 0;
  for (const source of sources) {
    const entry = await packFile(controller, source, { moved, pace });
    const sum = sumOf(source.name);
    if (entry === null && sum === null) throw new Error(`"${source.file}" is gone`);
    if (entry === null) missing.push(source.name);
    else if (sum === null) files.push(entry);
    else blobs += 1;
    if (entry !== null && sum !== null && sum !== entry.sha256) damaged.push(source.name);
  }
  const manifest = { form: 'octaskly backup', version: formVersion, ...facts, files, blobs, damaged, missing } as const;
  const bytes = new TextEncoder().encode(`${JSON.stringify(manifest, null, 1)}\n`);
  const writer = controller.add({ name: manifestEntry, size: bytes.length, mode: 0o600 }).getWriter();
  await writer.write(bytes);
  await writer.close();
  controller.finalize();
  return manifest;
}

/** Null when the file is not there. */
async function packFile(
  controller: Controller,
  { name, file }: Source,
  { moved, pace }: { readonly moved: Moved; readonly pace: Pace },
): Promise<Entry | null> {
  const source = Bun.file(file);
  if (!(await source.exists())) return null;
  const { size: bytes, lastModified } = source;
  const writer = controller.add({ name, size: bytes, mode: 0o600, mtime: new Date(lastModified) }).getWriter();
  const hash = createHash('sha256');
  let left = bytes;
  for await (const chunk of source.stream()) {
    // One that grows is taken as long as it was.
    const part = chunk.length > left ? chunk.subarray(0, left) : chunk;
    left -= part.length;
    hash.update(part);
    await writer.write(part);
    moved(part.length);
    await pace.breathe();
  }
  if (left > 0) throw new Error(`"${file}" became shorter while it was read`);
  await writer.close();
  return { name, bytes, sha256: hash.digest('hex') };
}

/** The sum that the name of a blob's entry promises; null for other entries. */
function sumOf(name: string): string | null {
  const [, folder, rest] = blobPattern.exec(name) ?? [];
  return folder === undefined || rest === undefined ? null : `${folder}${rest}`;
}

/** An archive that is open for reading, so that it can be read also without the rights to open it. */
export interface OpenArchive {
  /** Its path, for messages. */
  readonly file: string;
  /** The caller's to close. */
  readonly fd: number;
}

/**
 * Unpacks an archive below the new folder `folder` and compares all sums. Errors: `invalid` for what is no whole backup or
 * one of a newer form, `io`; the folder is the caller's to remove then.
 */
export async function readArchive({ file, fd }: OpenArchive, folder: string, moved: Moved): Promise<Manifest> {
  const found = new Map<string, Entry>();
  const pace = new Pace();
  let manifest: Manifest | null = null;
  const refuse = (why: string): OctasklyError =>
    new OctasklyError('invalid', `"${file}" is not a whole backup of Octaskly: ${why}. Nothing was changed.`);
  try {
    const other = otherKindOf(fd);
    if (other !== null) throw refuse(other);
    const entries = Bun.file(fd)
      .stream()
      .pipeThrough(createTarDecoder({ strict: true }));
    for await (const { header, body } of entries) {
      const { name, size, type } = header;
      if (manifest !== null) throw refuse(`"${name}" stands behind its end`);
      if (type !== undefined && type !== 'file') throw refuse(`"${name}" is no file`);
      if (name === manifestEntry) {
        if (size > manifestBytesMax) throw refuse('its list is too long');
        manifest = manifestIn(await new Response(body).text(), refuse);
      } else if (name === databaseEntry || stateEntries.includes(name) || blobPattern.test(name)) {
        if (found.has(name)) throw refuse(`"${name}" is in it twice`);
        found.set(name, await unpack(name, { body, target: join(folder, name), moved, pace }));
      } else throw refuse(`it holds "${name}"`);
    }
  } catch (cause) {
    if (cause instanceof OctasklyError) throw cause;
    if (!isDiskFull(cause) && !isOfSystem(cause)) throw refuse(`${reasonOf(cause).replace(/\.$/, '')}`);
    throw new OctasklyError('io', `Cannot unpack "${file}" into "${folder}": ${reasonOf(cause)}.`, { cause });
  }
  if (manifest === null) throw refuse('its end is missing, it was cut off');
  check(manifest, found, refuse);
  for (const directory of new Set([...found.keys()].map((name) => dirname(join(folder, name)))))
    syncDirectory(directory);
  for (const name of manifest.damaged.filter((each) => found.has(each))) storeFiles.remove(join(folder, name));
  return manifest;
}

/** What people take for a backup, and what to do with it; null for anything else. */
function otherKindOf(fd: number): string | null {
  const start = Buffer.from(readDescriptor(fd, 0, 16)).toString('latin1');
  if (start.startsWith('SQLite format 3')) {
    return `it is a database alone (backup --database-only); where no dispatcher runs, copy it to the place of ${databaseEntry}`;
  }
  const isCompressed = ['\x1f\x8b', '\x28\xb5\x2f\xfd', '\xfd7zXZ', 'BZh'].some((magic) => start.startsWith(magic));
  return isCompressed ? 'it is compressed; undo that first (gunzip, zstd -d, xz -d, bunzip2) and try again' : null;
}

type Refuse = (why: string) => OctasklyError;

function isOfSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

function manifestIn(text: string, refuse: Refuse): Manifest {
  const value: unknown = parsed(text);
  if (typeof value !== 'object' || value === null) throw refuse('its list cannot be read');
  const manifest = value as Partial<Manifest>;
  if (manifest.form !== 'octaskly backup' || typeof manifest.version !== 'number') throw refuse('it is something else');
  if (manifest.version > formVersion) throw refuse('it was written by a newer Octaskly; restore it with that version');
  const { files, damaged, missing, blobs, schema, program, createdAt } = manifest;
  const isList = Array.isArray(files) && files.every(isEntry) && isTexts(damaged) && isTexts(missing);
  const isTold = typeof schema === 'number' && isTexts([program, createdAt]) && typeof blobs === 'number';
  if (!isList || !isTold) throw refuse('its list cannot be read');
  return value as Manifest;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false;
  const { name, sha256 }: Record<string, unknown> = { ...value };
  return isTexts([name, sha256]);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function check({ files, blobs, damaged }: Manifest, found: ReadonlyMap<string, Entry>, refuse: Refuse): void {
  const sums = new Map(files.map(({ name, sha256 }) => [name, sha256]));
  if (!sums.has(databaseEntry)) throw refuse('there is no database in it');
  let seen = 0;
  for (const [name, { sha256 }] of found) {
    const blob = sumOf(name);
    if (blob !== null) seen += 1;
    if (blob !== null && damaged.includes(name)) continue;
    if (sha256 !== (blob ?? sums.get(name))) throw refuse(`"${name}" is not as it was written`);
    sums.delete(name);
  }
  const [lacking] = sums.keys();
  if (lacking !== undefined) throw refuse(`"${lacking}" is missing`);
  if (seen !== blobs) throw refuse(`${blobs} blobs should be in it, ${seen} are`);
}

interface Unpacking {
  readonly body: ReadableStream<Uint8Array>;
  readonly target: string;
  readonly moved: Moved;
  readonly pace: Pace;
}

async function unpack(name: string, { body, target, moved, pace }: Unpacking): Promise<Entry> {
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
  const fd = openSync(target, 'wx', 0o600);
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of body) {
      for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
      hash.update(chunk);
      bytes += chunk.length;
      moved(chunk.length);
      await pace.breathe();
    }
    await onDisk(fd);
  } finally {
    closeSync(fd);
  }
  return { name, bytes, sha256: hash.digest('hex') };
}
