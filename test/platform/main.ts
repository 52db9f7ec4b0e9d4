/** `bun test/platform/main.ts [NAME...]`: the tests of other platforms in full, which in `bun test` are short or left out. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../scripts/steps.ts';
import { choose, usage } from './names.ts';
import { thorough } from './thorough.ts';

const names = process.argv.slice(2);
if (names.includes('--help') || names.includes('-h')) {
  process.stdout.write(`${usage}\n`);
  process.exit(0);
}
const chosen = choose(names);
if (typeof chosen === 'string') {
  process.stderr.write(`platforms: ${chosen}\n`);
  process.exit(2);
}
const paths = chosen.files.map((file) => join(root, 'test/platform', file));
// In one place, so that what an interrupted run leaves is removed too: hundreds of MB.
const directory = mkdtempSync(join(tmpdir(), 'octaskly-platforms-'));
const run = Bun.spawn([process.execPath, 'test', '--timeout=300000', ...paths], {
  ...{ cwd: root, stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' },
  env: { ...process.env, TMPDIR: directory, ...thorough(chosen.targets) },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => run.kill(signal));
const status = await run.exited;
rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
process.exit(status);
