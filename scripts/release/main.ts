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
import { keyPlace, openKey } from './key.ts';
import { missingTools, packageMakers } from './packages/makers.ts';
import { makeRelease, type ReleaseOptions } from './release.ts';
import { differences, releaseElsewhere } from './reproducible.ts';
import { changedFiles, packagesElsewhere, type Source, sourceIn } from './source.ts';
import type { PackageMaker } from './stage.ts';

const usage = `bun run release [OPTION]...

  --targets A,B         what to build for (default: all)
                        ${targets.map(({ name }) => name).join(', ')}
  --key FILE            the Ed25519 key that signs, as PEM. With its public half alone nothing is signed
                        (default: OCTASKLY_RELEASE_KEY_FILE, else ~/.config/octaskly/release.pem, made when missing)
  --new-key FILE        make a new key there, and sign with it
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
  'new-key': { type: 'string' },
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
  if (list === undefined) return targets.filter((target) => missingFor(target).length === 0);
  const chosen = list.split(',').map((name) => {
    const target = targetNamed(name.trim());
    if (target !== undefined) return target;
    throw new Error(`there is no target "${name}"; there are ${targets.map((each) => each.name).join(', ')}`);
  });
  return targets.filter((target) => chosen.includes(target));
}

/** What is not in the release since this machine lacks what it takes, one line each. What was named is not left out: it fails. */
function leftOut(values: { targets?: string; packages?: string }, made: readonly Target[]): readonly string[] {
  const line = (name: string, missing: readonly string[]): readonly string[] =>
    missing.length === 0 ? [] : [`Not in it: ${name}, since there is no ${missing.join(', no ')} here.`];
  return [
    ...(values.targets === undefined ? targets.flatMap((target) => line(target.name, missingFor(target))) : []),
    ...(values.packages === undefined ? wantedOf(made).flatMap((maker) => line(maker.name, missingTools(maker))) : []),
  ];
}

function wantedOf(made: readonly Target[]): readonly PackageMaker[] {
  return packageMakers.filter(({ isFor }) => made.some(isFor));
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

/** Throws where a release could not be made again elsewhere, since its packages are linked in. */
function checkPackages({ dirty, 'check-reproducible': isCompared }: { dirty: boolean; 'check-reproducible': boolean }) {
  const place = packagesElsewhere(root);
  if (place === null) return;
  const what = `node_modules is a link to ${place}, so paths of this machine get into the programs and nobody could make the same release`;
  const trial = isCompared ? '' : ', or say --dirty for a trial';
  if (isCompared || !dirty) throw new Error(`${what}: remove the link and install the packages (bun install)${trial}`);
  say(`Careful: ${what}. This release is for a trial alone.`);
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

/** The makers of packages that are wanted, by name. Throws for what is no package, or was named and cannot be made here. */
function packagesOf(list: string | undefined, made: readonly Target[]): readonly string[] {
  const names = packageMakers.map(({ name }) => name);
  if (list === undefined) return packageMakers.filter((maker) => missingTools(maker).length === 0).map(nameOf);
  const chosen = list === 'none' ? [] : list.split(',').map((name) => name.trim());
  const unknown = chosen.find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new Error(`--packages should be some of ${names.join(', ')}, or none; "${unknown}" is not among them`);
  for (const maker of packageMakers.filter(({ name }) => chosen.includes(name))) {
    if (!made.some(maker.isFor)) {
      throw new Error(`--packages ${maker.name} is for none of the targets ${made.map(({ name }) => name).join(', ')}`);
    }
    const missing = missingTools(maker);
    if (missing.length > 0) throw new Error(`--packages ${maker.name} takes ${missing.join(', ')}: install that first`);
  }
  return chosen;
}

const nameOf = ({ name }: PackageMaker): string => name;

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
  const place = keyPlace({ key: values.key, newKey: values['new-key'] });
  const where = { out: resolve(values.out), base: baseOf(values.base) };
  const made = targetsOf(values.targets);
  const packages = packagesOf(values.packages, made);
  const chosen = { targets: made, level: levelOf(values.level), ...where, packages };
  checkPackages(values);
  const source = sourceOf(values);
  const left = leftOut(values, made);
  for (const line of left) say(line);
  const release = { ...chosen, source, version, key: openKey(place, say), say };
  const { files } = await makeRelease(release);
  if (release.key.sign(Buffer.alloc(0)) === null)
    say(`Not signed, since ${place.file} is a public key: there is no ${signatureFile}.`);
  const here = files.filter(({ kind }) => kind !== 'program');
  const megabytes = here.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
  const seconds = (performance.now() - startedAt) / 1000;
  say(
    `${release.out}: octaskly ${version}, ${here.length} files, ${megabytes.toFixed(0)} MB, in ${seconds.toFixed(0)} s`,
  );
  // Once more, as it was said minutes ago.
  for (const line of left) say(line);
  return !values['check-reproducible'] || (await isReproducible(release, place.file)) ? 0 : 1;
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
