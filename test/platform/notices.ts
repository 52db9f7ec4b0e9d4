/** What the tests of other platforms say of what they leave out: that it was not tested, why, and what would do so. */

import { testPrograms } from '../../scripts/test-programs.ts';
import { inFull } from './names.ts';

/** What only the full form needs, which nothing installs by itself. */
const packages: Readonly<Record<string, string>> = {
  ...testPrograms,
  'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu',
  '/usr/aarch64-linux-gnu/lib/libstdc++.so.6': 'libstdc++6-arm64-cross',
  '/usr/aarch64-linux-gnu/lib/libgcc_s.so.1': 'libgcc-s1-arm64-cross',
  '/usr/arm-linux-gnueabihf/lib/libatomic.so.1': 'libatomic1-armhf-cross',
  '/usr/arm-linux-gnueabihf/lib/libstdc++.so.6': 'libstdc++6-armhf-cross',
  node: 'nodejs',
};

/** That programs, or files by their paths, are missing, with Debian's packages of them; null when none is. */
export function lacking(missing: readonly string[]): string | null {
  if (missing.length === 0) return null;
  const named = missing.map((name) => (packages[name] === undefined ? name : `${name} (Debian: ${packages[name]})`));
  return `there is no ${named.join(', no ')}`;
}

/** Says that `what` is not tested, for a reason or because it is long, and by which name of `bun run platforms` it is. */
export function notTested(what: string, reason: string | null, name: string): void {
  console.warn(`not tested: ${what}${reason === null ? '' : `, as ${reason}`}; to run it: ${inFull(name)}`);
}
