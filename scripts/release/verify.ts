/**
 * Checks a release directory as whoever downloaded it would: the signature of the manifest, each file it names, the sums,
 * and that nothing else lies there. `bun scripts/release/verify.ts DIR [PUBLIC-KEY.pem]` prints what is wrong.
 *
 * Without a key it takes the one that lies in the directory: that finds what got damaged, and nothing that was forged.
 */

import { createPublicKey } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf } from '../../src/base/errors.ts';
import { manifestFile, readManifest, signatureFile } from '../../src/core/release-manifest.ts';
import { isSignedBy } from '../../src/runtime/release-key.ts';
import { sha256 } from './digest.ts';
import { publicKeyFile, sumsFile } from './release.ts';

/** What is wrong with the release in a directory, a sentence each. `key` is SPKI in base64. */
export function problemsOfRelease(directory: string, key: string): string[] {
  const missing = [manifestFile, signatureFile, sumsFile].filter((file) => !existsSync(join(directory, file)));
  if (missing.length > 0) return missing.map((file) => `${file} is missing`);
  const bytes = readFileSync(join(directory, manifestFile));
  const signature = readFileSync(join(directory, signatureFile), 'latin1');
  if (!isSignedBy(key, bytes, signature)) return [`${signatureFile} is no signature of ${manifestFile} by this key`];
  const reading = readManifest(bytes.toString());
  if (!reading.ok) return [`${manifestFile} is no manifest: ${reading.reason}`];
  const named = new Map(reading.manifest.files.map((each) => [each.file, each]));
  const there = readdirSync(directory).sort();
  const problems: string[] = [];
  for (const { file, kind, bytes: size, sha256: digest } of named.values()) {
    if (kind === 'program') continue;
    if (!there.includes(file)) problems.push(`${file} is missing`);
    else {
      const content = readFileSync(join(directory, file));
      if (content.length !== size) problems.push(`${file} has ${content.length} bytes, it should have ${size}`);
      else if (sha256(content) !== digest) problems.push(`${file} is not what was signed`);
    }
  }
  const own = [manifestFile, signatureFile, sumsFile];
  const strange = there.filter((file) => !named.has(file) && !own.includes(file));
  problems.push(...strange.map((file) => `${file} is not in the manifest`));
  const sums = there.filter((file) => file !== sumsFile);
  const should = sums.map((file) => `${sha256(readFileSync(join(directory, file)))}  ${file}\n`).join('');
  if (readFileSync(join(directory, sumsFile), 'utf8') !== should)
    problems.push(`${sumsFile} has not the sums of what lies there`);
  return problems;
}

function main(directory: string | undefined, keyPath: string | undefined): number {
  if (directory === undefined || !existsSync(directory)) {
    process.stderr.write('verify: it should be: bun scripts/release/verify.ts DIRECTORY [PUBLIC-KEY.pem]\n');
    return 2;
  }
  const path = keyPath ?? join(directory, publicKeyFile);
  let key: string;
  try {
    key = createPublicKey(readFileSync(path)).export({ format: 'der', type: 'spki' }).toString('base64');
  } catch (error) {
    process.stderr.write(`verify: ${path} should be the public key of the release, as PEM: ${reasonOf(error)}\n`);
    return 1;
  }
  const problems = problemsOfRelease(directory, key);
  for (const problem of problems) process.stdout.write(`wrong: ${problem}\n`);
  const whose = keyPath === undefined ? ' by the key in it' : '';
  if (problems.length === 0) process.stdout.write(`${directory}: as it was signed${whose}\n`);
  return problems.length > 0 ? 1 : 0;
}

if (import.meta.main) process.exitCode = main(process.argv[2], process.argv[3]);
