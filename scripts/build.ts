/**
 * Builds the one file: `dist/octaskly` for this host, with the maps of its sources in `dist/maps`. It trusts no release, as
 * only a release has a key: see `scripts/release/main.ts`.
 */

import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { version } from '../src/version.ts';
import { compile } from './release/compile.ts';
import { hostTarget } from './release/runtimes.ts';
import { changedFiles, sourceIn } from './release/source.ts';
import { executable, root } from './steps.ts';

const dist = dirname(executable);
mkdirSync(dist, { recursive: true });
// Beside its place: renamed there, it is never seen half-written.
const work = mkdtempSync(join(dist, '.build-'));
try {
  const startedAt = performance.now();
  const target = hostTarget();
  // With changes of one's own it is not what the commit is.
  const commit = changedFiles(root).length === 0 ? (sourceIn(root)?.commit ?? null) : null;
  const facts = { commit, releaseKey: null };
  const { program, maps } = compile({ root, target, facts, profile: [], out: work });
  rmSync(join(dist, 'maps'), { recursive: true, force: true });
  renameSync(maps, join(dist, 'maps'));
  renameSync(program, executable);
  const megabytes = (statSync(executable).size / 1e6).toFixed(1);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`dist/octaskly ${version} for ${target.name}: ${megabytes} MB, built in ${seconds} s\n`);
} catch (error) {
  process.stderr.write(`build: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
