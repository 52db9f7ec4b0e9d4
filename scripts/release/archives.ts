/**
 * Archives that are the same for the same content: entries sorted, one time for all, nobody's files, and no trace of the
 * machine. Programs keep their right to run.
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { packTar } from 'modern-tar';
import { ZipFile } from 'yazl';

export interface ArchiveOptions {
  /** The directory whose content is packed. */
  readonly from: string;
  /** The time of every entry. */
  readonly date: Date;
  /** Of compression, 1 (fast) … 9 (small). */
  readonly level: number;
}

interface Entry {
  /** Relative to the directory; one of a directory ends with a slash. */
  readonly name: string;
  readonly isDirectory: boolean;
  readonly bytes: Buffer<ArrayBuffer>;
  readonly mode: number;
}

const programMode = 0o755;
const textMode = 0o644;

function entriesIn(from: string): Entry[] {
  const names = readdirSync(from, { recursive: true, encoding: 'utf8' }).map((name) => name.replaceAll('\\', '/'));
  return names.sort().map((name) => {
    const path = join(from, name);
    const stat = statSync(path);
    if (stat.isDirectory()) return { name: `${name}/`, isDirectory: true, bytes: Buffer.alloc(0), mode: programMode };
    const mode = (stat.mode & 0o100) === 0 ? textMode : programMode;
    return { name, isDirectory: false, bytes: readFileSync(path), mode };
  });
}

/** A `.tar.gz`: what `tar -xzf` unpacks, owned by root. */
export async function tarGz({ from, date, level }: ArchiveOptions): Promise<Uint8Array> {
  const nobodys = { uid: 0, gid: 0, uname: 'root', gname: 'root', mtime: date };
  const entries = entriesIn(from).map(({ name, isDirectory, bytes, mode }) => {
    const type: 'directory' | 'file' = isDirectory ? 'directory' : 'file';
    return { header: { ...nobodys, name, mode, type, size: bytes.length }, body: bytes };
  });
  return Bun.gzipSync(await packTar(entries), { library: 'libdeflate', level: level as 9 });
}

/** A `.zip`, for Windows. */
export async function zip({ from, date, level }: ArchiveOptions): Promise<Uint8Array> {
  const file = new ZipFile();
  // Its times have no zone: what is written is the local time, made to read like the one in UTC.
  const mtime = new Date(date.getTime() + date.getTimezoneOffset() * 60_000);
  for (const { name, isDirectory, bytes, mode } of entriesIn(from)) {
    if (isDirectory) file.addEmptyDirectory(name, { mtime, mode: 0o40000 | mode, forceDosTimestamp: true });
    else
      file.addBuffer(bytes, name, { mtime, mode: 0o100000 | mode, compressionLevel: level, forceDosTimestamp: true });
  }
  file.end();
  const parts: Uint8Array[] = [];
  for await (const part of file.outputStream) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}
