/**
 * The files of this machine for the command line, on `node:fs`. Reading follows symbolic links, as `cp -L` does; writing
 * below a directory never leaves it through one.
 */

import { createHash, type Hash, randomBytes } from 'node:crypto';
import { closeSync, constants, type Dirent, promises as disk, openSync, type Stats } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import type { ContentHash, IncomingFacts, IncomingFile, LocalFile, LocalFiles, OpenFile } from '../cli/files.ts';
import { filesMax } from '../core/files.ts';
import { nameProblemOn } from '../core/platform/paths.ts';
import { blobNameOf, blobOf, eachSlice, hasCode, sliceBytes, systemReason } from './file-bytes.ts';
import { openFlock } from './libc.ts';

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
  let isCancelled = false;
  let reading: Promise<unknown> = Promise.resolve();
  const close = async (): Promise<void> => {
    const open = handle;
    handle = null;
    await open?.close();
  };
  const next = async (): Promise<Uint8Array | null> => {
    if (at >= to) return null;
    handle ??= await disk.open(source, readFlags);
    const { buffer, bytesRead } = await handle.read(new Uint8Array(Math.min(sliceBytes, to - at)), 0, null, at);
    at += bytesRead;
    if (bytesRead > 0) return buffer.subarray(0, bytesRead);
    await close();
    throw new OctasklyError('io', `Cannot upload ${source}: it became shorter while it was read.`);
  };
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const bytes = onFile(`read ${source}`, next);
        reading = bytes.catch(() => {});
        const slice = await bytes;
        // Cancelled while it was read: nobody takes it, and the controller is closed.
        if (isCancelled) return;
        if (slice !== null) return controller.enqueue(slice);
        await close();
        controller.close();
      },
      cancel: async () => {
        isCancelled = true;
        await reading;
        await close();
      },
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

/** A file under its temporary name, beside its place. */
interface PartialFile {
  readonly temporary: string;
  readonly handle: disk.FileHandle;
  /** What is in it from before. */
  readonly received: number;
  /** Other fetches know its name; it is locked. */
  readonly isShared: boolean;
}

/** How often a file may vanish between opening and locking it: another fetch finished it. */
const vanishingsMax = 5;
/** No link, and no waiting for what is no file. */
const partialFlags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

function modeOf({ executable }: IncomingFacts): number {
  return executable ? 0o777 : 0o666;
}

let flock: ReturnType<typeof openFlock> | undefined;

function tryLock(fd: number): boolean {
  return flock?.(fd) ?? false;
}

/** `kept`: this file is ours alone to go on with; `gone`: it has another name by now. */
async function ownership(handle: disk.FileHandle, path: string): Promise<'kept' | 'taken' | 'gone'> {
  if (!tryLock(handle.fd)) return 'taken';
  const [open, named] = [await handle.stat(), await disk.lstat(path).catch(() => null)];
  if (named === null || named.ino !== open.ino || named.dev !== open.dev) return 'gone';
  // Somebody else who could write to it could do so after its bytes were hashed.
  if (open.isFile() && open.nlink === 1 && open.uid === process.getuid?.()) return 'kept';
  // Made just now, where the file system gives files to another account.
  if (open.isFile() && open.size === 0) await disk.rm(path, { force: true });
  return 'taken';
}

/**
 * The file that a killed fetch of the same content left in `directory`, or a new one that a later fetch would find.
 * Locked (flock(2)) until it is closed. Null when another fetch is at it, or there are no such locks here.
 */
async function openShared(directory: string, file: IncomingFacts): Promise<PartialFile | null> {
  // The hash is the word of a dispatcher: only what is one becomes part of a name.
  const [, hex] = /^sha256:([0-9a-f]{16})[0-9a-f]{48}$/.exec(file.blob) ?? [];
  if (hex === undefined) return null;
  const temporary = join(directory, `.octaskly-${hex}.part`);
  flock ??= openFlock();
  for (let tries = 0; flock !== null && tries < vanishingsMax; tries++) {
    const handle = await disk.open(temporary, partialFlags, modeOf(file)).catch(() => null);
    if (handle === null) return null;
    try {
      const state = await ownership(handle, temporary);
      if (state === 'kept') {
        const { size, mode } = await handle.stat();
        if (size > file.bytes) await handle.truncate(0);
        if (((mode & 0o100) !== 0) !== file.executable) await handle.chmod(modeOf(file) & ~process.umask());
        return { temporary, handle, received: size > file.bytes ? 0 : size, isShared: true };
      }
      await handle.close();
      if (state === 'taken') return null;
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
  }
  return null;
}

async function openAlone(directory: string, file: IncomingFacts): Promise<PartialFile> {
  const temporary = join(directory, `.octaskly-${randomBytes(8).toString('hex')}.part`);
  return { temporary, handle: await disk.open(temporary, 'wx', modeOf(file)), received: 0, isShared: false };
}

async function create(directory: string, file: IncomingFacts): Promise<IncomingFile> {
  const parts = file.path.split('/');
  const name = parts.pop() ?? '';
  const problem = nameProblemOn(process.platform, file.path);
  if (problem !== null) throw new OctasklyError('refused', `Its path ${problem}.`);
  return onFile(`write ${join(directory, file.path)}`, async () => {
    await disk.mkdir(directory, { recursive: true }).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST', 'ENOTDIR')) throw error;
      throw new OctasklyError('io', `A file is where the directory ${directory} should be.`);
    });
    const root = await disk.realpath(directory);
    const target = await targetOf(root, join(await directoryFor(root, parts), name));
    const beside = dirname(target);
    const partial = (await openShared(beside, file)) ?? (await openAlone(beside, file));
    const hash = createHash('sha256');
    try {
      if (partial.received > 0) await eachSlice(partial.handle.fd, (slice) => void hash.update(slice));
    } catch (error) {
      await partial.handle.close();
      throw error;
    }
    return new ArrivingFile({ ...partial, target, hash, blob: file.blob });
  });
}

/** Writes one after the other: the caller waits for each. */
class ArrivingFile implements IncomingFile {
  readonly received: number;
  private readonly hash: Hash;
  private readonly blob: string;
  private readonly target: string;
  private readonly temporary: string;
  private readonly handle: disk.FileHandle;
  private readonly isShared: boolean;
  private at: number;
  private isOpen = true;

  constructor(facts: PartialFile & { readonly target: string; readonly blob: string; readonly hash: Hash }) {
    this.received = facts.received;
    this.at = facts.received;
    this.hash = facts.hash;
    this.blob = facts.blob;
    this.target = facts.target;
    this.temporary = facts.temporary;
    this.handle = facts.handle;
    this.isShared = facts.isShared;
  }

  async write(data: Uint8Array): Promise<void> {
    this.hash.update(data);
    await onFile(`write ${this.target}`, async () => {
      for (let done = 0; done < data.length; ) {
        const { bytesWritten } = await this.handle.write(data, done, data.length - done, this.at);
        done += bytesWritten;
        this.at += bytesWritten;
      }
    });
  }

  async finish(): Promise<string> {
    const came = blobNameOf(this.hash);
    if (came !== this.blob) {
      await this.discard();
      return came;
    }
    await onFile(`write ${this.target}`, async () => {
      // The name goes before the lock, so that nobody else takes the file; without a lock, some systems rename no open file.
      if (!this.isShared) await this.handle.close();
      await disk.rename(this.temporary, this.target);
      this.isOpen = false;
      if (this.isShared) await this.handle.close();
    });
    return came;
  }

  async discard(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    const remove = () => disk.rm(this.temporary, { force: true }).catch(() => {});
    if (this.isShared) await remove();
    await this.handle.close().catch(() => {});
    if (!this.isShared) await remove();
  }
}

async function open(path: string): Promise<OpenFile> {
  const write = <T>(action: () => Promise<T>): Promise<T> => onFile(`write ${path}`, action);
  const handle = await write(async () => {
    await disk.mkdir(dirname(path), { recursive: true });
    return disk.open(path, 'w');
  });
  return { write: (data) => write(() => handle.writeFile(data)), close: () => write(() => handle.close()) };
}

function contentHash(): ContentHash {
  const hash = createHash('sha256');
  return {
    update: (data) => void hash.update(data),
    finish: () => blobNameOf(hash),
  };
}

/** Relative paths start from the directory this process was started in. */
export function createLocalFiles(): LocalFiles {
  return {
    get currentDirectory() {
      return process.cwd();
    },
    separator: sep === '\\' ? '\\' : '/',
    matches: (glob, path) => new Bun.Glob(glob).match(path),
    ...{ find, hash, read, create, open, contentHash },
  };
}
