/** All packages for people, and which of them this machine can make. */

import type { PackageMaker } from '../stage.ts';
import { deb } from './deb.ts';
import { rpm } from './rpm.ts';
import { run } from './run.ts';
import { setup } from './setup.ts';

/** Each makes the packages of the targets it is for. */
export const packageMakers: readonly PackageMaker[] = [deb, rpm, run, setup];

/** What is missing here to make it: programs, each with its package in Debian. */
export function missingTools({ needs }: PackageMaker): readonly string[] {
  return Object.entries(needs)
    .filter(([program]) => Bun.which(program) === null)
    .map(([program, debian]) => (program === debian ? program : `${program} (Debian: ${debian})`));
}
