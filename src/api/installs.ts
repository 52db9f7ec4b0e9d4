/**
 * What the routes that hand out the program need: the scripts that install it, and the programs by the target they are
 * built for. `roles/handing-out.ts` has them.
 */

import type { DownloadPlaces } from './download-places.ts';

/** Bytes that do not change; `file` names them. */
export interface HandedOut {
  /** Lower-case hex. */
  readonly file: string;
  readonly size: number;
}

export interface Installs {
  /** The script for POSIX shells, or for PowerShell, with the address it is asked for at (`http://host:3000`) in it. */
  script(kind: 'sh' | 'ps1', base: string): string;
  /**
   * Lines of the SHA-256 of each program there is, two spaces and its target: the text that join tokens vouch for. Errors:
   * `not_found` where no program is handed out, `io`.
   */
  sums(): Promise<string>;
  /**
   * The program for a target, by its name in `core/targets.ts`, with or without `bun-`; or the same gzipped. Errors:
   * `not_found`, which lists what there is, `unreachable` when it cannot be fetched from a release, `io`.
   */
  program(target: string, form: 'bare' | 'gzip'): Promise<HandedOut>;
  /** At most `max` bytes from `at` on; fewer at the end. Error: `io`. */
  read(file: string, at: number, max: number): Uint8Array;
  /** The manifest of the release these programs are of, and its signature; null = nobody has signed it. */
  readonly signed: { readonly manifest: string; readonly signature: string } | null;
  readonly places: DownloadPlaces;
}
