/**
 * Builds the one file: `dist/octaskly` for this host.
 *
 * The file reads no `.env`, `bunfig.toml` or `package.json` of the folder it is started in, and runs no code that is not
 * in it. `--splitting` keeps subcommands apart, so that only what a command needs is loaded; bytecode saves parsing.
 */

import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { version } from '../src/version.ts';
import { executable as outfile, root } from './steps.ts';

const dist = join(root, 'dist');

const flags = [
  '--compile',
  '--minify',
  '--bytecode',
  '--format=esm',
  '--splitting',
  '--sourcemap=linked',
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  '--no-compile-autoload-tsconfig',
  '--no-compile-autoload-package-json',
  '--compile-exec-argv=--disallow-code-generation-from-strings=strict',
  // Paths of the machine it was built on have no place in the file.
  '--define',
  '__dirname=""',
];

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const startedAt = performance.now();
const build = Bun.spawnSync([process.execPath, 'build', ...flags, join(root, 'src/main.ts'), '--outfile', outfile], {
  cwd: root,
  stdout: 'pipe',
  stderr: 'pipe',
});
if (build.exitCode !== 0) {
  process.stderr.write(build.stdout);
  process.stderr.write(build.stderr);
  process.stderr.write(`build: bun build ended with status ${build.exitCode}\n`);
  process.exit(1);
}
// The maps tell where a stack trace points; they are not part of the file.
mkdirSync(join(dist, 'maps'));
for (const map of new Bun.Glob('*.map').scanSync(dist)) renameSync(join(dist, map), join(dist, 'maps', map));
const megabytes = (statSync(outfile).size / 1e6).toFixed(1);
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
process.stdout.write(
  `dist/octaskly ${version} for ${process.platform}-${process.arch}: ${megabytes} MB, built in ${seconds} s\n`,
);
