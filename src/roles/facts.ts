/** What `version -o json` says about this file: what it was built from, what it runs on, whom it talks to and trusts. */

import { releaseKey, releaseKeyFingerprint } from '../runtime/release-key.ts';
import { build, version } from '../version.ts';
import { protocolVersion, protocolVersionMin } from '../wire/messages.ts';

export interface ProgramFacts {
  readonly version: string;
  /** `null` when it was not built from a commit as it is, or runs from the sources. */
  readonly commit: string | null;
  /** The kind of device it was built for; `null` from the sources. */
  readonly target: string | null;
  /** Name and version of what runs it. */
  readonly runtime: string;
  /** Versions of the protocol between nodes it speaks, both inclusive. */
  readonly protocol: { readonly min: number; readonly max: number };
  /** SHA-256 of the key whose releases it trusts; `null` where it trusts none. */
  readonly release_key: string | null;
}

export function programFacts(): ProgramFacts {
  const { bun, node } = process.versions;
  return {
    version,
    commit: build.commit,
    target: build.target,
    runtime: bun === undefined ? `node ${node}` : `bun ${bun}`,
    protocol: { min: protocolVersionMin, max: protocolVersion },
    release_key: releaseKey === null ? null : releaseKeyFingerprint(releaseKey),
  };
}
