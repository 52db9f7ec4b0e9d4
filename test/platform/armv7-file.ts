/** The file for 32-bit ARM under test, run by QEMU. Built anew for each run. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildArmv7, stripper } from '../../scripts/release/armv7.ts';
import { root } from '../../scripts/steps.ts';
import { emulated, whyNotEmulated } from './emulated.ts';
import type { PlatformFile } from './file.ts';
import { lacking } from './notices.ts';

/** With libraries of libstdc++6-armhf-cross and libatomic1-armhf-cross. */
const emulation = { emulator: ['qemu-arm-static'], libraries: '/usr/arm-linux-gnueabihf/lib' };

/** Why it cannot be run here; null when it can. */
export function whyNotHere(): string | null {
  if (Bun.which(stripper) === null) return lacking([stripper]);
  return whyNotEmulated(emulation, ['libatomic.so.1', 'libstdc++.so.6']);
}

/** Builds it. Rejects when its Node cannot be had. */
export async function openArmv7File(): Promise<PlatformFile> {
  const directory = mkdtempSync(join(tmpdir(), 'octaskly-armv7-'));
  const close = () => rmSync(directory, { recursive: true, force: true });
  try {
    const { program } = await buildArmv7({
      ...{ root, out: join(directory, 'out') },
      facts: { commit: null, releaseKey: null },
    });
    return { path: program, command: emulated(emulation, directory, [program]), close };
  } catch (error) {
    close();
    throw error;
  }
}
