/**
 * What the sources use of Bun, for Node 20: the same names, the same contracts, by Node's own means or a library's. The
 * build for 32-bit ARM, for which there is no Bun, puts this in the place of the name `Bun` (scripts/release/node-bundle.ts).
 *
 * Deliberately not here: what only a dispatcher uses (`Bun.serve`, `Bun.build`, embedded files), which is not in that build.
 */

import { Minimatch } from 'minimatch';
import { parse as parseToml } from 'smol-toml';
import textWidth from 'string-width';
import { parse as parseYaml } from 'yaml';
import { spawn, spawnSync, which } from './children.ts';
import { file } from './descriptors.ts';
import { connect, listen, udpSocket } from './sockets.ts';

/** As a compiled file of Bun names what it was compiled from. */
const compiledMain = '/$bunfs/root/octaskly';
const [program = '', script = ''] = process.argv;

/** Patterns over paths, as Bun has them: names that begin with a dot are names. */
class Glob {
  readonly #glob: Minimatch;

  constructor(pattern: string) {
    this.#glob = new Minimatch(pattern, { dot: true, nocomment: true });
  }

  match(path: string): boolean {
    return this.#glob.match(path);
  }
}

export const Bun = {
  /** The file alone is its own script. */
  main: program === script || process.execPath === script ? compiledMain : script,
  Glob,
  TOML: { parse: parseToml },
  YAML: { parse: parseYaml },
  /** A page of the documentation as it is written, which is made to be read. */
  markdown: { ansi: (text: string) => text },
  connect,
  file,
  /** The collector of Node counts the memory of buffers, and comes by itself. */
  gc: () => undefined,
  listen,
  sleep: (delayMs: number) => new Promise<void>((resolve) => setTimeout(resolve, delayMs)),
  spawn,
  spawnSync,
  stringWidth: (text: string) => textWidth(text),
  udpSocket,
  which,
};
