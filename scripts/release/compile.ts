/**
 * Compiles the program for one target: the flags, and all that is written into the file. `scripts/build.ts` and releases
 * both build by this.
 *
 * The file reads no `.env`, `bunfig.toml` or `package.json` of the folder it is started in, and runs no code that is not
 * in it. `--splitting` keeps subcommands apart, so that only what a command needs is loaded; bytecode saves parsing.
 *
 * Invariant: the same sources, facts and profile give the same bytes, wherever they lie and whenever they are built.
 */

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { programNameOn, type Target } from '../../src/core/targets.ts';
import type { BuildFacts } from '../../src/version.ts';
import { checkSignature, sign } from './macho-signature.ts';
import { provideRuntime } from './runtimes.ts';

export interface CompileOptions {
  /** The project's directory, its packages installed. */
  readonly root: string;
  readonly target: Target;
  readonly facts: Omit<BuildFacts, 'target'>;
  /** Files of recorded runs, which lay out the bytecode: what is used together lies together. */
  readonly profile: readonly string[];
  /** An empty directory, made when missing. */
  readonly out: string;
}

export interface Compiled {
  /** Path of the program. */
  readonly program: string;
  /** Directory of its source maps, the only thing in it; `null` when there are none. */
  readonly maps: string | null;
  /** Files of the project that were bundled, relative to its directory. */
  readonly inputs: readonly string[];
}

/** Names of the sources that the build replaces, and the JavaScript it puts there: see `src/version.ts`. */
export function definitions(facts: BuildFacts): Readonly<Record<string, string>> {
  return { OCTASKLY_BUILD: JSON.stringify(facts) };
}

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
  '--define=__dirname=""',
];

/** Compiles the program. Throws with what the compiler said when it fails. */
export function compile({ root, target, facts, profile, out }: CompileOptions): Compiled & { readonly maps: string } {
  const pinned = readFileSync(join(root, 'package.json'), 'utf8').match(/"bun": "([\d.]+)"/)?.[1];
  if (Bun.version !== pinned)
    throw new Error(`this is Bun ${Bun.version}, it should be ${pinned}: use node_modules/.bin/bun`);
  const maps = join(out, 'maps');
  const program = join(out, programNameOn(target));
  const runtime = join(out, 'runtime');
  const metafile = join(out, 'meta.json');
  mkdirSync(maps, { recursive: true });
  provideRuntime(target, runtime);
  const facing = [`--target=bun-${target.name}`, `--compile-executable-path=${runtime}`];
  const defined = Object.entries(definitions({ ...facts, target: target.name }));
  const written = [
    ...defined.map(([name, value]) => `--define=${name}=${value}`),
    ...profile.map((file) => `--bytecode-order=${file}`),
  ];
  const command = [process.execPath, 'build', ...flags, ...facing, ...written];
  const build = Bun.spawnSync(
    [...command, `--metafile=${metafile}`, join(root, 'src/main.ts'), `--outfile=${program}`],
    {
      ...{ cwd: root, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' },
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', TMPDIR: process.env.TMPDIR ?? '/tmp' },
    },
  );
  rmSync(runtime, { force: true });
  if (build.exitCode !== 0) {
    throw new Error(`bun build for ${target.name} ended with ${build.exitCode}: ${build.stdout}${build.stderr}`);
  }
  // The maps tell where a stack trace points; the file has them too.
  for (const map of new Bun.Glob('*.map').scanSync(out)) renameSync(join(out, map), join(maps, basename(map)));
  if (target.system === 'darwin') signWhereNeeded(program);
  const { inputs } = JSON.parse(readFileSync(metafile, 'utf8')) as { inputs: Record<string, unknown> };
  rmSync(metafile);
  return { program, maps, inputs: Object.keys(inputs) };
}

/** Bun signs what it compiles for Apple's own processors, and leaves the runtime's broken signature for the others. */
function signWhereNeeded(program: string): void {
  const bytes = readFileSync(program);
  if (checkSignature(bytes).problems.length > 0) writeFileSync(program, sign(bytes, 'octaskly'));
}
