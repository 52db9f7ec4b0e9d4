/** The install scripts of a release: those of the repository, with the key that signs the release and its version in them. */

import { join } from 'node:path';
import { fillInstallScript } from '../../src/core/install-script.ts';

interface Baked {
  /** SPKI in base64, as in `src/runtime/release-key.ts`. */
  readonly key: string;
  readonly version: string;
  /** Where the release will be had: an address without a slash at its end. Without it people say so, with --from. */
  readonly base?: string;
}

/** The texts of `install.sh` (to be given mode 755) and `install.ps1` beside the other files of the release. */
export async function bakeInstallScripts({ key, version, base }: Baked): Promise<Readonly<Record<string, string>>> {
  const facts = { key, version, ...(base === undefined ? {} : { base }) };
  const baked = async (name: string): Promise<readonly [string, string]> => {
    return [name, fillInstallScript(await Bun.file(join(import.meta.dir, '..', name)).text(), facts)];
  };
  return Object.fromEntries(await Promise.all([baked('install.sh'), baked('install.ps1')]));
}
