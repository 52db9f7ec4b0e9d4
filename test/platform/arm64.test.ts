/**
 * The file for 64-bit ARM does a whole job under QEMU: dispatcher, worker, command line, as a Cortex-A53 (Raspberry Pi 3),
 * which lacks what newer processors have. `bun run platforms arm64` does it once more as one that has all QEMU knows.
 */

import { afterAll, afterEach, beforeAll, describe, setDefaultTimeout, test } from 'bun:test';
import { closeSites } from '../e2e/site.ts';
import { emulated, whyNotEmulated } from './emulated.ts';
import { openFile, type PlatformFile } from './file.ts';
import { notTested } from './notices.ts';
import { isThorough } from './thorough.ts';
import { wholeJob } from './whole-job.ts';

/** QEMU takes seconds to start it. */
setDefaultTimeout(180_000);

/** With libraries of libc6-arm64-cross. */
const emulation = { emulator: ['qemu-aarch64-static'], libraries: '/usr/aarch64-linux-gnu/lib' };
const whyNot = whyNotEmulated(emulation, ['libc.so.6', 'libm.so.6']);
if (whyNot !== null) notTested('the file for 64-bit ARM', whyNot, 'arm64');
else if (!isThorough) notTested('64-bit ARM as a processor that has everything', null, 'arm64');

let file: PlatformFile | null = null;

afterEach(closeSites);

describe.skipIf(whyNot !== null)('the file for 64-bit ARM', () => {
  beforeAll(() => {
    file = openFile('linux-arm64', (program, directory) => emulated(emulation, directory, [program]));
  });
  afterAll(() => file?.close());

  const job = 'does a whole job: inputs, outputs, exit status, a limit of time, a tree that is cancelled';
  test.skipIf(!isThorough)(`${job}; as a processor that has everything`, async () => {
    await wholeJob(file?.command ?? [], 'arm64');
  });

  test(`${job}; as a Cortex-A53`, async () => {
    const [emulator = '', ...options] = file?.command ?? [];
    await wholeJob([emulator, '-cpu', 'cortex-a53', ...options], 'arm64');
  });
});
