/**
 * What a release has for one target before it is packed: a directory as it will lie in the archive. Packages for people are
 * made from the same, by the makers listed in `packageMakers`.
 */

import type { ReleaseFile } from '../../src/core/release-manifest.ts';
import type { Target } from '../../src/core/targets.ts';

export interface Stage {
  readonly version: string;
  /** 40 hexadecimal digits. */
  readonly commit: string;
  /** The time of the commit: the only one that may get into a package. */
  readonly date: Date;
  readonly target: Target;
  /** Path of the program, mode 0755. */
  readonly program: string;
  /** Path of the directory `octaskly-VERSION-TARGET`: the program, LICENSE, NOTICES.txt, README.md, `completions/`. */
  readonly dir: string;
}

/** A file that a maker wrote into the release's directory. */
export type MadeFile = Pick<ReleaseFile, 'file' | 'kind' | 'target'>;

/**
 * Makes the packages of one kind for a stage, in `out`; none for targets that they are not for. The same stage gives the
 * same bytes. Throws when a tool is missing, and names it.
 */
export type PackageMaker = (stage: Stage, out: string) => Promise<readonly MadeFile[]>;

/** All of them; each is called for every target. */
export const packageMakers: readonly PackageMaker[] = [];
