/** What the scripts share: where the project is, and running a step of one. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dir, '..');
export const executable = join(root, 'dist', process.platform === 'win32' ? 'octaskly.exe' : 'octaskly');

/** Runs a program in the project and ends the script if it fails. Its output is the script's. */
export function step(name: string, command: readonly string[]): void {
  process.stdout.write(`\n== ${name}\n`);
  const startedAt = performance.now();
  const { exitCode } = Bun.spawnSync([...command], {
    cwd: root,
    stdout: 'inherit',
    stderr: 'inherit',
    stdin: 'ignore',
  });
  process.stdout.write(`   ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
  if (exitCode === 0) return;
  process.stdout.write(`\n${name}: ended with status ${exitCode}\n`);
  process.exit(1);
}

/** Installs the dependencies exactly as `bun.lock` names them. */
export function install(): void {
  step('install', [process.execPath, 'install', '--frozen-lockfile']);
}

/** Builds `dist/octaskly` for this host. */
export function build(): void {
  step('build', [process.execPath, join(root, 'scripts/build.ts')]);
  if (!existsSync(executable)) throw new Error(`the build left no ${executable}`);
}
