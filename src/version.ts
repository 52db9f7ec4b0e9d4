/**
 * What this program says it is: its version, which `package.json` alone states, and what the build wrote into the file.
 *
 * The build replaces `OCTASKLY_BUILD` (`scripts/release/compile.ts`); run from the sources there is none.
 */

import manifest from '../package.json' with { type: 'json' };

/** What a file was built from, and for whom. */
export interface BuildFacts {
  /** 40 hexadecimal digits; `null` when it was not built from a commit as it is, or runs from the sources. */
  readonly commit: string | null;
  /** A name of `core/targets.ts`; `null` from the sources. */
  readonly target: string | null;
  /** The Ed25519 key whose releases the file trusts: SPKI (RFC 8410) in base64, one line; `null` where it trusts none. */
  readonly releaseKey: string | null;
}

declare const OCTASKLY_BUILD: BuildFacts | undefined;

export const version: string = manifest.version;

export const build: BuildFacts =
  typeof OCTASKLY_BUILD === 'undefined' ? { commit: null, target: null, releaseKey: null } : OCTASKLY_BUILD;
