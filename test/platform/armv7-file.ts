/**
 * The file for 32-bit ARM under test, and what runs it here: QEMU, which translates one program (qemu-user), with the
 * libraries of Debian's cross compiler. Built anew for each run.
 */

import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildArmv7, stripper } from '../../scripts/release/armv7.ts';
import { root } from '../../scripts/steps.ts';

const emulator = 'qemu-arm-static';
/** Of libstdc++6-armhf-cross and libatomic1-armhf-cross. */
const libraries = '/usr/arm-linux-gnueabihf/lib';

export interface Armv7File {
  readonly path: string;
  /** How it is started: the emulator, its options, the file. */
  readonly command: readonly string[];
  close(): void;
}

/** Why it cannot be run here; null when it can. */
export function whyNotHere(): string | null {
  if (process.platform !== 'linux') return 'it runs on Linux';
  const programs = [emulator, stripper].filter((name) => Bun.which(name) === null);
  if (programs.length > 0) return `there is no ${programs.join(', no ')}`;
  const missing = ['libatomic.so.1', 'libstdc++.so.6'].filter((name) => !existsSync(join(libraries, name)));
  return missing.length > 0 ? `${libraries} has no ${missing.join(', no ')}` : null;
}

/** Builds it. Rejects when its Node cannot be had. */
export async function openArmv7File(): Promise<Armv7File> {
  const directory = mkdtempSync(join(tmpdir(), 'octaskly-armv7-'));
  try {
    const { program } = await buildArmv7({
      ...{ root, out: join(directory, 'out') },
      facts: { commit: null, releaseKey: null },
    });
    // QEMU looks for every path in here first: what is a link on this machine has to be one here too, since the program
    // would hear of it in one answer as what it is there, and in the next as what it is here.
    const system = join(directory, 'system');
    mkdirSync(join(system, 'usr'), { recursive: true });
    cpSync(libraries, join(system, 'usr/lib'), { recursive: true, verbatimSymlinks: true });
    symlinkSync('usr/lib', join(system, 'lib'));
    const close = () => rmSync(directory, { recursive: true, force: true });
    return { path: program, command: [emulator, '-L', system, program], close };
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}
