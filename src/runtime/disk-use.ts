/**
 * What an attempt occupies on disk: allocated bytes below its directories, and of deleted files its processes still hold
 * open. The walk goes in short slices, so that ten thousand files do not hold up the worker; it is left out while the free
 * space of the disk says that nothing much was written.
 * Deliberately not here: when to look (`watcher.ts`). Invariants: links are not followed, other file systems not entered,
 * each file counts once however many names it has. What goes while it is looked at does not count.
 */

import { lstatSync, readdirSync, statfsSync } from 'node:fs';
import { occupiedBytes, quietly, readOpenFiles } from './open-files.ts';
import type { ProcessFacts } from './procfs.ts';

/** Time of one slice of a walk. */
const sliceMs = 4;
/** Entries between two looks at the clock. */
const entriesPerCheck = 64;
/** Part of a worker's time that walks may take. */
const walkShare = 0.05;
const pauseMsMin = 100;
/** However quiet the disk, this often it is walked: others may free at the same time what the attempt takes. */
const quietMsMax = 5000;
/** Change of free space that is worth a walk; less is what any system writes. */
const changeBytes = 4 * 1024 * 1024;
const usualMs = 1000;

/** What was found by one walk. */
export interface DiskUse {
  readonly bytes: number;
  /** What the largest file occupies: a sparse one may be much longer. */
  readonly largestFileBytes: number;
}

/** Looks at the directories of one attempt. */
export class DiskMeter {
  readonly #directories: readonly string[];
  readonly #limitBytes: number;
  #lastAt = Number.NEGATIVE_INFINITY;
  #lastFree = 0;
  #last: DiskUse = { bytes: 0, largestFileBytes: 0 };
  #costMs = 0;
  #walking: Promise<DiskUse> | null = null;

  constructor(directories: readonly string[], limitBytes: number) {
    this.#directories = directories;
    this.#limitBytes = limitBytes;
    this.#lastFree = this.#freeBytes();
  }

  /** Whether a walk is worth its time now. */
  isDue(): boolean {
    if (this.#walking !== null) return false;
    const pausedMs = performance.now() - this.#lastAt;
    if (pausedMs < Math.max(pauseMsMin, this.#costMs / walkShare)) return false;
    const taken = this.#lastFree - this.#freeBytes();
    if (this.#last.bytes + taken > this.#limitBytes * 0.9) return true;
    return pausedMs > (Math.abs(taken) > changeBytes ? usualMs : quietMsMax);
  }

  /** Walks, or joins the walk under way. Never rejects. */
  measure(members: readonly ProcessFacts[]): Promise<DiskUse> {
    this.#walking ??= this.#measure(members).finally(() => {
      this.#walking = null;
    });
    return this.#walking;
  }

  async #measure(members: readonly ProcessFacts[]): Promise<DiskUse> {
    const free = this.#freeBytes();
    const walk = new Walk(this.#directories);
    // Deleted files first: one that is deleted while the walk is under way is then missed, not counted twice.
    for (const { pid } of members) walk.addDeleted(pid);
    let costMs = 0;
    for (;;) {
      const startedAt = performance.now();
      const more = walk.slice(startedAt + sliceMs);
      costMs += performance.now() - startedAt;
      if (!more) break;
      await Bun.sleep(0);
    }
    this.#costMs = costMs;
    this.#lastAt = performance.now();
    this.#lastFree = free;
    this.#last = walk.use;
    return this.#last;
  }

  #freeBytes(): number {
    let free = 0;
    for (const directory of this.#directories) {
      const system = quietly(() => statfsSync(directory), null);
      if (system !== null) free += system.bfree * system.bsize;
    }
    return free;
  }
}

class Walk {
  readonly #open: string[] = [];
  readonly #devices = new Set<number>();
  readonly #counted = new Set<string>();
  #entries: string[] = [];
  #directory = '';
  #bytes = 0;
  #largestFileBytes = 0;

  constructor(directories: readonly string[]) {
    for (const directory of directories) {
      const stat = quietly(() => lstatSync(directory), null);
      if (stat?.isDirectory() !== true) continue;
      this.#devices.add(stat.dev);
      this.#open.push(directory);
    }
  }

  get use(): DiskUse {
    return { bytes: this.#bytes, largestFileBytes: this.#largestFileBytes };
  }

  addDeleted(pid: number): void {
    for (const file of readOpenFiles(pid, (path) => path.endsWith(' (deleted)') && !path.startsWith('/memfd:'))) {
      if (file.links > 0 || !this.#devices.has(file.device) || this.#counted.has(file.key)) continue;
      this.#counted.add(file.key);
      this.#bytes += file.bytes;
      this.#largestFileBytes = Math.max(this.#largestFileBytes, file.bytes);
    }
  }

  /** Goes on until `untilMs` of the steady clock; false when all is done. */
  slice(untilMs: number): boolean {
    for (let count = 0; count % entriesPerCheck !== 0 || count === 0 || performance.now() < untilMs; count++) {
      const name = this.#entries.pop();
      if (name !== undefined) this.#visit(`${this.#directory}/${name}`);
      else {
        const next = this.#open.pop();
        if (next === undefined) return false;
        this.#directory = next;
        this.#entries = quietly(() => readdirSync(next), []);
      }
    }
    return true;
  }

  #visit(path: string): void {
    const stat = quietly(() => lstatSync(path), null);
    if (stat === null || !this.#devices.has(stat.dev)) return;
    if (stat.isDirectory()) this.#open.push(path);
    else if (stat.nlink > 1) {
      const key = `${stat.dev}:${stat.ino}`;
      if (this.#counted.has(key)) return;
      this.#counted.add(key);
    }
    const bytes = occupiedBytes(stat);
    this.#bytes += bytes;
    if (stat.isFile()) this.#largestFileBytes = Math.max(this.#largestFileBytes, bytes);
  }
}
