/**
 * How much memory a tree of processes truly takes, shared memory and files in memory included. Linux only.
 *
 *   private memory   Pss_Anon + SwapPss of every process: a page shared by n counts as 1/n
 *   shared memory    the larger of Pss_Shmem (mapped by somebody) and what the files it lives in occupy: memfds and tmpfs
 *                    files held open, tmpfs mounts of their own, and files in /dev/shm that nobody else can have made
 *
 * Pages of ordinary files do not count: the kernel drops these when it needs room. All this is dear, so it is done only
 * when the cheap upper bound (resident pages + all shared memory and swap of the machine) is beyond the limit.
 * Deliberately not here: System V segments nobody is attached to. References: proc(5), `smaps_rollup`, `mountinfo`.
 */

import { lstatSync, readdirSync, readlinkSync, type Stats, statfsSync, statSync } from 'node:fs';
import { occupiedBytes, quietly, readOpenFiles } from './open-files.ts';
import { isAlive, type ProcessFacts, readKilobytes, readText } from './procfs.ts';

const sharedDirectory = '/dev/shm';
/** File systems go by a clock that advances in steps of up to this. */
const clockStepMs = 20;
/** Entries of /dev/shm that are looked at. */
const sharedMax = 4096;
/** Processes whose pages are looked at one by one; of the others the resident size stands. */
const exactMax = 512;

/** Sum of resident pages, those that processes share once for each. */
export function residentBytes(members: readonly ProcessFacts[]): number {
  let bytes = 0;
  for (const facts of members) bytes += facts.residentBytes;
  return bytes;
}

/** Shared memory and swap in use on the whole machine: more than this no tree can have beside its resident pages. */
export function hiddenBytesMax(): number {
  const text = readText('/proc/meminfo');
  return readKilobytes(text, 'Shmem') + readKilobytes(text, 'SwapTotal') - readKilobytes(text, 'SwapFree');
}

/** Who wrote which file in /dev/shm, as far as it was seen. */
export class SharedFiles {
  /** Path → attempt that was seen to hold it open. */
  readonly #holders = new Map<string, unknown>();

  /**
   * Bytes of files in /dev/shm that `attempt` made: born since its start (`sinceWall`), and seen open in it, or with nobody
   * else to have made them. What it merely reads is not its memory.
   */
  bytesOf(
    attempt: unknown,
    made: { readonly sinceWall: number; readonly uid: number; readonly alone: boolean },
  ): number {
    let bytes = 0;
    for (const [path, stat] of listShared()) {
      const holder = this.#holders.get(path);
      const born = stat.birthtimeMs || stat.ctimeMs;
      if (born < made.sinceWall - clockStepMs || stat.uid !== made.uid) continue;
      if (holder === attempt || (holder === undefined && made.alone)) bytes += occupiedBytes(stat);
    }
    return bytes;
  }

  hold(path: string, attempt: unknown): void {
    if (!this.#holders.has(path)) this.#holders.set(path, attempt);
  }

  /** The attempt is over. What it wrote there stays, as whatever it writes outside its directories. */
  release(attempt: unknown): void {
    for (const [path, holder] of this.#holders) if (holder === attempt) this.#holders.delete(path);
  }
}

/** What to look for beside the processes' own pages. */
export interface MemoryOptions {
  readonly attempt: unknown;
  readonly shared: SharedFiles;
  readonly sinceWall: number;
  readonly uid: number;
  /** No other attempt can have made files in /dev/shm. */
  readonly alone: boolean;
}

/** Memory of a tree, exactly as far as the kernel lets one see. */
export function exactBytes(members: readonly ProcessFacts[], options: MemoryOptions): number {
  const living = members.filter(isAlive);
  let own = residentBytes(living.slice(exactMax));
  let mapped = 0;
  for (const { pid, residentBytes: resident } of living.slice(0, exactMax)) {
    const text = readText(`/proc/${pid}/smaps_rollup`);
    if (text.includes('\nPss_Anon:')) {
      own += readKilobytes(text, 'Pss_Anon') + readKilobytes(text, 'SwapPss');
      mapped += readKilobytes(text, 'Pss_Shmem');
    } else own += text === '' ? resident : readKilobytes(text, 'Pss') + readKilobytes(text, 'SwapPss');
  }
  return own + Math.max(mapped, fileBytes(living, options));
}

/** What files in memory occupy that belong to a tree. */
function fileBytes(members: readonly ProcessFacts[], options: MemoryOptions): number {
  const ownSpace = quietly(() => readlinkSync('/proc/self/ns/mnt'), '');
  const sharedDevice = quietly(() => statSync(sharedDirectory).dev, -1);
  const spaces = new Map<string, number>();
  const counted = new Set<string>();
  let bytes = 0;
  for (const { pid } of members) {
    const space = quietly(() => readlinkSync(`/proc/${pid}/ns/mnt`), ownSpace);
    if (space !== ownSpace) spaces.set(space, pid);
    for (const file of readOpenFiles(pid, (path) => path.startsWith('/memfd:') || path.startsWith(sharedDirectory))) {
      const isMemoryFile = file.path.startsWith('/memfd:');
      if (!isMemoryFile && file.device === sharedDevice && file.links > 0)
        options.shared.hold(file.path, options.attempt);
      // Files with a name in /dev/shm come with the directory, those on private mounts with the mount.
      if (counted.has(file.key) || (!isMemoryFile && (file.device !== sharedDevice || file.links > 0))) continue;
      counted.add(file.key);
      bytes += file.bytes;
    }
  }
  return bytes + options.shared.bytesOf(options.attempt, options) + privateMountBytes(spaces.values());
}

/** What is in tmpfs mounts that these processes see and we do not. */
function privateMountBytes(pids: Iterable<number>): number {
  const devices = new Set(tmpfsMounts('self').map((mount) => mount.device));
  let bytes = 0;
  for (const pid of pids) {
    for (const { device, path } of tmpfsMounts(pid)) {
      if (devices.has(device)) continue;
      devices.add(device);
      const system = quietly(() => statfsSync(`/proc/${pid}/root${path}`), null);
      if (system !== null) bytes += Math.max(0, system.blocks - system.bfree) * system.bsize;
    }
  }
  return bytes;
}

/** Mounts of tmpfs in the view of a process, by lines of `mountinfo`: id parent device root path options … - type … */
function tmpfsMounts(pid: number | 'self'): { readonly device: string; readonly path: string }[] {
  return readText(`/proc/${pid}/mountinfo`)
    .split('\n')
    .filter((line) => line.includes(' - tmpfs '))
    .map((line) => line.split(' '))
    .map(([, , device = '', , path = '']) => ({ device, path: path.replaceAll('\\040', ' ') }));
}

function listShared(): [string, Stats][] {
  const found: [string, Stats][] = [];
  const open = [sharedDirectory];
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    const here = directory;
    for (const name of quietly(() => readdirSync(here), [])) {
      const path = `${here}/${name}`;
      const stat = quietly<Stats | null>(() => lstatSync(path), null);
      if (stat?.isDirectory() === true) open.push(path);
      else if (stat?.isFile() === true) found.push([path, stat]);
      if (found.length >= sharedMax) return found;
    }
  }
  return found;
}
