/** Who builds the program for a target, by the runtime it is for. All are called alike, and say the same of what they made. */

import type { Target } from '../../src/core/targets.ts';
import { buildArmv7, stripper } from './armv7.ts';
import { type Compiled, type CompileOptions, compile } from './compile.ts';

export interface Builder {
  /** Builds a program in `out`. Throws when it cannot, and says what is missing. */
  readonly build: (options: CompileOptions) => Compiled | Promise<Compiled>;
  /** Programs of this machine that it runs. */
  readonly needs: readonly string[];
}

export const builders: Readonly<Record<Target['runtime'], Builder>> = {
  bun: { build: compile, needs: [] },
  node: { build: buildArmv7, needs: [stripper] },
};

/** Programs that are missing on this machine to build for a target. */
export function missingFor({ runtime }: Target): readonly string[] {
  return builders[runtime].needs.filter((program) => Bun.which(program) === null);
}
