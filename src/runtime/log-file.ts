/**
 * A log file that never becomes a burden: when the next line would make it larger than `maxBytes` it is renamed to
 * `FILE.1`, `FILE.1` to `FILE.2` and so on, `keep` of them, and begun anew. It is opened again when it was moved or deleted,
 * as logrotate(8) does, within a second of that or when asked, and its directory made again where that is gone.
 *
 * Nothing that happens to it stops the program. Lines that cannot be written (a full disk) are counted, and the first that
 * can be is preceded by one that says how many are missing. Where older files cannot be renamed, the file is emptied
 * instead, so that its size stays within bounds. Deliberately not here: what a line says, and waiting for the disk: a line
 * is with the system when `write` returns, not on the platter.
 */

import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { readRange } from './file-bytes.ts';
import { quietly, succeeds } from './open-files.ts';

/** How often it is looked whether the file is still where it was. */
const lookMs = 1000;

export interface LogFileOptions {
  readonly path: string;
  /** 0 = it is never begun anew. */
  readonly maxBytes: number;
  /** Older files beside the present one; 0 = none. */
  readonly keep: number;
  /** The line, without its end, that says how many lines are missing and why. */
  readonly missing: (lines: number, reason: string) => string;
  /** Called once when the file cannot be opened again, until it can. */
  readonly unopened?: (reason: string) => void;
}

export class LogFile {
  readonly #options: LogFileOptions;
  #fd: number | null;
  #lookedAt = performance.now();
  #bytes = 0;
  /** Only a part of the last line was written. */
  #torn = false;
  #lost = { lines: 0, reason: '' };
  /** Why it could not be opened again; null = it could. */
  #trouble: string | null = null;

  /** Error: `io` when the file cannot be opened. */
  constructor(options: LogFileOptions) {
    this.#options = options;
    try {
      this.#fd = openSync(options.path, 'a', 0o600);
    } catch (cause) {
      const message = `Cannot open the log file "${options.path}": ${reasonOf(cause)}.`;
      throw new OctasklyError('io', message, { cause });
    }
    this.#bytes = this.#size();
  }

  /** Appends a line. Never throws. */
  write(line: string): void {
    if (performance.now() - this.#lookedAt >= lookMs) this.#look();
    const { lines, reason } = this.#lost;
    const note = lines === 0 ? '' : `${this.#options.missing(lines, reason)}\n`;
    try {
      this.#append(`${this.#torn ? '\n' : ''}${note}${line}\n`);
      this.#lost = { lines: 0, reason: '' };
    } catch (error) {
      this.#lost = { lines: lines + 1, reason: lines === 0 ? reasonOf(error) : reason };
    }
  }

  /** Opens the file by its name again. Never throws: what cannot be opened is tried again later. */
  reopen(): void {
    const { path } = this.#options;
    this.#lookedAt = performance.now();
    const open = (): number => openSync(path, 'a', 0o600);
    let opened = quietly<number | null>(open, null);
    if (opened === null) {
      try {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
        opened = open();
      } catch (error) {
        this.#cannotOpen(reasonOf(error));
        return;
      }
    }
    const before = this.#fd;
    this.#fd = opened;
    this.#trouble = null;
    this.#bytes = this.#size();
    this.#torn = false;
    if (before !== null) succeeds(() => closeSync(before));
  }

  /** The old file goes on taking the lines, wherever it was moved to; where it was deleted they are lost, and counted. */
  #cannotOpen(reason: string): void {
    if (this.#trouble === null) this.#options.unopened?.(reason);
    this.#trouble = reason;
    const fd = this.#fd;
    if (fd === null || quietly(() => fstatSync(fd).nlink > 0, false)) return;
    this.#fd = null;
    succeeds(() => closeSync(fd));
  }

  /** The last lines that are in its last `bytes` bytes, at most `lines`; fewer or none where it cannot be read. */
  tail(lines: number, bytes: number): readonly string[] {
    const { path } = this.#options;
    return quietly(() => {
      const { size } = statSync(path);
      const from = Math.max(0, size - bytes);
      const text = new TextDecoder().decode(readRange(path, from, bytes));
      const whole = from === 0 ? text : text.slice(text.indexOf('\n') + 1);
      return whole.split('\n').slice(0, -1).slice(-lines);
    }, []);
  }

  #append(text: string): void {
    const data = Buffer.from(text);
    const { maxBytes } = this.#options;
    if (maxBytes > 0 && this.#bytes > 0 && this.#bytes + data.length > maxBytes) this.#rotate(data.length);
    if (this.#fd === null) throw new Error(this.#trouble ?? 'the file is not open');
    const written = writeSync(this.#fd, data);
    this.#bytes += written;
    this.#torn = written < data.length;
    if (this.#torn) throw new Error('the disk took a part of a line only');
  }

  /** Sees whether the file was moved, deleted or emptied by somebody else. */
  #look(): void {
    this.#lookedAt = performance.now();
    if (this.#isThere()) this.#bytes = this.#size();
    else this.reopen();
  }

  #isThere(): boolean {
    return quietly(() => {
      const here = statSync(this.#options.path);
      const open = fstatSync(this.#fd ?? -1);
      return here.ino === open.ino && here.dev === open.dev;
    }, false);
  }

  /** Bytes of a regular file; 0 for a device or a pipe, which never is too large. */
  #size(): number {
    return quietly(() => {
      const stat = fstatSync(this.#fd ?? -1);
      return stat.isFile() ? stat.size : 0;
    }, 0);
  }

  /** Begins the file anew, as `bytes` more do not fit. */
  #rotate(bytes: number): void {
    const { path, keep, maxBytes } = this.#options;
    // Another process that writes to the same file may have been faster.
    this.#look();
    if (this.#bytes === 0 || this.#bytes + bytes <= maxBytes) return;
    // A link stays where it is.
    const file = quietly(() => realpathSync(path), path);
    const named = (place: number): string => (place === 0 ? file : `${file}.${place}`);
    const moved = succeeds(() => {
      // Of an earlier start that kept more.
      rmSync(named(keep + 1), { force: true });
      for (let place = keep - 1; place >= 1; place--) succeeds(() => renameSync(named(place), named(place + 1)));
      if (keep > 0) renameSync(file, named(1));
      else rmSync(file);
    });
    if (moved) this.reopen();
    else if (succeeds(() => ftruncateSync(this.#fd ?? -1))) this.#bytes = 0;
  }
}
