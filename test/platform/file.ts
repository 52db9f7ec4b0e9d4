/**
 * The compiled file for another target, under test: built anew for each run from the sources as they are, without the
 * release's profile and key, which change nothing of what it does.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile } from '../../scripts/release/compile.ts';
import { root } from '../../scripts/steps.ts';
import { targetNamed } from '../../src/core/targets.ts';

export interface PlatformFile {
  readonly path: string;
  /** How it is started here. */
  readonly command: readonly string[];
  close(): void;
}

/**
 * Compiles the file for a target of Bun's. `through`: how it is started here, given a directory that goes with it. Throws
 * what the compiler said, or that its runtime cannot be had.
 */
export function openFile(
  name: string,
  through: (program: string, directory: string) => readonly string[] = (program) => [program],
): PlatformFile {
  const target = targetNamed(name);
  if (target?.runtime !== 'bun') throw new Error(`${name} is no target of Bun's`);
  const directory = mkdtempSync(join(tmpdir(), 'octaskly-platform-'));
  const close = () => rmSync(directory, { recursive: true, force: true });
  try {
    const facts = { commit: null, releaseKey: null };
    const { program } = compile({ root, target, facts, profile: [], out: join(directory, 'out') });
    return { path: program, command: through(program, directory), close };
  } catch (error) {
    close();
    throw error;
  }
}
