/**
 * The package for Fedora, openSUSE and others with rpm, by rpmbuild; for both processors on either.
 *
 * References: rpm.org, "RPM reference manual" (spec, scriptlets, reproducible builds).
 */

import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../../../src/core/targets.ts';
import type { PackageMaker, Stage } from '../stage.ts';
import { inWorkplace, runTool, underPlainName } from './tools.ts';
import { layTree, maintainerScript, packageVersion, put, settle } from './tree.ts';

const architectures: Partial<Record<Target['arch'], string>> = { x64: 'x86_64', arm64: 'aarch64' };

function build(stage: Stage, work: string): string {
  const { version, target, dir, date, level } = stage;
  const arch = architectures[target.arch] ?? target.arch;
  const tree = join(work, 'tree');
  layTree(stage, tree, { units: 'usr/lib/systemd/system', zsh: 'usr/share/zsh/site-functions' });
  for (const file of ['LICENSE', 'NOTICES.txt']) {
    put(join(tree, 'usr/share/licenses/octaskly', file), readFileSync(join(dir, file)));
  }
  put(join(tree, 'usr/share/octaskly/purge.sh'), maintainerScript('rpm/purge'), 0o755);
  for (const name of ['octaskly', 'octaskly-worker']) mkdirSync(join(tree, 'var/lib', name), { recursive: true });
  settle(tree, date);
  const maintenance = join(work, 'scripts');
  for (const name of ['pre', 'post', 'preun', 'postun']) put(join(maintenance, name), maintainerScript(`rpm/${name}`));
  const defined = {
    ...{ _topdir: work, _tmppath: work, _dbpath: join(work, 'db'), tree, maintenance },
    package_version: packageVersion(version),
    glibc: 'libc.so.6(GLIBC_2.17)(64bit)',
    // One thread, and levels above 3 cost minutes for a few per cent: as for Debian.
    _binary_payload: level < 3 ? 'w.ufdio' : `w${Math.floor(level / 3)}.xzdio`,
    // What the machine that builds would tell of itself.
    ...{ _buildhost: 'reproducible', use_source_date_epoch_as_buildtime: '1', clamp_mtime_to_source_date_epoch: '1' },
  };
  const words = Object.entries(defined).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
  const spec = join(import.meta.dir, 'rpm/octaskly.spec');
  runTool(['rpmbuild', '-bb', '--quiet', `--target=${arch}-linux`, ...words, spec], { cwd: work, date });
  return join(work, 'RPMS', arch, `octaskly-${packageVersion(version)}-1.${arch}.rpm`);
}

export const rpm: PackageMaker = {
  name: 'rpm',
  needs: { rpmbuild: 'rpm' },
  isFor: ({ system, libc, arch }) => system === 'linux' && libc === 'glibc' && architectures[arch] !== undefined,
  make: (stage, out) =>
    inWorkplace(out, (work) => {
      const file = `octaskly-${packageVersion(stage.version)}-1.${architectures[stage.target.arch]}.rpm`;
      underPlainName(work, (plain) => renameSync(build(stage, plain), join(out, file)));
      return [{ file, kind: 'package', target: stage.target.name }];
    }),
};
