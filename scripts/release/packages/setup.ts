/**
 * `octaskly-VERSION-windows-ARCH-setup.exe`: the installer for people on Windows, without administrator's rights, by NSIS.
 * What it does stands in `windows/octaskly.nsi`. Its own code is for x86-64, and for x86 where the device is ARM, which
 * emulates that in all versions.
 */

import { linkSync } from 'node:fs';
import { join } from 'node:path';
import type { PackageMaker, Stage } from '../stage.ts';
import { inWorkplace, runTool, underPlainName } from './tools.ts';
import { settle } from './tree.ts';

/** `1.2.3.0`: the four numbers of a version among a file's details. */
function fourNumbers(version: string): string {
  return `${version.replace(/-.*$/, '')}.0`;
}

function build({ version, date, target, dir, level }: Stage, work: string): string {
  const out = join(work, 'installer.exe');
  const facts = {
    ...{ VERSION: version, FOUR_NUMBERS: fourNumbers(version), STAGE: dir, OUT: out },
    ...{ STUB: target.arch === 'x64' ? 'amd64-unicode' : 'x86-unicode', COMPRESS: level < 3 ? 'off' : 'auto' },
  };
  const words = Object.entries(facts).map(([name, value]) => `-D${name}=${value}`);
  const script = join(import.meta.dir, 'windows/octaskly.nsi');
  runTool(['makensis', '-V2', '-WX', '-NOCONFIG', ...words, script], { cwd: work, date });
  return out;
}

export const setup: PackageMaker = {
  name: 'setup',
  needs: { makensis: 'nsis' },
  isFor: ({ system }) => system === 'windows',
  make: (stage, out) =>
    inWorkplace(out, (work) => {
      const file = `octaskly-${stage.version}-${stage.target.name}-setup.exe`;
      settle(stage.dir, stage.date);
      underPlainName(stage.dir, (dir) => {
        underPlainName(work, (plain) => linkSync(build({ ...stage, dir }, plain), join(out, file)));
      });
      return [{ file, kind: 'installer', target: stage.target.name }];
    }),
};
