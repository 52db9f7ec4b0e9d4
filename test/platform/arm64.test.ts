/**
 * The file for 64-bit ARM does a whole job under QEMU: dispatcher, worker, command line. `bun test/platform/main.ts arm64`
 * does it once more as a Cortex-A53 (Raspberry Pi 3), which lacks what newer processors have.
 */

import { afterAll, afterEach, beforeAll, describe, setDefaultTimeout, test } from 'bun:test';
import { closeSites } from '../e2e/site.ts';
import { emulated, whyNotEmulated } from './emulated.ts';
import { openFile, type PlatformFile } from './file.ts';
import { isThorough } from './thorough.ts';
import { wholeJob } from './whole-job.ts';

/** QEMU takes seconds to start it. */
setDefaultTimeout(180_000);

/** With libraries of libc6-arm64-cross. */
const emulation = { emulator: ['qemu-aarch64-static'], libraries: '/usr/aarch64-linux-gnu/lib' };
const whyNot = whyNotEmulated(emulation, ['libc.so.6', 'libm.so.6']);
if (whyNot !== null) console.warn(`not tested: the file for 64-bit ARM, as ${whyNot}`);
else if (!isThorough) console.warn('not tested: 64-bit ARM as a Cortex-A53; it is by: bun test/platform/main.ts arm64');

let file: PlatformFile | null = null;

afterEach(closeSites);

describe.skipIf(whyNot !== null)('the file for 64-bit ARM', () => {
  beforeAll(() => {
    file = openFile('linux-arm64', (program, directory) => emulated(emulation, directory, [program]));
  });
  afterAll(() => file?.close());

  test('does a whole job: inputs, outputs, exit status, a limit of time, a tree that is cancelled', async () => {
    await wholeJob(file?.command ?? [], 'arm64');
  });

  test.skipIf(!isThorough)('does the same as a Cortex-A53', async () => {
    const [emulator = '', ...options] = file?.command ?? [];
    await wholeJob([emulator, '-cpu', 'cortex-a53', ...options], 'arm64');
  });
});
