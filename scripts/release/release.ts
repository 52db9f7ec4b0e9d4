/**
 * Makes a release directory: for each target the program compiled, inspected, staged and packed; then the bill, the maps,
 * the scripts, the sums, the manifest and its signature.
 *
 * Invariants: nothing in it depends on when or where it was made, only on the sources, the commit and the key. The directory
 * appears whole or not at all.
 */

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import {
  manifestFile,
  type ReleaseFile,
  type ReleaseManifest,
  signatureFile,
} from '../../src/core/release-manifest.ts';
import { archiveName, programNameOn, type Target } from '../../src/core/targets.ts';
import { protocolVersion, protocolVersionMin } from '../../src/wire/messages.ts';
import { tarGz, zip } from './archives.ts';
import { billOf, noticesOf, packagesOf, runtimePackage } from './bill.ts';
import { builders } from './builders.ts';
import { sha256 } from './digest.ts';
import { inspect, problemsFor } from './inspect.ts';
import { bakeInstallScripts } from './install-scripts.ts';
import type { ReleaseKey } from './key.ts';
import { formula, formulaFile } from './packages/formula.ts';
import { packageMakers } from './packages/makers.ts';
import { recordProfile } from './profile.ts';
import { readmeAlone } from './readme.ts';
import { packageOf } from './runtimes.ts';
import type { Source } from './source.ts';
import type { MadeFile, Stage } from './stage.ts';

export const sumsFile = 'SHA256SUMS';
export const publicKeyFile = 'release.pub.pem';

export interface ReleaseOptions {
  readonly source: Source;
  readonly version: string;
  readonly targets: readonly Target[];
  readonly key: ReleaseKey;
  /** The directory to be made; one that is there is replaced. */
  readonly out: string;
  /** Where it will be had, without a slash at the end, for the install scripts; `null` when they are to be told. */
  readonly base: string | null;
  /** Of compression, 1 (fast) … 9 (small). */
  readonly level: number;
  /** Names of the makers of packages that are wanted; their tools are here. */
  readonly packages: readonly string[];
  readonly say: (line: string) => void;
}

/** A release as it is being made. */
interface Making extends ReleaseOptions {
  /** Where its files gather. */
  readonly files: string;
  /** For everything else. */
  readonly work: string;
  readonly made: ReleaseFile[];
  readonly profile: readonly string[];
  readonly inputs: Set<string>;
}

/** Makes the release and returns its manifest. Throws when anything is not as it should be, and leaves nothing then. */
export async function makeRelease(options: ReleaseOptions): Promise<ReleaseManifest> {
  refuseStrange(options.out);
  mkdirSync(dirname(options.out), { recursive: true });
  removeLeftovers(dirname(options.out));
  const work = mkdtempSync(join(dirname(options.out), `.release-${process.pid}-`));
  try {
    const files = join(work, 'files');
    mkdirSync(files);
    mkdirSync(join(work, 'maps'));
    const { source, key, targets } = options;
    const compiled = targets.some(({ runtime }) => runtime === 'bun');
    const facts = { commit: source.commit, releaseKey: key.publicKey };
    const profile = compiled ? recordProfile(source.root, facts, work) : [];
    const making: Making = { ...options, files, work, made: [], profile, inputs: new Set() };
    for (const target of targets) await packStage(making, await makeProgram(making, target));
    await makeCommonFiles(making);
    const manifest = writeManifest(making);
    rmSync(options.out, { recursive: true, force: true });
    renameSync(files, options.out);
    return manifest;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Removes what runs that were killed left in `directory`: hundreds of megabytes each. */
export function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory)) {
    const [, pid] = /^\.(?:release|elsewhere)-(\d+)-/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(directory, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** What is replaced is a release, or nothing: a mistaken `--out` must not cost anybody a directory. */
function refuseStrange(out: string): void {
  if (!existsSync(out) || readdirSync(out).length === 0 || existsSync(join(out, manifestFile))) return;
  throw new Error(`${out} should be empty, or an earlier release to be replaced: it has no ${manifestFile}`);
}

/** Compiles the program, and looks at it; it lies in its stage then. */
async function makeProgram(making: Making, target: Target): Promise<Stage> {
  const { source, version, key, level, work, say } = making;
  const startedAt = performance.now();
  const out = join(work, target.name);
  const facts = { commit: source.commit, releaseKey: key.publicKey };
  const built = await builders[target.runtime].build({
    root: source.root,
    target,
    facts,
    profile: making.profile,
    out,
  });
  const bytes = readFileSync(built.program);
  const found = inspect(bytes);
  const problems = problemsFor(target, found);
  if (built.maps !== null) problems.push(...problemsWithMaps(built.maps, found.debugIds));
  if (problems.length > 0)
    throw new Error(`the program for ${target.name} is not as it should be: ${problems.join('; ')}`);
  for (const input of built.inputs) making.inputs.add(input);
  if (built.maps !== null) renameSync(built.maps, join(work, 'maps', target.name));
  const dir = join(work, 'stages', target.name, `octaskly-${version}-${target.name}`);
  const program = join(dir, programNameOn(target));
  mkdirSync(dir, { recursive: true });
  renameSync(built.program, program);
  chmodSync(program, 0o755);
  writeFileSync(join(dir, 'NOTICES.txt'), noticesOf(packagesOf(source.root, built.inputs)));
  const file = `octaskly-${version}-${target.name}${target.system === 'windows' ? '.exe' : ''}`;
  making.made.push({ file, kind: 'program', target: target.name, bytes: bytes.length, sha256: sha256(bytes) });
  say(`${target.name}: ${megabytes(bytes.length)} in ${secondsSince(startedAt)}`);
  return { version, commit: source.commit, date: source.date, target, level, program, dir };
}

/** A stack trace is read by the map whose id its script has: each script has one, and each map its script. */
function problemsWithMaps(maps: string, debugIds: readonly string[]): string[] {
  const ids = [...new Bun.Glob('*.map').scanSync(maps)].map(
    (file) => (JSON.parse(readFileSync(join(maps, file), 'utf8')) as { debugId: string }).debugId,
  );
  const known = new Set(ids);
  const there = new Set(debugIds);
  const without = debugIds.filter((id) => !known.has(id));
  const astray = ids.filter((id) => !there.has(id));
  return [
    ...(without.length > 0 ? [`${without.length} of its scripts have no source map`] : []),
    ...(astray.length > 0 ? [`${astray.length} source maps belong to none of its scripts`] : []),
  ];
}

/** Packs what a target has: the archive, and the packages for people. */
async function packStage(making: Making, stage: Stage): Promise<void> {
  const { source, version, files, level, say } = making;
  const { target, dir, date } = stage;
  const startedAt = performance.now();
  cpSync(join(source.root, 'LICENSE'), join(dir, 'LICENSE'));
  writeFileSync(join(dir, 'README.md'), readmeAlone(readFileSync(join(source.root, 'README.md'), 'utf8')));
  writeCompletions(source.root, join(dir, 'completions'));
  const file = archiveName(version, target);
  const pack = target.system === 'windows' ? zip : tarGz;
  const bytes = await pack({ from: dirname(dir), date, level });
  writeFileSync(join(files, file), bytes);
  take(making, { file, kind: 'archive', target: target.name });
  say(`${file}: ${megabytes(bytes.length)} in ${secondsSince(startedAt)}`);
  makePackages(making, stage);
}

/** The wanted packages that are for this target. */
function makePackages(making: Making, stage: Stage): void {
  const { files, packages, say } = making;
  for (const maker of packageMakers) {
    if (!packages.includes(maker.name) || !maker.isFor(stage.target)) continue;
    const startedAt = performance.now();
    for (const each of maker.make(stage, files)) {
      take(making, each);
      say(`${each.file}: ${megabytes(statSync(join(files, each.file)).size)} in ${secondsSince(startedAt)}`);
    }
  }
}

const completionFiles = { bash: 'octaskly.bash', zsh: '_octaskly', fish: 'octaskly.fish' } as const;

function writeCompletions(root: string, directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const [shell, file] of Object.entries(completionFiles)) {
    const run = Bun.spawnSync([process.execPath, join(root, 'src/main.ts'), 'completion', shell], {
      ...{ cwd: root, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' },
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' },
    });
    if (run.exitCode !== 0) throw new Error(`octaskly completion ${shell} ended with ${run.exitCode}: ${run.stderr}`);
    writeFileSync(join(directory, file), run.stdout);
  }
}

/** What is there once, for all targets. */
async function makeCommonFiles(making: Making): Promise<void> {
  const { source, version, files, work, key, level, targets, base } = making;
  const write = (file: string, kind: ReleaseFile['kind'], content: Uint8Array | string, mode = 0o644): void => {
    writeFileSync(join(files, file), content, { mode });
    take(making, { file, kind, target: null });
  };
  const packages = packagesOf(source.root, making.inputs);
  const runtimes = targets.map((target) => runtimePackage(...packageOf(target)));
  write(`octaskly-${version}.cdx.json`, 'bill', billOf(source, version, packages, runtimes));
  const maps = await tarGz({ from: join(work, 'maps'), date: source.date, level });
  write(`octaskly-${version}-maps.tar.gz`, 'text', maps);
  write(publicKeyFile, 'text', key.publicPem);
  const brew = formula({ version, base, files: making.made });
  if (brew !== null) write(formulaFile, 'package', brew);
  const scripts = await bakeInstallScripts({ key: key.publicKey, version, ...(base === null ? {} : { base }) });
  for (const [file, text] of Object.entries(scripts)) write(file, 'installer', text, 0o755);
}

/** Takes a file that lies with the others into the manifest. */
function take({ files, made }: Making, { file, kind, target }: MadeFile): void {
  const bytes = readFileSync(join(files, file));
  made.push({ file, kind, target, bytes: bytes.length, sha256: sha256(bytes) });
}

/** Writes manifest, signature and sums: the last three files. */
function writeManifest({ source, version, key, files, made }: Making): ReleaseManifest {
  const manifest: ReleaseManifest = {
    ...{ name: 'octaskly', version, commit: source.commit, date: source.date.toISOString() },
    protocol: { min: protocolVersionMin, max: protocolVersion },
    files: made.toSorted((a, b) => (a.file < b.file ? -1 : 1)),
  };
  const bytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(join(files, manifestFile), bytes);
  const signature = key.sign(bytes);
  if (signature !== null) writeFileSync(join(files, signatureFile), signature);
  // Of every file that lies here, so that `sha256sum -c SHA256SUMS` says whether all of them arrived.
  const names = [...new Bun.Glob('*').scanSync(files)].sort();
  const sums = names.map((name) => `${sha256(readFileSync(join(files, name)))}  ${name}\n`);
  writeFileSync(join(files, sumsFile), sums.join(''));
  return manifest;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function secondsSince(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}
