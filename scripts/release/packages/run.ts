/**
 * `octaskly-VERSION-linux-ARCH.run`: a shell script with the release of one target behind it, for machines without a network
 * and without packages of ours. It unpacks itself and has `install.sh` install what it brought. By makeself.
 */

import { linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReleaseManifest } from '../../../src/core/release-manifest.ts';
import { archiveName } from '../../../src/core/targets.ts';
import { protocolVersion, protocolVersionMin } from '../../../src/wire/messages.ts';
import { sha256 } from '../digest.ts';
import type { PackageMaker, Stage } from '../stage.ts';
import { inWorkplace, runTool } from './tools.ts';
import { put, settle } from './tree.ts';

/** More than the script in front of the content is long. */
const headerBytesMax = 256 * 1024;

/** A manifest of the one archive: install.sh takes it from a directory as it does from a release. */
function manifestOf({ version, commit, date, target }: Stage, archive: Uint8Array): string {
  const manifest: ReleaseManifest = {
    ...{ name: 'octaskly', version, commit, date: date.toISOString() },
    protocol: { min: protocolVersionMin, max: protocolVersion },
    files: [
      {
        ...{ file: archiveName(version, target), kind: 'archive', target: target.name },
        ...{ bytes: archive.length, sha256: sha256(archive) },
      },
    ],
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

function build(stage: Stage, out: string, work: string): void {
  const { version, date, target } = stage;
  const content = join(work, 'content');
  mkdirSync(content);
  const archive = archiveName(version, target);
  const packed = readFileSync(join(out, archive));
  put(join(content, archive), packed);
  const manifest = manifestOf(stage, packed);
  put(join(content, 'manifest.json'), manifest);
  put(join(content, 'manifest.sha256'), `${sha256(manifest)}\n`);
  put(join(content, 'install.sh'), readFileSync(join(import.meta.dir, '../../install.sh')), 0o755);
  put(join(content, 'setup.sh'), readFileSync(join(import.meta.dir, 'run/setup.sh')), 0o755);
  put(join(work, 'help.txt'), readFileSync(join(import.meta.dir, 'run/help.txt')));
  settle(content, date);
  const order = '--format=ustar --sort=name --owner=root:0 --group=root:0';
  const options = ['--nocomp', '--nox11', '--noprogress', '--sha256', '--nomd5', '--nocrc', '--tar-extra', order];
  const told = ['--packaging-date', date.toISOString(), '--help-header', 'help.txt'];
  // Relative names, since the command that made it stands in it.
  const what = ['content', 'octaskly.run', `Octaskly ${version} for ${target.name}`, 'sh', './setup.sh'];
  runTool(['makeself', ...options, ...told, ...what], { cwd: work, date });
  stateSize(join(work, 'octaskly.run'));
}

/** Gives the number of kilobytes in the header, which makeself has from the file system, the one of the content. */
function stateSize(file: string): void {
  const bytes = readFileSync(file);
  const start = bytes.subarray(0, headerBytesMax).toString('latin1');
  const size = Number(/^filesizes="(\d+)"$/m.exec(start)?.[1]);
  const measured = /^\s*echo Uncompressed size: (\d+) KB$/m.exec(start)?.[1];
  if (!Number.isSafeInteger(size) || measured === undefined)
    throw new Error('makeself writes another header than 2.4.5 did');
  const header = start.slice(0, bytes.length - size);
  const kilobytes = String(Math.ceil(size / 1024));
  const settled = header.replace(new RegExp(`\\b${measured}( KB|; then$)`, 'gm'), `${kilobytes}$1`);
  writeFileSync(file, Buffer.concat([Buffer.from(settled, 'latin1'), bytes.subarray(header.length)]));
}

export const run: PackageMaker = {
  name: 'run',
  needs: { makeself: 'makeself' },
  isFor: ({ system, libc, runtime }) => system === 'linux' && libc === 'glibc' && runtime === 'bun',
  make: (stage, out) =>
    inWorkplace(out, (work) => {
      const file = `octaskly-${stage.version}-${stage.target.name}.run`;
      build(stage, out, work);
      linkSync(join(work, 'octaskly.run'), join(out, file));
      return [{ file, kind: 'installer', target: stage.target.name }];
    }),
};
