/**
 * What a release has for one target before it is packed: a directory as it will lie in the archive. Packages for people are
 * made from the same, by the makers in `packages/makers.ts`.
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
  /** Of compression, 1 (fast) … 9 (small). */
  readonly level: number;
  /** Path of the directory `octaskly-VERSION-TARGET`: the program, LICENSE, NOTICES.txt, README.md, `completions/`. */
  readonly dir: string;
}

/** A file that a maker wrote into the release's directory. */
export type MadeFile = Pick<ReleaseFile, 'file' | 'kind' | 'target'>;

/** Makes the packages of one kind, with tools that a machine may not have. */
export interface PackageMaker {
  /** As people call it: `deb`. */
  readonly name: string;
  /** Programs it runs, each with its package in Debian. */
  readonly needs: Readonly<Record<string, string>>;
  isFor(target: Target): boolean;
  /** Writes to `out`, where the archive of the stage lies. The same stage gives the same bytes. Throws when a tool fails. */
  make(stage: Stage, out: string): readonly MadeFile[];
}
