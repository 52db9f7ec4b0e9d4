/**
 * Files for other processors, run here by QEMU, which translates one program at a time (qemu-user): what it needs, and the
 * system its libraries lie in. What such a program starts is this machine's, and runs as it is.
 */

import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { lacking } from './notices.ts';

export interface Emulation {
  /** The emulator, and options of its own. */
  readonly emulator: readonly string[];
  /** Libraries of Debian's cross compiler. */
  readonly libraries: string;
}

/** Why a file cannot be run so here: the emulator, or some of these libraries are missing; null when it can. */
export function whyNotEmulated({ emulator, libraries }: Emulation, needed: readonly string[]): string | null {
  if (process.platform !== 'linux') return 'it runs on Linux';
  const [name = ''] = emulator;
  const programs = Bun.which(name) === null ? [name] : [];
  const paths = needed.map((library) => join(libraries, library));
  return lacking([...programs, ...paths.filter((path) => !existsSync(path))]);
}

/** How `program` is started. Its system is made in `directory`. */
export function emulated({ emulator, libraries }: Emulation, directory: string, program: readonly string[]): string[] {
  // QEMU looks for every path in here first: what is a link on this machine has to be one here too, since the program
  // would hear of it in one answer as what it is there, and in the next as what it is here.
  const system = join(directory, 'system');
  mkdirSync(join(system, 'usr'), { recursive: true });
  cpSync(libraries, join(system, 'usr/lib'), { recursive: true, verbatimSymlinks: true });
  symlinkSync('usr/lib', join(system, 'lib'));
  return [...emulator, '-L', system, ...program];
}
