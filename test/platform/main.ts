/** `bun test/platform/main.ts NAME...`: the tests of other platforms in full, which in `bun test` are short or left out. */

import { join } from 'node:path';
import { root } from '../../scripts/steps.ts';
import { thorough } from './thorough.ts';

/** What can be named, and its tests. */
const platforms: Readonly<Record<string, readonly string[]>> = {
  armv7: ['test/platform/node.test.ts', 'test/platform/armv7.test.ts'],
};

const names = process.argv.slice(2);
const files = names.flatMap((name) => platforms[name] ?? []);
if (names.length === 0 || names.some((name) => platforms[name] === undefined)) {
  process.stderr.write(`platform: it should be: bun test/platform/main.ts ${Object.keys(platforms).join('|')}...\n`);
  process.exit(2);
}
const run = Bun.spawn([process.execPath, 'test', '--timeout=300000', ...files.map((file) => join(root, file))], {
  ...{ cwd: root, stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' },
  env: { ...process.env, ...thorough },
});
process.exit(await run.exited);
