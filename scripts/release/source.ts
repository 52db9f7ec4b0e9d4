/** What is built: a tree of sources, and the commit it stands for. */

import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

export interface Source {
  /** The project's directory. */
  readonly root: string;
  /** 40 hexadecimal digits. */
  readonly commit: string;
  /** The time of the commit: the only time that gets into a release. */
  readonly date: Date;
}

function git(root: string, ...words: readonly string[]): string | null {
  if (Bun.which('git') === null) return null;
  const { exitCode, stdout } = Bun.spawnSync(['git', '-C', root, ...words], {
    ...{ env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }, stderr: 'ignore' },
  });
  return exitCode === 0 ? stdout.toString().trim() : null;
}

/** The tree in `root` as its last commit; `null` where it is not the root of a git checkout that has one. */
export function sourceIn(root: string): Source | null {
  if (git(root, 'rev-parse', '--show-prefix') !== '') return null;
  const [commit = '', seconds = ''] = git(root, 'log', '-1', '--format=%H %ct')?.split(' ') ?? [];
  return /^[0-9a-f]{40}$/.test(commit) ? { root, commit, date: new Date(Number(seconds) * 1000) } : null;
}

/** All that a release is made from; tests, for one, are not. */
const parts = ['src', 'tui', 'docs', 'scripts', 'package.json', 'bun.lock', 'tsconfig.json', 'LICENSE', 'README.md'];

/** What of the tree gets into a release and is not as the commit has it, or not in it at all. */
export function changedFiles(root: string): readonly string[] {
  return (git(root, 'status', '--porcelain', '--', ...parts) ?? '').split('\n').filter((line) => line !== '');
}

/** Where the installed packages really lie, when that is not in the tree: the compiler follows links, and writes down paths. */
export function packagesElsewhere(root: string): string | null {
  const packages = join(root, 'node_modules');
  if (!existsSync(packages)) return null;
  const place = realpathSync(packages);
  return place === join(realpathSync(root), 'node_modules') ? null : place;
}

/** Copies what git would take in of the tree in `root` to the empty directory `to`: the tree as it lies there. */
export async function copySources(root: string, to: string): Promise<void> {
  const listed = git(root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard');
  if (listed === null) throw new Error(`${root} should be a git checkout`);
  for (const file of listed.split('\0').filter((each) => each !== '')) {
    const from = Bun.file(join(root, file));
    if (await from.exists()) await Bun.write(join(to, file), from);
  }
}
