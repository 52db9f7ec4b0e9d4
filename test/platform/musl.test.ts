/**
 * The files for musl do a whole job: the one for this processor as it is, the one for 64-bit ARM under QEMU (`bun
 * run platforms arm64-musl`).
 */

import { afterEach, setDefaultTimeout, test } from 'bun:test';
import { closeSites } from '../e2e/site.ts';
import { openFile } from './file.ts';
import { type MuslSystem, muslArm64, muslX64, onMusl, whyNoMusl, whyNotFetched } from './musl.ts';
import { notTested } from './notices.ts';
import { chosen, isThorough } from './thorough.ts';
import { wholeJob } from './whole-job.ts';

setDefaultTimeout(180_000);

const cases: readonly { target: string; arch: 'x64' | 'arm64'; system: MuslSystem; isShort: boolean }[] = [
  { target: 'linux-x64-musl', arch: 'x64', system: muslX64, isShort: true },
  { target: 'linux-arm64-musl', arch: 'arm64', system: muslArm64, isShort: false },
];

afterEach(closeSites);

for (const { target, arch, system, isShort } of cases.filter((each) => chosen(each.target))) {
  const isLeft = !isShort && !isThorough;
  const whyNot = isLeft ? 'it takes long' : (whyNoMusl(system) ?? whyNotFetched(system));
  if (whyNot !== null) notTested(`the file ${target}`, whyNot, target.slice('linux-'.length));
  test.skipIf(whyNot !== null)(`the file ${target} does a whole job`, async () => {
    const file = openFile(target, (program, directory) => onMusl(system, directory, program));
    try {
      await wholeJob(file.command, arch);
      await closeSites();
    } finally {
      file.close();
    }
  });
}
