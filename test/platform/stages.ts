/** What a release has before it packs, made of any program: a stage, and the archive beside which packages are made. */

import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tarGz, zip } from '../../scripts/release/archives.ts';
import type { Stage } from '../../scripts/release/stage.ts';
import { root } from '../../scripts/steps.ts';
import { archiveName, programNameOn, targetNamed } from '../../src/core/targets.ts';

/** A program of which a package is made in no time. */
export function smallProgram(directory: string, version: string): string {
  const path = join(directory, 'small');
  writeFileSync(path, `#!/bin/sh\necho 'octaskly ${version}'\n`, { mode: 0o755 });
  return path;
}

export interface StageFacts {
  readonly program: string;
  readonly target: string;
  readonly version: string;
  /** Where packages are to be made; made when missing. */
  readonly out: string;
}

/** Its stage, with the archive in `out`. */
export async function stageOf({ program, target: name, version, out }: StageFacts): Promise<Stage> {
  const target = targetNamed(name);
  if (target === undefined) throw new Error(`there is no target ${name}`);
  const from = join(out, '.stages', name);
  const dir = join(from, `octaskly-${version}-${name}`);
  const placed = join(dir, programNameOn(target));
  mkdirSync(join(dir, 'completions'), { recursive: true });
  copyFileSync(program, placed);
  chmodSync(placed, 0o755);
  for (const file of ['LICENSE', 'README.md']) copyFileSync(join(root, file), join(dir, file));
  writeFileSync(join(dir, 'NOTICES.txt'), 'What it has of others.\n');
  for (const file of ['octaskly.bash', '_octaskly', 'octaskly.fish']) {
    writeFileSync(join(dir, 'completions', file), '# completion of octaskly\n');
  }
  const [date, level] = [new Date('2026-01-31T12:34:56Z'), 1];
  const pack = target.system === 'windows' ? zip : tarGz;
  writeFileSync(join(out, archiveName(version, target)), await pack({ from, date, level }));
  const commit = '0123456789abcdef0123456789abcdef01234567';
  return { version, commit, date, target, level, program: placed, dir };
}
