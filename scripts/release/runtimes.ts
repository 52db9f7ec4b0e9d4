/**
 * The runtimes the program is compiled with, one for each target: the packages `@oven/bun-*` that `bun.lock` names, and
 * for 32-bit ARM a Node (`armv7.ts`).
 *
 * They come through `bun install`, which checks what it downloads against the digests in `bun.lock`, and are kept. Whenever
 * one is used it is checked against `runtimes.json`, so that nothing that befell the kept file gets into a release.
 * `bun scripts/release/runtimes.ts` writes that file anew, after an update of `bun`.
 *
 * Invariant: what is handed out is a copy. The one thing changed in Bun's is the name of the variable that would turn a
 * compiled file back into the bare runtime, which runs any script: no variable has that meaning any more.
 */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Target, targetNamed, targets } from '../../src/core/targets.ts';
import { root } from '../steps.ts';
import { sha256 } from './digest.ts';
import pins from './runtimes.json' with { type: 'json' };

/** The variable that makes a compiled file behave as the bare runtime, and what takes its place: no shell can set it. */
export const switchName = 'BUN_BE_BUN';
const switchOff = '\x01UN_BE_BUN';

/** Longest that fetching one may take, ms. */
const fetchMsMax = 15 * 60_000;

const pinnedDigests: Readonly<Record<string, string | undefined>> = pins.sha256;

/** The package of the runtime for a target, as its registry names it, and its version. */
export function packageOf({ name, runtime }: Target): readonly [name: string, version: string] {
  if (runtime === 'node') return [`node-${name}l`, pins.node];
  return [`@oven/bun-${name.replace('arm64', 'aarch64')}`, pins.bun];
}

function programIn(packages: string, target: Target): string {
  const [name] = packageOf(target);
  return join(packages, name, 'bin', target.system === 'windows' ? `${target.runtime}.exe` : target.runtime);
}

/** Where runtimes are kept between releases; it may be removed at any time. */
function keptDirectory(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'octaskly-release', `bun-${pins.bun}`);
}

/** The target of this machine. Throws where nothing is built for it. */
export function hostTarget(): Target {
  const { platform, arch } = process;
  const loaders = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'];
  const names: Partial<Record<NodeJS.Platform, string>> = {
    linux: loaders.some((loader) => existsSync(loader)) ? `linux-${arch}` : `linux-${arch}-musl`,
    android: `linux-${arch}-android`,
    win32: `windows-${arch}`,
  };
  const name = names[platform] ?? `${platform}-${arch}`;
  const target = targetNamed(name);
  if (target !== undefined) return target;
  throw new Error(`nothing is built for ${name}; there are ${targets.map((each) => each.name).join(', ')}`);
}

/**
 * Writes the runtime for a target to `file`, without the switch. It is the one that runs this, or one that is kept, else it
 * is fetched. Throws when it cannot be had, or is not the one that is pinned.
 */
export function provideRuntime(target: Target, file: string): void {
  const bytes = runningAs(target) ?? checked(target, readFileSync(keptOf(target)));
  if (target.runtime === 'bun') switchOffIn(bytes, target.name);
  writeFileSync(file, bytes, { mode: 0o755 });
}

/** The runtime that runs this, when it is the one for the target: nothing need be fetched to build for this machine. */
function runningAs(target: Target): Buffer | null {
  const bytes = readFileSync(process.execPath);
  return sha256(bytes) === pinnedDigests[target.name] ? bytes : null;
}

function keptOf(target: Target): string {
  const kept = programIn(join(keptDirectory(), target.name, 'node_modules'), target);
  if (!existsSync(kept)) fetchRuntime(target, join(keptDirectory(), target.name));
  return kept;
}

function checked(target: Target, bytes: Buffer): Buffer {
  const is = sha256(bytes);
  const should = pinnedDigests[target.name];
  if (is === should) return bytes;
  throw new Error(
    `the runtime for ${target.name} is not ${packageOf(target).join(' ')} as pinned: its SHA-256 is ${is}, it should be ${should ?? 'pinned'}; ` +
      `remove ${keptDirectory()}, or after an update of bun run: bun scripts/release/runtimes.ts`,
  );
}

/** Throws where the name does not stand exactly once: then it is not known what it means. */
export function switchOffIn(bytes: Buffer, name: string): void {
  const at = bytes.indexOf(switchName, 0, 'latin1');
  if (at < 0 || bytes.indexOf(switchName, at + 1, 'latin1') >= 0) {
    throw new Error(`the runtime for ${name} should name ${switchName} once, and does not`);
  }
  bytes.write(switchOff, at, 'latin1');
}

/** Has `bun install` put the package of one runtime into `directory`, as the project's `bun.lock` has it. */
function fetchRuntime(target: Target, directory: string): void {
  const [name, version] = packageOf(target);
  const entry = readFileSync(join(root, 'bun.lock'), 'utf8')
    .split('\n')
    .find((line) => line.trimStart().startsWith(`"${name}": [`))
    // A processor that Bun does not know (armv7l) would keep it from being installed anywhere.
    ?.replace('"cpu": "none", ', '');
  if (entry === undefined) throw new Error(`bun.lock should name ${name}, the runtime for ${target.name}`);
  mkdirSync(keptDirectory(), { recursive: true, mode: 0o700 });
  const work = mkdtempSync(join(keptDirectory(), '.fetch-'));
  try {
    const manifest = { name: 'runtime', optionalDependencies: { [name]: version } };
    const lock = { lockfileVersion: 2, configVersion: 1, workspaces: { '': manifest } };
    writeFileSync(join(work, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(work, 'bun.lock'), `${JSON.stringify(lock).slice(0, -1)},"packages":{\n${entry}\n}}\n`);
    const everywhere = ['--os=*', '--cpu=*', '--libc=*'];
    const install = Bun.spawnSync(
      [process.execPath, 'install', '--frozen-lockfile', '--ignore-scripts', '--backend=copyfile', ...everywhere],
      { cwd: work, env: environment(), stdin: 'ignore', stdout: 'pipe', stderr: 'pipe', timeout: fetchMsMax },
    );
    if (install.exitCode !== 0 || !existsSync(programIn(join(work, 'node_modules'), target))) {
      throw new Error(`cannot fetch ${name} ${version}: ${install.stderr.toString().trim() || 'nothing came'}`);
    }
    rmSync(directory, { recursive: true, force: true });
    renameSync(work, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What of this process's environment a package client may need: where it keeps things, and how it reaches its registry. */
function environment(): Record<string, string> {
  const wanted = /^(?:PATH|HOME|TMPDIR|XDG_.*|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|(?:https?|no)_proxy|npm_config_.*)$/i;
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      wanted.test(name) && value !== undefined ? [[name, value]] : [],
    ),
  );
}

if (import.meta.main) {
  const digests = targets.map((target) => [target.name, sha256(readFileSync(keptOf(target)))]);
  const text = JSON.stringify({ bun: Bun.version, node: pins.node, sha256: Object.fromEntries(digests) }, null, 2);
  await Bun.write(join(import.meta.dir, 'runtimes.json'), `${text}\n`);
}
