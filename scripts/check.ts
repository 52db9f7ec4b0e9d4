/**
 * Everything that must hold before a change lands: installs, type-checks, lints, builds, tests. The last line says
 * `N passed, N failed`; the exit status is 0 only when nothing failed.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { boundProcesses } from './bounded.ts';
import { build, install, root } from './steps.ts';
import { testPrograms } from './test-programs.ts';

/** Longest a single test may take, ms: processes are started, killed and waited for on slow machines too. */
const testTimeoutMs = 120_000;

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const tally: Tally = { passed: 0, failed: 0, skipped: 0 };

async function run(name: string, command: readonly string[]): Promise<{ exitCode: number; output: string }> {
  process.stdout.write(`\n== ${name}\n`);
  const startedAt = performance.now();
  const child = Bun.spawn([...command], { cwd: root, stdout: 'pipe', stderr: 'pipe', stdin: 'ignore' });
  let output = '';
  const copy = async (from: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of from) {
      process.stdout.write(chunk);
      output += decoder.decode(chunk, { stream: true });
    }
  };
  await Promise.all([copy(child.stdout), copy(child.stderr)]);
  const exitCode = await child.exited;
  process.stdout.write(`   ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
  return { exitCode, output };
}

/** A check that either holds or does not. */
async function check(name: string, command: readonly string[]): Promise<void> {
  const { exitCode } = await run(name, command);
  if (exitCode === 0) tally.passed += 1;
  else tally.failed += 1;
}

/**
 * Tests that let fork bombs loose run by themselves: beside others on a busy machine a bomb may grow faster than it is
 * found, and what it takes the others lack.
 */
const aloneTests = ['test/integration/limits.test.ts', 'test/e2e/hostile.test.ts'];

/** Test files run beside each other: most of their time they wait. */
const atOnce = 3;

/** Adds up what `bun test` says at its end; a run that fails without saying so counts as one failure. */
async function tests(name: string, args: readonly string[]): Promise<void> {
  const bounded = boundProcesses();
  const command = [process.execPath, 'test', `--timeout=${testTimeoutMs}`, '--dots', ...args];
  const { exitCode, output } = await run(name, bounded.within(command));
  bounded.end();
  const count = (word: string): number =>
    Number([...output.matchAll(new RegExp(`^ *(\\d+) ${word}$`, 'gm'))].at(-1)?.[1] ?? 0);
  const failed = count('fail');
  tally.passed += count('pass');
  tally.skipped += count('skip');
  tally.failed += failed === 0 && exitCode !== 0 ? 1 : failed;
}

/** Installs what tests need from Debian's packages, where that is possible: as root, with apt. */
async function provideTestPrograms(): Promise<void> {
  const isMissing = (name: string) => (name.startsWith('/') ? !existsSync(name) : Bun.which(name) === null);
  const programs = Object.entries(testPrograms).filter(([name]) => isMissing(name));
  const missing = programs.flatMap(([, debian]) => debian.split(' '));
  if (missing.length === 0 || process.getuid?.() !== 0 || Bun.which('apt-get') === null) return;
  await run('update packages', ['apt-get', 'update', '-qq']);
  await run('install packages', ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...missing]);
}

install();
await provideTestPrograms();
const bin = (name: string): string => join(root, 'node_modules/.bin', name);
await check('types', [bin('tsc'), '--noEmit', '-p', root]);
await check('lint', [bin('biome'), 'check', '--error-on-warnings', root]);
build();
tally.passed += 1;
await tests('test', [`--parallel=${atOnce}`, ...aloneTests.map((path) => `--path-ignore-patterns=${path}`)]);
await tests('test alone', aloneTests);
const { passed, failed, skipped } = tally;
process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exit(failed === 0 ? 0 : 1);
