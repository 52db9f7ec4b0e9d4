/** Building a second time, elsewhere, and comparing: whether a release depends on nothing but its sources. */

import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../../src/core/targets.ts';
import { copySources, type Source } from './source.ts';

export interface ElsewhereOptions {
  readonly source: Source;
  readonly targets: readonly Target[];
  /** The key, or the public half of it. */
  readonly keyPath: string;
  readonly level: number;
  /** Names of the packages that are made. */
  readonly packages: readonly string[];
  readonly base: string | null;
  /** An empty directory, made when missing: the copy is in `sources`, the release in `release`. */
  readonly directory: string;
}

/** Copies the sources, installs their packages, and makes the release from there. Returns its directory. */
export async function releaseElsewhere({
  base,
  source,
  targets,
  keyPath,
  level,
  packages,
  directory,
}: ElsewhereOptions): Promise<string> {
  const copy = join(directory, 'sources');
  const release = join(directory, 'release');
  mkdirSync(copy, { recursive: true });
  await copySources(source.root, copy);
  run(copy, ['install', '--frozen-lockfile', '--ignore-scripts']);
  const origin = ['--commit', source.commit, '--date', source.date.toISOString()];
  const wanted = ['--targets', targets.map(({ name }) => name).join(','), '--level', String(level)];
  wanted.push('--packages', packages.join(',') || 'none');
  if (base !== null) wanted.push('--base', base);
  run(copy, ['scripts/release/main.ts', ...origin, ...wanted, '--key', keyPath, '--out', release]);
  return release;
}

function run(cwd: string, words: readonly string[]): void {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OCTASKLY_')));
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, ...words], {
    ...{ cwd, env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' },
  });
  if (exitCode !== 0) throw new Error(`bun ${words[0]} in ${cwd} ended with ${exitCode}: ${stdout}${stderr}`);
}

/** Names of the files in which two directories differ, sorted; of those in one of them alone too. */
export function differences(one: string, other: string): string[] {
  const ours = readdirSync(one);
  const theirs = readdirSync(other);
  const names = [...new Set([...ours, ...theirs])].sort();
  return names.filter((name) => {
    if (!ours.includes(name) || !theirs.includes(name)) return true;
    return !readFileSync(join(one, name)).equals(readFileSync(join(other, name)));
  });
}
