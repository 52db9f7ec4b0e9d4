/** `bun test/platform/main.ts [NAME...]`: the tests of other platforms in full, which in `bun test` are short or left out. */

import { join } from 'node:path';
import { root } from '../../scripts/steps.ts';
import { thorough } from './thorough.ts';

interface Platform {
  readonly files: readonly string[];
  /** Of what the files test, this alone. */
  readonly targets?: readonly string[];
}

/** What can be named, and its tests. */
const platforms: Readonly<Record<string, Platform>> = {
  arm64: { files: ['arm64.test.ts'] },
  'arm64-musl': { files: ['musl.test.ts'], targets: ['linux-arm64-musl'] },
  'x64-musl': { files: ['musl.test.ts'], targets: ['linux-x64-musl'] },
  armv7: { files: ['node.test.ts', 'armv7.test.ts'] },
  windows: { files: ['windows.test.ts'] },
  formats: { files: ['formats.test.ts'] },
  packages: { files: ['packages.test.ts', 'packages-windows.test.ts'] },
};

const names = process.argv.slice(2);
const chosen = names.length === 0 ? Object.values(platforms) : names.map((name) => platforms[name]);
if (chosen.includes(undefined)) {
  process.stderr.write(`platform: it should be: bun test/platform/main.ts [${Object.keys(platforms).join('|')}]...\n`);
  process.exit(2);
}
const files = [...new Set(chosen.flatMap((platform) => platform?.files ?? []))];
const targets = chosen.flatMap((platform) => platform?.targets ?? []);
const paths = files.map((file) => join(root, 'test/platform', file));
const run = Bun.spawn([process.execPath, 'test', '--timeout=300000', ...paths], {
  ...{ cwd: root, stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' },
  env: { ...process.env, ...thorough(targets) },
});
process.exit(await run.exited);
