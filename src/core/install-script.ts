/**
 * What is written into the install scripts (`scripts/install.sh`, `install.ps1`) before they are handed out: where they came
 * from, and whose word they take. In the scripts themselves these are empty.
 *
 * Invariant: a value that could end the quotes it is put between is refused, whoever it came from: the address is what a
 * stranger wrote into a `Host` header.
 */

import { assert } from '../base/assert.ts';

export interface InstallFacts {
  /** Where the script was had: `http://192.168.1.20:3000`, or the directory of a release. Without a slash at its end. */
  readonly base?: string;
  /** `sha256//` and base64: the public key of the server's certificate, as curl's --pinnedpubkey takes it. */
  readonly pin?: string;
  /** The Ed25519 key that signs releases: SPKI in base64. */
  readonly key?: string;
  /** The version that is installed unless another is asked for. */
  readonly version?: string;
}

const harmless = /^[A-Za-z0-9:/.[\]_+=-]{0,512}$/;

/** The script with these facts in it. `script` is one that holds none yet. */
export function fillInstallScript(script: string, facts: InstallFacts): string {
  let filled = script;
  for (const [name, value] of Object.entries(facts)) {
    assert(harmless.test(value), `the ${name} of an install script is one word`);
    const place = new RegExp(`^(\\$?baked_${name} ?= ?)''$`, 'm');
    assert(place.test(filled), `an install script has a place for ${name}`);
    filled = filled.replace(place, (_line, before: string) => `${before}'${value}'`);
  }
  return filled;
}

/** Where new devices get the program. */
export interface InstallPlace {
  /** `http://192.168.1.20:3000`. */
  readonly base: string;
  /** As `InstallFacts.pin`, where that is HTTPS under a certificate nobody vouches for; null = plain, or vouched for. */
  readonly pin: string | null;
}

/**
 * The lines to paste on a new device, which install and join: for a POSIX shell, and for PowerShell. With a pin they need
 * curl, which then takes the script from nobody but the dispatcher.
 */
export function installLines(
  { base, pin }: InstallPlace,
  token: string,
): { readonly sh: string; readonly ps1: string } {
  // An address of IPv6 has brackets, by which zsh, the shell of macOS, looks for files.
  const at = (script: string): string => (base.includes('[') ? `'${base}/${script}'` : `${base}/${script}`);
  const curl = pin === null ? 'curl -fsSL' : `curl -fsSLk --pinnedpubkey '${pin}'`;
  const curlExe = curl.replace('curl', 'curl.exe');
  const read = pin === null ? `irm ${at('install.ps1')}` : `${curlExe} ${at('install.ps1')} | Out-String`;
  return {
    sh: `${curl} ${at('install.sh')} | sh -s -- --join ${token}`,
    ps1: `& ([scriptblock]::Create((${read}))) -Join ${token}`,
  };
}
