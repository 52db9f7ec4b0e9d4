/**
 * Further compiled files beside the one under test: the same sources under another version, and the last ones that spoke an
 * earlier protocol. Built once, kept in the directory for temporary files until the sources change.
 */

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile } from '../../scripts/release/compile.ts';
import { hostTarget } from '../../scripts/release/runtimes.ts';
import { root } from '../../scripts/steps.ts';
import { sha256OfFile } from '../../src/runtime/program-bytes.ts';
import { protocolVersion } from '../../src/wire/messages.ts';
import { executable } from './executable.ts';

const places = ['src', 'tui', 'docs', 'scripts', 'README.md', 'LICENSE', 'bun.lock', 'tsconfig.json'];

/** The sources as they are now, compiled as another version. */
export async function programOf(version: string): Promise<string> {
  const sources = (await sha256OfFile(await executable())).slice(0, 12);
  return cached(`octaskly-${version}-${sources}`, (directory) => {
    const copy = join(directory, 'sources');
    mkdirSync(copy);
    for (const place of places) cpSync(join(root, place), join(copy, place), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    const text = readFileSync(join(root, 'package.json'), 'utf8');
    writeFileSync(join(copy, 'package.json'), text.replace(/"version": "[^"]+"/, `"version": "${version}"`));
    const facts = { commit: null, releaseKey: null };
    return compile({ root: copy, target: hostTarget(), facts, profile: [], out: join(directory, 'out') }).program;
  });
}

/** The last sources that spoke the protocol before this one, compiled; null, with a notice, where they cannot be had. */
export function programBefore(): string | null {
  const wanted = protocolVersion - 1;
  try {
    const commit = lastCommitWith(wanted);
    return cached(`octaskly-protocol-${wanted}-${commit.slice(0, 12)}`, (directory) => {
      const copy = join(directory, 'sources');
      mkdirSync(copy);
      run(['sh', '-c', `git -C "$0" archive "$1" | tar -x -C "$2"`, root, commit, copy]);
      symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
      run([process.execPath, 'scripts/build.ts'], copy);
      return join(copy, 'dist', 'octaskly');
    });
  } catch (error) {
    console.warn(`not tested: the program that speaks protocol ${wanted}: ${String(error)}`);
    return null;
  }
}

/** The newest commit whose protocol is `wanted`: HEAD, or the one before the commit that changed it. Throws. */
function lastCommitWith(wanted: number): string {
  const file = 'src/wire/messages.ts';
  const spokenAt = (commit: string): number =>
    Number(/export const protocolVersion = (\d+)/.exec(run(['git', 'show', `${commit}:${file}`], root))?.[1]);
  const changed = run(['git', 'rev-list', 'HEAD', '--', file], root).trim().split('\n');
  let at = 'HEAD';
  for (const commit of changed) {
    if (spokenAt(at) === wanted) return run(['git', 'rev-parse', at], root).trim();
    at = `${commit}^`;
  }
  throw new Error('there is no such commit here; is the history complete?');
}

function run(command: readonly string[], cwd = root): string {
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', TMPDIR: tmpdir() };
  const ended = Bun.spawnSync([...command], { cwd, env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
  if (ended.exitCode === 0) return ended.stdout.toString();
  throw new Error(`${command.slice(0, 3).join(' ')} ended with ${ended.exitCode}: ${ended.stderr}`);
}

/** The file that `make` gives, kept under `name`; several processes may make it at once, and the first counts. */
function cached(name: string, make: (directory: string) => string): string {
  const file = join(tmpdir(), name);
  if (existsSync(file)) return file;
  // Of earlier sources; each has more than 100 MB. What begins with this name may just be made by another process.
  const kind = name.slice(0, name.lastIndexOf('-') + 1);
  for (const left of readdirSync(tmpdir())) {
    if (left.startsWith(kind) && !left.startsWith(name)) rmSync(join(tmpdir(), left), { recursive: true, force: true });
  }
  const directory = `${file}.${process.pid}`;
  mkdirSync(directory);
  try {
    renameSync(make(directory), file);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return file;
}
