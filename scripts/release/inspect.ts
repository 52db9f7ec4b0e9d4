/**
 * Looks at a program as a file, for systems that are not at hand: format, processor, dynamic linker, libraries, signature,
 * what is embedded. `bun scripts/release/inspect.ts FILE [TARGET]` prints what it finds, and with a target what is wrong.
 *
 * Deliberately not here: running it. What cannot be seen from here is a Windows file's icon and version: Bun sets them on
 * Windows alone.
 */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { reasonOf } from '../../src/base/errors.ts';
import { type Target, targetNamed } from '../../src/core/targets.ts';
import { isElf, readElf } from './elf.ts';
import { isMachO, readMachO } from './macho.ts';
import { checkSignature } from './macho-signature.ts';
import { isPe, readPe } from './pe.ts';
import { switchName } from './runtimes.ts';

export interface Inspection {
  readonly format: 'ELF' | 'Mach-O' | 'PE' | 'unknown';
  readonly machine: string;
  /** Path of the dynamic linker; `null` on Windows. */
  readonly interpreter: string | null;
  readonly libraries: readonly string[];
  readonly glibcMin: string | null;
  /** `none`; `ad hoc`, when every page is as signed; else what is wrong with it. */
  readonly signature: string;
  /** Names of the files within it, sorted. */
  readonly embedded: readonly string[];
  /** Ids of the source maps that its scripts go with, sorted. */
  readonly debugIds: readonly string[];
  /** The variable that makes it the bare runtime still has that meaning. */
  readonly canBeRuntime: boolean;
}

/** What a file within is known by: a name, its digest, its kind. Whatever follows in the file is not part of it. */
const embeddedForm = /^[\w@-]+-[0-9a-z]{8}\.(?:js|css|html?|svg|md|png)?/;
const embeddedRoots = ['/$bunfs/root/', 'B:/~BUN/root/'];
/** Of what the program cannot do without: the page, its script and style, the documents, the terminals. */
const embeddedNeeded = [/^index-\w+\.html$/, /^main-\w+\.js$/, /\.css$/, /^COMMANDS-\w+\.md$/, /^xterm-\w+\.$/];

/** Looks at a file. Throws a RangeError when its headers lead out of it. */
export function inspect(file: Buffer): Inspection {
  const common = {
    ...{ interpreter: null, glibcMin: null, signature: 'none', embedded: embeddedIn(file), debugIds: debugIdsIn(file) },
    canBeRuntime: file.includes(switchName, 0, 'latin1'),
  };
  if (isElf(file)) return { ...common, format: 'ELF', ...readElf(file) };
  if (isPe(file)) {
    const { machine, libraries, hasSignature } = readPe(file);
    return { ...common, format: 'PE', machine, libraries, signature: hasSignature ? 'not checked' : 'none' };
  }
  if (!isMachO(file)) return { ...common, format: 'unknown', machine: 'unknown', libraries: [] };
  const { machine, interpreter, libraries } = readMachO(file);
  const { problems, isAdHoc } = checkSignature(file);
  const signature = problems.join('; ') || (isAdHoc ? 'ad hoc' : 'of somebody');
  return { ...common, format: 'Mach-O', machine, interpreter, libraries, signature };
}

function embeddedIn(file: Buffer): string[] {
  const found = new Set<string>();
  for (const place of embeddedRoots) {
    for (const at of placesOf(file, place)) {
      const name = embeddedForm.exec(file.toString('latin1', at, at + 120))?.[0];
      if (name !== undefined) found.add(name);
    }
  }
  return [...found].sort();
}

function debugIdsIn(file: Buffer): string[] {
  const ids = placesOf(file, '//# debugId=').map(
    (at) => /^[0-9A-F]{32}/.exec(file.toString('latin1', at, at + 32))?.[0],
  );
  return [...new Set(ids.filter((id) => id !== undefined))].sort();
}

/** Where each occurrence of the text ends. */
function placesOf(file: Buffer, text: string): number[] {
  const found: number[] = [];
  for (let at = file.indexOf(text); at >= 0; at = file.indexOf(text, at + text.length)) found.push(at + text.length);
  return found;
}

const interpreters: Readonly<Record<string, string>> = {
  'linux-x64': '/lib64/ld-linux-x86-64.so.2',
  'linux-arm64': '/lib/ld-linux-aarch64.so.1',
  'linux-x64-musl': '/lib/ld-musl-x86_64.so.1',
  'linux-arm64-musl': '/lib/ld-musl-aarch64.so.1',
  'linux-arm64-android': '/system/bin/linker64',
  'linux-armv7': '/lib/ld-linux-armhf.so.3',
  'darwin-x64': '/usr/lib/dyld',
  'darwin-arm64': '/usr/lib/dyld',
};

/** Libraries that a system has of itself, and on musl the one that people install: nothing else may be needed. */
const librariesOf: Readonly<Record<Target['system'] | 'musl', RegExp>> = {
  linux: /^(?:lib(?:c|m|dl|pthread|rt|atomic|gcc_s|stdc\+\+)\.so\.\d|ld-linux-.*)$/,
  musl: /^lib(?:c\.musl-\w+|stdc\+\+|gcc_s)\.so\.\d$/,
  android: /^lib(?:c|m|dl|log)\.so$/,
  darwin: /^\/usr\/lib\/|^\/System\/Library\//,
  windows: /\.dll$/i,
};

/** What is not as it should be for that target, a sentence each. A file that Node runs has nothing of Bun's within. */
export function problemsFor(target: Target, found: Inspection): string[] {
  const formats = { linux: 'ELF', android: 'ELF', darwin: 'Mach-O', windows: 'PE' } as const;
  const should = {
    ...{ format: formats[target.system], machine: target.arch, interpreter: interpreters[target.name] ?? null },
    signature: target.system === 'darwin' ? 'ad hoc' : 'none',
  };
  const problems = (['format', 'machine', 'interpreter', 'signature'] as const)
    .filter((fact) => found[fact] !== should[fact])
    .map((fact) => `its ${fact} is ${found[fact] ?? 'none'}, it should be ${should[fact] ?? 'none'}`);
  const known = librariesOf[target.libc === 'musl' ? 'musl' : target.system];
  const strange = found.libraries.filter((library) => !known.test(library));
  if (strange.length > 0) problems.push(`it needs ${strange.join(', ')}, which ${target.name} does not have of itself`);
  if (target.runtime === 'node') return problems;
  for (const form of embeddedNeeded) {
    if (!found.embedded.some((name) => form.test(name))) problems.push(`it has no embedded file like ${form.source}`);
  }
  if (found.canBeRuntime) problems.push(`${switchName} still makes it the bare runtime`);
  return problems;
}

function main(path: string | undefined, name: string | undefined): number {
  const target = name === undefined ? undefined : targetNamed(name);
  if (path === undefined || (name !== undefined && target === undefined)) {
    process.stderr.write('inspect: it should be: bun scripts/release/inspect.ts FILE [TARGET]\n');
    return 2;
  }
  let found: Inspection;
  try {
    found = inspect(readFileSync(path));
  } catch (error) {
    process.stderr.write(`inspect: cannot read ${path}: ${reasonOf(error)}; it is missing, or cut short\n`);
    return 1;
  }
  const { embedded, debugIds, ...facts } = found;
  process.stdout.write(`${basename(path)}: ${JSON.stringify({ ...facts, debugIds: debugIds.length }, null, 2)}\n`);
  process.stdout.write(`embedded: ${embedded.join(', ') || 'none'}\n`);
  const problems = target === undefined ? [] : problemsFor(target, found);
  for (const problem of problems) process.stdout.write(`wrong: ${problem}\n`);
  return problems.length > 0 ? 1 : 0;
}

if (import.meta.main) process.exitCode = main(process.argv[2], process.argv[3]);
