/**
 * The recorded profile: which functions and texts a start of the program uses, and in which order. Bytecode laid out in
 * that order costs less memory, since what no start uses is never read from disk.
 *
 * It is recorded with a file for this machine, from commands that do the same each time, and serves all targets: it names
 * functions by their content. The same sources give the same profile.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildFacts } from '../../src/version.ts';
import { compile } from './compile.ts';
import { hostTarget } from './runtimes.ts';

/** The most used first: where two want a place, the earlier one has it. */
const recorded: readonly (readonly string[])[] = [['--help'], ['worker', '--help'], ['version', '-o', 'json']];

/** Longest a recorded command may take, ms. */
const commandMsMax = 60_000;

/** Records the profile in files of `work`, an empty directory, and returns their paths. Throws when a command fails. */
export function recordProfile(root: string, facts: Omit<BuildFacts, 'target'>, work: string): readonly string[] {
  const out = join(work, 'recording');
  const { program } = compile({ root, target: hostTarget(), facts, profile: [], out });
  const files = recorded.map((words, index) => {
    const file = join(work, `profile-${index}`);
    const run = Bun.spawnSync([program, ...words], {
      ...{ cwd: work, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', timeout: commandMsMax },
      env: { PATH: process.env.PATH ?? '', HOME: work, BUN_BYTECODE_ORDER_OUT: file },
    });
    if (run.exitCode !== 0) throw new Error(`octaskly ${words.join(' ')} ended with ${run.exitCode}: ${run.stderr}`);
    return file;
  });
  rmSync(out, { recursive: true, force: true });
  return files;
}
