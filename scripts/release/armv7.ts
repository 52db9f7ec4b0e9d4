/**
 * The program for 32-bit ARM, for which there is no Bun: Node 20 with one script within (`node-bundle.ts`), a "single
 * executable application". It needs glibc, libstdc++ and libatomic of the device, as that Node does.
 *
 *   Node, pinned → without its symbols → without NODE_OPTIONS → with the script as a note that it finds in itself
 *
 * What is injected is written here rather than by that Node, which runs on no machine that builds: five fields, the same
 * bytes. No compiled code is kept with the script: Node makes it in another way each time.
 * References: Node 20.11.0, `src/node_sea.cc` (`SeaSerializer`); postject, which adds the note (ELF: PT_NOTE).
 */

import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'postject';
import { programNameOn, type Target, targetNamed } from '../../src/core/targets.ts';
import { type Compiled, type CompileOptions, definitions } from './compile.ts';
import { bundleForNode, nodeEntry } from './node-bundle.ts';
import { provideRuntime } from './runtimes.ts';

const scriptName = 'octaskly.cjs';
/** The program of binutils that takes symbols out of files for 32-bit ARM. */
export const stripper = 'arm-linux-gnueabihf-strip';
/** Longest that takes, ms. */
const stripMsMax = 120_000;
const magic = 0x143da20;
/** `kDisableExperimentalSeaWarning`. */
const flags = 1;
const noteName = 'NODE_SEA_BLOB';
/** Stands in Node with a 0 behind it, which becomes a 1: there is a script. */
const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
/** Options by this variable could run any script, and what takes its place: no shell can set it. */
const optionsName = '\0NODE_OPTIONS\0';
const optionsOff = '\0\x01ODE_OPTIONS\0';

/** The one target that Node is for. */
function armv7(): Target {
  const target = targetNamed('linux-armv7');
  if (target === undefined) throw new Error('there should be a target linux-armv7');
  return target;
}

/** Makes the program in `out`. Throws when a tool is missing, and names its package, or when Node is not the pinned one. */
export async function buildArmv7({
  root,
  facts,
  out,
}: Pick<CompileOptions, 'root' | 'facts' | 'out'>): Promise<Compiled> {
  const target = armv7();
  const maps = join(out, 'maps');
  const program = join(out, programNameOn(target));
  mkdirSync(maps, { recursive: true });
  const define = definitions({ ...facts, target: target.name });
  const { script, map, inputs } = await bundleForNode({ root, entry: nodeEntry, define });
  writeFileSync(join(maps, `${scriptName}.map`), map);
  provideRuntime(target, program);
  strip(program);
  const bytes = readFileSync(program);
  switchOffOptions(bytes);
  writeFileSync(program, bytes);
  await inject(program, noteName, seaBlob(scriptName, script), { sentinelFuse: fuse });
  chmodSync(program, 0o755);
  return { program, maps, inputs };
}

/** Takes the symbols out, a seventh of the file. To be done first: what is injected would go with them. */
function strip(program: string): void {
  if (Bun.which(stripper) === null) {
    rmSync(program);
    throw new Error(
      `there is no ${stripper}, which the program for 32-bit ARM is made with: install binutils-arm-linux-gnueabihf`,
    );
  }
  const { exitCode, stderr } = Bun.spawnSync([stripper, program], {
    env: { PATH: process.env.PATH ?? '' },
    timeout: stripMsMax,
  });
  if (exitCode !== 0) throw new Error(`${stripper} ended with ${exitCode ?? 'a signal'}: ${stderr}`);
}

/** Throws where the name does not stand exactly once by itself: then it is not known what it means. */
export function switchOffOptions(bytes: Buffer): void {
  const at = bytes.indexOf(optionsName, 0, 'latin1');
  if (at < 0 || bytes.indexOf(optionsName, at + 1, 'latin1') >= 0) {
    throw new Error('Node should name NODE_OPTIONS once, and does not');
  }
  bytes.write(optionsOff, at, 'latin1');
}

/** What a 32-bit Node finds in itself: little-endian, lengths before texts. */
export function seaBlob(name: string, script: string): Buffer {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const text = (value: string): Buffer[] => [number(Buffer.byteLength(value)), Buffer.from(value)];
  return Buffer.concat([number(magic), number(flags), ...text(name), ...text(script)]);
}
