/**
 * Files for musl, run here by Debian's musl, with Debian's libstdc++ and what that lacks there (`musl-gaps.c`). For arm64
 * musl's package is fetched with a list of packages of its own, so that nothing changes on this machine; it is kept in
 * `~/.cache/octaskly-platform`.
 */

import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { reasonOf } from '../../src/base/errors.ts';
import { lacking } from './notices.ts';

export interface MuslSystem {
  /** As musl names the processor. */
  readonly name: 'x86_64' | 'aarch64';
  /** What runs its programs; nothing where that is this machine itself. */
  readonly emulator: readonly string[];
  readonly compiler: string;
  /** Directories with glibc's libstdc++ and libgcc_s. */
  readonly libraries: readonly string[];
  /** Name of glibc's dynamic linker, which those libraries ask for. */
  readonly linker: string;
}

export const muslX64: MuslSystem = {
  ...{ name: 'x86_64', emulator: [], compiler: 'gcc', linker: 'ld-linux-x86-64.so.2' },
  libraries: ['/usr/lib/x86_64-linux-gnu', '/lib/x86_64-linux-gnu'],
};

export const muslArm64: MuslSystem = {
  ...{ name: 'aarch64', emulator: ['qemu-aarch64-static'], compiler: 'aarch64-linux-gnu-gcc' },
  ...{ linker: 'ld-linux-aarch64.so.1', libraries: ['/usr/aarch64-linux-gnu/lib'] },
};

/** Why its files cannot be run here; null when they can, as far as can be said before anything is fetched. */
export function whyNoMusl({ name, emulator, compiler, libraries }: MuslSystem): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'it runs on Linux x64';
  const [directory = ''] = libraries;
  const own = name === 'x86_64';
  return lacking([
    ...[...emulator, compiler, ...(own ? [] : ['apt-get', 'dpkg'])].filter((program) => Bun.which(program) === null),
    ...gnuLibraries
      .filter((library) => inOneOf(libraries, library) === null)
      .map((library) => join(directory, library)),
    ...(own && !existsSync(ownMusl) ? [ownMusl] : []),
  ]);
}

/** Why musl's library cannot be had, of what is not on this machine and was not kept; null when it is at hand now. */
export function whyNotFetched({ name }: MuslSystem): string | null {
  if (name === 'x86_64') return null;
  try {
    fetchedMusl();
    return null;
  } catch (error) {
    return `musl cannot be fetched: ${reasonOf(error)}`;
  }
}

const gnuLibraries = ['libstdc++.so.6', 'libgcc_s.so.1'];

const ownMusl = '/usr/lib/x86_64-linux-musl/libc.so';

/** How `program` is started; what goes with it is made in `directory`. Throws when something cannot be made or fetched. */
export function onMusl(system: MuslSystem, directory: string, program: string): string[] {
  const { name, emulator, compiler, libraries, linker } = system;
  const here = join(directory, 'musl');
  mkdirSync(here);
  const musl = `libc.musl-${name}.so.1`;
  copyFileSync(name === 'x86_64' ? ownMusl : fetchedMusl(), join(here, musl));
  for (const library of ['libc.so.6', 'libm.so.6', linker]) symlinkSync(musl, join(here, library));
  for (const library of gnuLibraries) copyFileSync(inOneOf(libraries, library) ?? library, join(here, library));
  const gaps = join(here, 'gaps.so');
  const flags = ['-O2', '-shared', '-fPIC', '-nostdlib', '-ffreestanding', '-fno-stack-protector'];
  run([compiler, ...flags, '-o', gaps, join(import.meta.dir, 'musl-gaps.c')], directory);
  return [...emulator, join(here, musl), '--library-path', here, '--preload', gaps, program];
}

function inOneOf(directories: readonly string[], name: string): string | null {
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path)) ?? null;
}

/** musl's library for arm64. */
function fetchedMusl(): string {
  const kept = join(homedir(), '.cache', 'octaskly-platform', 'musl-arm64');
  const library = join(kept, 'root/lib/aarch64-linux-musl/libc.so');
  if (existsSync(library)) return library;
  const made = `${kept}.${process.pid}`;
  try {
    for (const part of ['lists/partial', 'archives/partial']) mkdirSync(join(made, part), { recursive: true });
    const options = [
      ...['APT::Architecture=arm64', 'APT::Architectures=arm64', 'APT::Sandbox::User='],
      ...[`Dir::State=${made}`, 'Dir::State::status=/dev/null', `Dir::Cache=${made}`],
    ].flatMap((option) => ['-o', option]);
    run(['apt-get', ...options, '-qq', 'update'], made);
    run(['apt-get', ...options, '-qq', 'download', 'musl'], made);
    const [debian = ''] = readdirSync(made).filter((name) => name.endsWith('.deb'));
    run(['dpkg', '-x', join(made, debian), join(made, 'root')], made);
    renameSync(made, kept);
    return library;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

function run(command: readonly string[], cwd: string): void {
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: cwd };
  const { exitCode, stderr } = Bun.spawnSync([...command], {
    cwd,
    env,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  });
  if (exitCode !== 0) throw new Error(`${command[0]} ended with ${exitCode}: ${stderr.toString().trim()}`);
}
