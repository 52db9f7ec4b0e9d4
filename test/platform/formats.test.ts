/**
 * Files for systems that are not at hand, looked at as files: format, processor, dynamic linker, libraries, signature (of
 * macOS: ad hoc, every page as signed), what is embedded. They were not run. Only in full: in the short form
 * `test/e2e/release.test.ts` looks in the same way at the one for macOS that a release made.
 */

import { expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { inspect, problemsFor } from '../../scripts/release/inspect.ts';
import { targetNamed } from '../../src/core/targets.ts';
import { openFile } from './file.ts';
import { notTested } from './notices.ts';
import { isThorough } from './thorough.ts';

setDefaultTimeout(120_000);

/** None of these can be run here. */
const notRun = ['darwin-x64', 'darwin-arm64', 'linux-arm64-android', 'windows-arm64'];
if (!isThorough)
  notTested(`the files ${notRun.join(', ')} (what cannot be run is looked at)`, 'it takes long', 'formats');

test.skipIf(!isThorough).each(notRun)('the file %s is what its system loads', (name) => {
  const target = targetNamed(name);
  if (target === undefined) throw new Error(`there is no target ${name}`);
  const file = openFile(name);
  try {
    const bytes = readFileSync(file.path);
    expect(problemsFor(target, inspect(bytes))).toEqual([]);
    console.warn(`looked at, not run: ${name}`);
    if (target.system !== 'darwin') return;
    // A signature that anything may be changed under would be none.
    const at = Math.floor(bytes.length / 2);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    expect(problemsFor(target, inspect(bytes)).join()).toContain('its signature is');
  } finally {
    file.close();
  }
});
