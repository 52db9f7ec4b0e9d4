/**
 * Takes one file out of an archive of a release: a tar packed by gzip, or a zip. Both are read from the disk piece by piece.
 *
 * Deliberately not here: everything else such archives can hold (links, directories, names of more than 100 characters,
 * zip64, encryption), which a release does not use and a stranger's archive gains nothing by. Whether what was taken out is
 * what it should be is for whoever asked to check.
 * References: POSIX.1-2017 pax, "ustar Interchange Format"; PKWARE APPNOTE.TXT 6.3, sections 4.3.6 to 4.3.16.
 */

import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createInflateRaw } from 'node:zlib';
import { OctasklyError, reasonOf } from '../base/errors.ts';

const blockBytes = 512;
/** Largest file that is taken out, bytes. */
const memberBytesMax = 1024 ** 3;

/**
 * Writes the member of that name to a new file `to`, which only its owner can read and start. Error: `io`, after which
 * there may be a part of it.
 */
export async function unpackMember(archive: string, member: string, to: string): Promise<void> {
  try {
    const found = archive.endsWith('.zip') ? await fromZip(archive, member, to) : await fromTar(archive, member, to);
    if (!found) throw new Error(`there is no ${member} in it`);
  } catch (cause) {
    throw new OctasklyError('io', `Cannot take ${member} out of "${archive}": ${reasonOf(cause)}.`, { cause });
  }
}

const newFile = { flags: 'wx', mode: 0o700 } as const;

async function fromTar(archive: string, member: string, to: string): Promise<boolean> {
  let found = false;
  async function* pick(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let rest: Uint8Array<ArrayBufferLike> = new Uint8Array(0);
    // Bytes of the member that are still to come, whether they are wanted, and bytes that fill up its last block.
    let [left, isWanted, padding] = [0, false, 0];
    for await (const piece of source) {
      // What comes behind is read to its end and left: to break off would end the source as if it had failed.
      if (found && left === 0) continue;
      rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      for (;;) {
        const taken = Math.min(left, rest.length);
        if (taken > 0 && isWanted) yield rest.subarray(0, taken);
        left -= taken;
        const skipped = left > 0 ? 0 : Math.min(padding, rest.length - taken);
        padding -= skipped;
        rest = rest.subarray(taken + skipped);
        if (left > 0 || padding > 0) break;
        if (found || rest.length < blockBytes) break;
        const header = headerOf(rest.subarray(0, blockBytes));
        rest = rest.subarray(blockBytes);
        [left, padding] = [header.size, (blockBytes - (header.size % blockBytes)) % blockBytes];
        isWanted = header.isFile && header.name === member;
        found = isWanted;
      }
    }
    if (left > 0) throw new Error('it ends too early');
  }
  await pipeline(createReadStream(archive), createGunzip(), pick, createWriteStream(to, newFile));
  return found;
}

function headerOf(block: Uint8Array): { readonly name: string; readonly size: number; readonly isFile: boolean } {
  const text = (from: number, length: number): string =>
    new TextDecoder().decode(block.subarray(from, from + length)).split('\0')[0] ?? '';
  const prefix = text(257, 5) === 'ustar' ? text(345, 155) : '';
  const size = Number.parseInt(text(124, 12).trim() || '0', 8);
  if (!(size >= 0 && size <= memberBytesMax)) throw new Error('a header of it is damaged');
  return { name: `${prefix === '' ? '' : `${prefix}/`}${text(0, 100)}`, size, isFile: /^0?$/.test(text(156, 1)) };
}

const endSignature = 0x0605_4b50;
const entrySignature = 0x0201_4b50;
const localSignature = 0x0403_4b50;
const endBytes = 22;
const commentBytesMax = 65_535;
const directoryBytesMax = 1024 ** 2;

async function fromZip(archive: string, member: string, to: string): Promise<boolean> {
  const file = await open(archive, 'r');
  try {
    const entry = await entryNamed(file, member);
    if (entry === null) return false;
    const local = await readAt(file, entry.at, 30);
    if (local.getUint32(0, true) !== localSignature) throw new Error('an entry of it is damaged');
    const start = entry.at + 30 + local.getUint16(26, true) + local.getUint16(28, true);
    const source = createReadStream(archive, { start, end: start + entry.packed - 1 });
    const target = createWriteStream(to, newFile);
    const upToSize = (pieces: AsyncIterable<Uint8Array>) => upTo(entry.size, pieces);
    if (entry.method === 0) await pipeline(source, upToSize, target);
    else await pipeline(source, createInflateRaw(), upToSize, target);
    return true;
  } finally {
    await file.close();
  }
}

/** Breaks off what is longer than it was said to be: a few bytes can unpack to more than a disk holds. */
async function* upTo(bytesMax: number, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let left = bytesMax;
  for await (const piece of pieces) {
    left -= piece.length;
    if (left < 0) throw new Error('it unpacks to more than it says');
    yield piece;
  }
}

async function readAt(file: FileHandle, at: number, length: number): Promise<DataView> {
  const buffer = new Uint8Array(length);
  const { bytesRead } = await file.read(buffer, 0, length, at);
  if (bytesRead < length) throw new Error('it ends too early');
  return new DataView(buffer.buffer);
}

interface ZipEntry {
  readonly at: number;
  readonly packed: number;
  /** Unpacked, bytes. */
  readonly size: number;
  readonly method: number;
}

async function entryNamed(file: FileHandle, member: string): Promise<ZipEntry | null> {
  const { size } = await file.stat();
  const tailBytes = Math.min(size, endBytes + commentBytesMax);
  const tail = await readAt(file, size - tailBytes, tailBytes);
  let end = tailBytes - endBytes;
  while (end >= 0 && tail.getUint32(end, true) !== endSignature) end -= 1;
  if (end < 0) throw new Error('it is no zip');
  const [length, from] = [tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
  if (length > directoryBytesMax) throw new Error('its directory is too long');
  const directory = await readAt(file, from, length);
  for (let at = 0; at + 46 <= length && directory.getUint32(at, true) === entrySignature; ) {
    const nameBytes = directory.getUint16(at + 28, true);
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, at + 46, nameBytes));
    const [method, packed] = [directory.getUint16(at + 10, true), directory.getUint32(at + 20, true)];
    const size = directory.getUint32(at + 24, true);
    if (name === member) {
      if (method !== 0 && method !== 8) throw new Error(`${member} is packed in a way that is not known`);
      if (size > memberBytesMax) throw new Error(`${member} is too large`);
      return { at: directory.getUint32(at + 42, true), packed, size, method };
    }
    at += 46 + nameBytes + directory.getUint16(at + 30, true) + directory.getUint16(at + 32, true);
  }
  return null;
}
