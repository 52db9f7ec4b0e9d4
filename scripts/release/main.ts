/**
 * `bun run release`: everything that people get of a version, in `dist/release`. What it makes is told in
 * `docs/RELEASE.md`; how, in `release.ts`.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { reasonOf } from '../../src/base/errors.ts';
import { signatureFile } from '../../src/core/release-manifest.ts';
import { type Target, targetNamed, targets } from '../../src/core/targets.ts';
import { version } from '../../src/version.ts';
import { root } from '../steps.ts';
import { missingFor } from './builders.ts';
import { keyFile, openKey } from './key.ts';
import { packageMakers } from './packages/makers.ts';
import { makeRelease, type ReleaseOptions } from './release.ts';
import { differences, releaseElsewhere } from './reproducible.ts';
import { changedFiles, type Source, sourceIn } from './source.ts';

const usage = `bun run release [OPTION]...

  --targets A,B         what to build for (default: all)
                        ${targets.map(({ name }) => name).join(', ')}
  --key FILE            the Ed25519 key that signs, as PEM; made when missing. With its public half alone nothing is signed
                        (default: OCTASKLY_RELEASE_KEY_FILE, else ~/.config/octaskly/release.pem)
  --base URL            where the release will be had; the install scripts look there unless told otherwise
  --out DIR             the directory to make (default: dist/release)
  --level N             of compression, 1 (fast) to 9 (small, default)
  --packages A,B        of ${packageMakers.map(({ name }) => name).join(', ')}, or none (default: all whose tools are here)
  --dirty               also when files are changed since the commit
  --check-reproducible  make it a second time from a copy elsewhere, and compare
  --commit HASH --date ISO-8601
                        what is built, where the sources are no git checkout
`;

const options = {
  targets: { type: 'string' },
  key: { type: 'string' },
  base: { type: 'string' },
  out: { type: 'string', default: join(root, 'dist', 'release') },
  level: { type: 'string', default: '9' },
  packages: { type: 'string' },
  dirty: { type: 'boolean', default: false },
  'check-reproducible': { type: 'boolean', default: false },
  commit: { type: 'string' },
  date: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

let interrupted = false;
const say = (line: string): void => {
  if (interrupted) throw new Error('interrupted; nothing was left behind');
  process.stdout.write(`${line}\n`);
};

function targetsOf(list: string | undefined): readonly Target[] {
  if (list === undefined) return targets.filter(isPossible);
  const chosen = list.split(',').map((name) => {
    const target = targetNamed(name.trim());
    if (target !== undefined) return target;
    throw new Error(`there is no target "${name}"; there are ${targets.map((each) => each.name).join(', ')}`);
  });
  return targets.filter((target) => chosen.includes(target));
}

/** Whether this machine has what it takes; one that has not builds the others. Whoever names a target is told by its builder. */
function isPossible(target: Target): boolean {
  const missing = missingFor(target);
  if (missing.length > 0) say(`Not built: ${target.name}, since there is no ${missing.join(', no ')} here.`);
  return missing.length === 0;
}

function sourceOf({ commit, date, dirty }: { commit?: string; date?: string; dirty: boolean }): Source {
  if (commit !== undefined || date !== undefined) {
    const time = new Date(date ?? '');
    if (!/^[0-9a-f]{40}$/.test(commit ?? '') || Number.isNaN(time.getTime())) {
      throw new Error('--commit should be 40 hexadecimal digits, and --date its time as 2026-01-31T12:00:00Z');
    }
    return { root, commit: commit ?? '', date: time };
  }
  const source = sourceIn(root);
  if (source === null) throw new Error(`${root} is no git checkout: say what it is by --commit and --date`);
  const changed = changedFiles(root);
  if (changed.length === 0) return source;
  const what = `${changed.length} file${changed.length === 1 ? ' is' : 's are'} not as in commit ${source.commit.slice(0, 12)}`;
  if (!dirty)
    throw new Error(`${what}, so nobody could make the same release: commit first, or say --dirty for a trial`);
  say(`Careful: ${what}. This release is for a trial alone.`);
  return source;
}

/** Throws for what is no web address, or has anything in it that a shell could take for something else. */
function baseOf(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (/^https?:\/\/[\w.[\]:/+=-]{1,500}$/.test(text)) return text.replace(/\/+$/, '');
  throw new Error(`--base should be an address like https://example.org/octaskly/1.2.3, not "${text}"`);
}

function levelOf(text: string): number {
  if (/^[1-9]$/.test(text)) return Number(text);
  throw new Error(`--level should be 1 to 9, not "${text}"`);
}

/** Throws for what is no package. */
function packagesOf(list: string | undefined): readonly string[] {
  const names = packageMakers.map(({ name }) => name);
  if (list === undefined) return names;
  const chosen = list === 'none' ? [] : list.split(',').map((name) => name.trim());
  const unknown = chosen.find((name) => !names.includes(name));
  if (unknown === undefined) return chosen;
  throw new Error(`--packages should be some of ${names.join(', ')}, or none; "${unknown}" is not among them`);
}

/** Whether the release made again, elsewhere, is the same. */
async function isReproducible(release: ReleaseOptions, keyPath: string): Promise<boolean> {
  const { source, targets: made, level, packages, out, base } = release;
  const directory = mkdtempSync(join(dirname(out), `.elsewhere-${process.pid}-`));
  try {
    say('Once more, from a copy elsewhere ...');
    const other = await releaseElsewhere({ source, targets: made, keyPath, level, packages, base, directory });
    const differing = differences(out, other);
    say(differing.length === 0 ? 'Every file is the same.' : `These differ: ${differing.join(', ')}`);
    return differing.length === 0;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function run(): Promise<number> {
  const startedAt = performance.now();
  const { values } = parseArgs({ options, strict: true });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const keyPath = keyFile(values.key);
  const where = { out: resolve(values.out), base: baseOf(values.base) };
  const chosen = {
    targets: targetsOf(values.targets),
    level: levelOf(values.level),
    ...where,
    packages: packagesOf(values.packages),
  };
  const source = sourceOf(values);
  const release = { ...chosen, source, version, key: openKey(keyPath, say), say };
  const { files } = await makeRelease(release);
  if (release.key.sign(Buffer.alloc(0)) === null)
    say(`Not signed, since ${keyPath} is a public key: there is no ${signatureFile}.`);
  const here = files.filter(({ kind }) => kind !== 'program');
  const megabytes = here.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
  const seconds = (performance.now() - startedAt) / 1000;
  say(
    `${release.out}: octaskly ${version}, ${here.length} files, ${megabytes.toFixed(0)} MB, in ${seconds.toFixed(0)} s`,
  );
  return !values['check-reproducible'] || (await isReproducible(release, keyPath)) ? 0 : 1;
}

// What is half done is cleared away by whoever began it, as after any failure.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (interrupted = true));
try {
  process.exitCode = await run();
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error;
  process.stderr.write(`release: ${reasonOf(error)}\n${isUsage ? `\n${usage}` : ''}`);
  process.exitCode = isUsage ? 2 : 1;
}
