/**
 * The package for Debian and what descends from it, by dpkg-deb.
 *
 * References: Debian Policy 4.6, chapters 6 (scripts), 9.3 (services), 10.7 (configuration), 12 (documentation);
 * deb-control(5), deb-version(7).
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../../../src/core/targets.ts';
import type { PackageMaker, Stage } from '../stage.ts';
import { inWorkplace, runTool } from './tools.ts';
import { gzipped, layTree, maintainerScript, packageVersion, put, settle } from './tree.ts';

const architectures: Readonly<Record<Target['arch'], string>> = { x64: 'amd64', arm64: 'arm64', armv7: 'armhf' };
const maintainer = 'The Octaskly authors <octaskly@octaskly.invalid>';

/** What the program is linked with. */
function depends({ runtime }: Target): string {
  const node = runtime === 'node' ? ', libgcc-s1, libstdc++6, libatomic1' : '';
  return `libc6 (>= ${runtime === 'node' ? '2.28' : '2.17'})${node}, passwd`;
}

function control({ version, target }: Stage, kilobytes: number): string {
  return `Package: octaskly
Version: ${packageVersion(version)}
Architecture: ${architectures[target.arch]}
Maintainer: ${maintainer}
Installed-Size: ${kilobytes}
Depends: ${depends(target)}
Recommends: bubblewrap
Section: net
Priority: optional
Description: shares the computing power of the devices on one network
 One program makes the devices of a home or office network work together: a
 dispatcher takes tasks, and workers run them. They find each other by
 themselves, talk encrypted, and keep tasks apart from the device.
 .
 Brings units for systemd for both roles, neither of which is enabled.
`;
}

function copyright(dir: string): string {
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: octaskly
Comment: What the program has of others is listed in NOTICES.txt, with its licences.

${licenceParagraph(readFileSync(join(dir, 'LICENSE'), 'utf8'))}`;
}

function licenceParagraph(text: string): string {
  const holder = /^Copyright .*$/m.exec(text)?.[0] ?? 'Copyright the authors of Octaskly';
  const lines = text.trim().split('\n');
  return `Files: *
Copyright: ${holder.replace(/^Copyright (\(c\) )?/, '')}
License: Expat
${lines.map((line) => (line.trim() === '' ? ' .' : ` ${line}`)).join('\n')}
`;
}

function changelog({ version, date, commit }: Stage): string {
  const when = date.toUTCString().replace('GMT', '+0000');
  return `octaskly (${packageVersion(version)}) stable; urgency=medium

  * Made from commit ${commit}.

 -- ${maintainer}  ${when}
`;
}

/** Why what lintian minds is as it should be. */
const overrides = `# The program has its scripts behind the symbols: stripped, it would be a runtime without a program.
octaskly: unstripped-binary-or-object
# Bun brings its libraries within, and says how it is linked.
octaskly: embedded-library
octaskly: hardening-no-pie
octaskly: hardening-no-relro
# The project has no address.
octaskly: bogus-mail-host
octaskly: bogus-mail-host-in-debian-changelog
# Of services with names of their own only systemctl knows.
octaskly: maintainer-script-calls-systemctl
`;

/** Whole kilobytes of all files below a directory. */
function kilobytesIn(root: string): number {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(root, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? Math.ceil(stat.size / 1024) : 1), 0);
}

function build(stage: Stage, work: string, file: string): void {
  const { dir, date, level } = stage;
  const root = join(work, 'root');
  layTree(stage, root, { units: 'lib/systemd/system', zsh: 'usr/share/zsh/vendor-completions' });
  const documents = join(root, 'usr/share/doc/octaskly');
  put(join(documents, 'copyright'), copyright(dir));
  put(join(documents, 'changelog.gz'), gzipped(changelog(stage)));
  put(join(documents, 'NOTICES.txt.gz'), gzipped(readFileSync(join(dir, 'NOTICES.txt'), 'utf8')));
  put(join(root, 'usr/share/lintian/overrides/octaskly'), overrides);
  const kilobytes = kilobytesIn(root);
  const configuration = readdirSync(join(root, 'etc/octaskly')).sort();
  put(join(root, 'DEBIAN/conffiles'), configuration.map((name) => `/etc/octaskly/${name}\n`).join(''));
  put(join(root, 'DEBIAN/md5sums'), md5sums(root));
  put(join(root, 'DEBIAN/control'), control(stage, kilobytes));
  for (const script of ['postinst', 'prerm', 'postrm']) {
    put(join(root, 'DEBIAN', script), maintainerScript(`deb/${script}`), 0o755);
  }
  settle(root, date);
  // One thread: how many there are must not show in the bytes. Levels above 3 cost minutes for a few per cent.
  const packing = level < 3 ? ['-Znone'] : ['-Zxz', `-z${Math.floor(level / 3)}`, '--threads-max=1'];
  runTool(['dpkg-deb', ...packing, '--root-owner-group', '--build', root, file], { cwd: work, date });
}

/** As `dpkg --verify` wants them: all files but the configuration. */
function md5sums(root: string): string {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  const packed = names.filter((name) => !/^(DEBIAN|etc)(\/|$)/.test(name) && statSync(join(root, name)).isFile());
  return packed
    .map((name) => `${new Bun.CryptoHasher('md5').update(readFileSync(join(root, name))).digest('hex')}  ${name}\n`)
    .join('');
}

export const deb: PackageMaker = {
  name: 'deb',
  needs: { 'dpkg-deb': 'dpkg' },
  isFor: ({ system, libc }) => system === 'linux' && libc === 'glibc',
  make: (stage, out) =>
    inWorkplace(out, (work) => {
      const file = `octaskly_${packageVersion(stage.version)}_${architectures[stage.target.arch]}.deb`;
      build(stage, work, join(out, file));
      return [{ file, kind: 'package', target: stage.target.name }];
    }),
};
