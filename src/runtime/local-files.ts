/**
 * The files of this machine for the command line, on `node:fs`. Reading follows symbolic links, as `cp -L` does; writing
 * below a directory never leaves it through one.
 */

import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, type Dirent, promises as disk, openSync, type Stats } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import type { IncomingFile, LocalFile, LocalFiles } from '../cli/files.ts';
import { filesMax } from '../core/files.ts';
import { blobNameOf, blobOf, eachSlice, hasCode, sliceBytes, systemReason } from './file-bytes.ts';

/** Up to this size a file is read at once. */
const smallBytesMax = 64 * 1024;

function usage(message: string): OctasklyError {
  return new OctasklyError('usage', message);
}

async function onFile<T>(tried: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof OctasklyError || !(error instanceof Error) || !('syscall' in error)) throw error;
    throw new OctasklyError('io', `Cannot ${tried}: ${systemReason(error)}.`, { cause: error });
  }
}

// ---------------------------------------------------------------------------------------------------------- finding

function kindOf(stat: Stats): string {
  if (stat.isFIFO()) return 'a pipe';
  if (stat.isSocket()) return 'a socket';
  return 'a device';
}

async function statOf(path: string, isAskedFor: boolean): Promise<Stats> {
  return onFile(`look at ${path}`, async () => {
    try {
      return await disk.stat(path);
    } catch (error) {
      if (hasCode(error, 'ELOOP')) throw usage(`${path} is a symbolic link that leads to itself.`);
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
      const isLink = await disk.lstat(path).then(
        (stat) => stat.isSymbolicLink(),
        () => false,
      );
      if (isLink) throw usage(`${path} is a symbolic link to what is not there.`);
      if (!isAskedFor) throw error;
      const place = resolve(path);
      throw usage(`There is no file or directory ${path}${place === path ? '' : ` (looked for ${place})`}.`);
    }
  });
}

/** All files at or below `source`. `above`: the real paths of the directories around it. */
async function* walk(source: string, path: string, above: readonly string[]): AsyncGenerator<LocalFile, void, void> {
  const stat = await statOf(source, path === '');
  if (stat.isFile()) {
    yield { path, source, bytes: stat.size, executable: (stat.mode & 0o100) !== 0 };
    return;
  }
  if (!stat.isDirectory()) {
    throw usage(`${source} is ${kindOf(stat)}; only files and directories can be brought along.`);
  }
  const real = await onFile(`read ${source}`, () => disk.realpath(source));
  if (above.includes(real)) throw usage(`${source} leads back to ${real}, in which it lies: it has no end.`);
  const entries: Dirent[] = await onFile(`read ${source}`, () => disk.readdir(source, { withFileTypes: true }));
  const names = entries.map(({ name }) => name).sort();
  for (const name of names) {
    if (name.includes('\ufffd')) throw usage(`${join(source, name)} has a name that is not UTF-8. Rename it.`);
    yield* walk(join(source, name), path === '' ? name : `${path}/${name}`, [...above, real]);
  }
}

async function find(path: string): Promise<readonly LocalFile[]> {
  const found: LocalFile[] = [];
  for await (const file of walk(path, '', [])) {
    found.push(file);
    if (found.length > filesMax) throw usage(`${path} holds too many files: a task can bring at most ${filesMax}.`);
  }
  return found;
}

// ---------------------------------------------------------------------------------------------------------- reading

/** A file that was replaced by a pipe meanwhile must not hold everything up. */
const readFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

async function hash(
  { source, bytes }: LocalFile,
  onRead: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<{ readonly blob: string; readonly bytes: number }> {
  return onFile(`read ${source}`, async () => {
    if (bytes <= smallBytesMax) {
      const content = await disk.readFile(source, { flag: readFlags });
      onRead(content.length);
      return { blob: blobOf(content), bytes: content.length };
    }
    const fd = openSync(source, readFlags);
    try {
      const sum = createHash('sha256');
      const size = await eachSlice(fd, (slice) => {
        signal?.throwIfAborted();
        sum.update(slice);
        onRead(slice.length);
      });
      return { blob: blobNameOf(sum), bytes: size };
    } finally {
      closeSync(fd);
    }
  });
}

function read(
  source: string,
  { from, to }: { readonly from: number; readonly to: number },
): ReadableStream<Uint8Array> {
  let handle: disk.FileHandle | null = null;
  let at = from;
  const close = async (): Promise<void> => {
    await handle?.close();
    handle = null;
  };
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) =>
        onFile(`read ${source}`, async () => {
          if (at >= to) {
            await close();
            controller.close();
            return;
          }
          handle ??= await disk.open(source, readFlags);
          const { buffer, bytesRead } = await handle.read(new Uint8Array(Math.min(sliceBytes, to - at)), 0, null, at);
          if (bytesRead === 0) {
            await close();
            throw new OctasklyError('io', `Cannot upload ${source}: it became shorter while it was read.`);
          }
          at += bytesRead;
          controller.enqueue(buffer.subarray(0, bytesRead));
        }),
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}

// ---------------------------------------------------------------------------------------------------------- writing

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : `${directory}${sep}`);
}

function leadsOut(path: string, real: string): OctasklyError {
  return new OctasklyError('io', `${path} leads out of the directory, to ${real}; nothing is written there.`);
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await disk.mkdir(path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

/** The real directory for `parts` below `root`, a real path; made as far as it is missing. */
async function directoryFor(root: string, parts: readonly string[]): Promise<string> {
  const there = await disk.realpath(join(root, ...parts)).catch(() => null);
  if (there !== null && isWithin(there, root)) return there;
  let at = root;
  for (const part of parts) {
    const next = join(at, part);
    await makeDirectory(next);
    at = await disk.realpath(next);
    if (!isWithin(at, root)) throw leadsOut(next, at);
  }
  return at;
}

/** Where a file of that name goes: into the file a symbolic link leads to when that is below `root` too. */
async function targetOf(root: string, place: string): Promise<string> {
  let target = place;
  try {
    target = await disk.realpath(place);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    const stat = await disk.lstat(place).catch(() => null);
    if (stat === null) return place;
    throw new OctasklyError('io', `${place} is a symbolic link to what is not there.`);
  }
  if (!isWithin(target, root)) throw leadsOut(place, target);
  const stat = await disk.stat(target);
  if (stat.isDirectory()) throw new OctasklyError('io', `There is a directory ${target} in its place.`);
  if (!stat.isFile()) throw new OctasklyError('io', `${target} is ${kindOf(stat)}; only a file is replaced.`);
  return target;
}

async function create(
  directory: string,
  { path, executable }: { readonly path: string; readonly executable: boolean },
): Promise<IncomingFile> {
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  const { target, temporary, handle } = await onFile(`write ${join(directory, path)}`, async () => {
    await disk.mkdir(directory, { recursive: true });
    const root = await disk.realpath(directory);
    const goal = await targetOf(root, join(await directoryFor(root, parts), name));
    const beside = join(dirname(goal), `.octaskly-${randomBytes(8).toString('hex')}.part`);
    return { target: goal, temporary: beside, handle: await disk.open(beside, 'wx', executable ? 0o777 : 0o666) };
  });
  return new ArrivingFile({ target, temporary, handle });
}

/** Writes one after the other: the caller waits for each. */
class ArrivingFile implements IncomingFile {
  private readonly hash = createHash('sha256');
  private readonly target: string;
  private readonly temporary: string;
  private readonly handle: disk.FileHandle;
  private isOpen = true;

  constructor(place: { readonly target: string; readonly temporary: string; readonly handle: disk.FileHandle }) {
    this.target = place.target;
    this.temporary = place.temporary;
    this.handle = place.handle;
  }

  async write(data: Uint8Array): Promise<void> {
    this.hash.update(data);
    await onFile(`write ${this.target}`, async () => {
      for (let at = 0; at < data.length; ) at += (await this.handle.write(data, at)).bytesWritten;
    });
  }

  async finish(blob: string): Promise<boolean> {
    if (blobNameOf(this.hash) !== blob) {
      await this.discard();
      return false;
    }
    await onFile(`write ${this.target}`, async () => {
      await this.handle.close();
      await disk.rename(this.temporary, this.target);
      this.isOpen = false;
    });
    return true;
  }

  async discard(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    await this.handle.close().catch(() => {});
    await disk.rm(this.temporary, { force: true }).catch(() => {});
  }
}

/** Relative paths start from the directory this process was started in. */
export function createLocalFiles(): LocalFiles {
  return {
    get currentDirectory() {
      return process.cwd();
    },
    separator: sep === '\\' ? '\\' : '/',
    matches: (glob, path) => new Bun.Glob(glob).match(path),
    ...{ find, hash, read, create },
  };
}
