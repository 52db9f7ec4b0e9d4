/**
 * The compiled file under test: `dist/octaskly`, built when it is missing or older than what it is built from; or the
 * file named by OCTASKLY_TEST_EXECUTABLE, as it is. Test files run in several processes: one builds, the others wait.
 */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { executable as built, root } from '../../scripts/steps.ts';
import { acquireLock } from '../../src/runtime/lock.ts';

/** Longest a build by another process is waited for. */
const buildMsMax = 120_000;

const sources = ['src', 'tui', 'scripts/build.ts', 'scripts/release', 'scripts/steps.ts', 'package.json', 'bun.lock'];

let known: string | null = null;

/** Path of the file, ready to be started. Throws when it cannot be built. */
export async function executable(): Promise<string> {
  known ??= process.env.OCTASKLY_TEST_EXECUTABLE ?? (await buildIfOlder());
  return known;
}

async function buildIfOlder(): Promise<string> {
  const file = join(tmpdir(), `octaskly-build-${Bun.hash(root).toString(16)}.lock`);
  const deadline = performance.now() + buildMsMax;
  let lock = acquireLock(file);
  while (lock === null) {
    if (performance.now() > deadline) throw new Error(`another process holds ${file} and builds for too long`);
    await Bun.sleep(100);
    lock = acquireLock(file);
  }
  try {
    const newest = Math.max(...sources.map((source) => newestUnder(join(root, source))));
    if (existsSync(built) && statSync(built).mtimeMs >= newest) return built;
    const build = Bun.spawnSync([process.execPath, join(root, 'scripts/build.ts')], { cwd: root });
    if (build.exitCode !== 0) throw new Error(`the build failed: ${build.stderr.toString()}`);
    return built;
  } finally {
    lock.release();
  }
}

/** Time of the last change of a file, or of any file below a directory, ms since 1970; 0 when there is none. */
function newestUnder(path: string): number {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newestUnder(join(path, name))));
}
