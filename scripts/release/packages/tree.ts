/**
 * What the packages for Debian and for rpm have in common: the files as they will lie on a machine, and their scripts.
 * The units are those of `octaskly service install --system`, for the program of the package.
 *
 * Invariant: each file has the time of the commit and a mode that does not depend on whoever builds.
 */

import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mark, packageMark, type ServiceDefinition, serviceName } from '../../../src/core/service/definition.ts';
import { systemdUnit } from '../../../src/core/service/systemd.ts';
import type { Target } from '../../../src/core/targets.ts';
import type { Stage } from '../stage.ts';
import { manualPage } from './manual.ts';

/** Directories in which distributions differ. */
export interface TreePlaces {
  readonly units: string;
  readonly zsh: string;
}

const base = {
  scope: 'system',
  instance: null,
  program: ['/usr/bin/octaskly'],
  writes: [],
  bindsLowPort: false,
} as const;

/** The services a package brings. The program for 32-bit ARM is no dispatcher. */
export function packagedServices({ runtime }: Pick<Target, 'runtime'>): readonly ServiceDefinition[] {
  const of = (role: ServiceDefinition['role'], account: string, more: readonly string[], stopSeconds: number) => {
    const dataDir = `/var/lib/${account}`;
    const options = [`--config=/etc/octaskly/${role}.toml`, ...more];
    return { ...base, role, account, dataDir, options, stopSeconds };
  };
  const worker = of('worker', 'octaskly-worker', ['--leave-within=10s'], 45);
  return runtime === 'node' ? [worker] : [of('dispatcher', 'octaskly', [], 30), worker];
}

/** The unit as a package brings it: what `octaskly service` must not take for its own. */
export function packagedUnit(service: ServiceDefinition): string {
  const whose = `${packageMark} change it by "systemctl edit ${serviceName(service)}".`;
  return systemdUnit(service).replace(mark, whose);
}

/** Writes a file with these permissions, and the directories to it. */
export function put(path: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
}

/** Gzip without the time. */
export function gzipped(text: string): Uint8Array {
  return Bun.gzipSync(text, { level: 9 });
}

/** Lays out in `root` what both have. */
export function layTree({ version, date, target, program, dir }: Stage, root: string, places: TreePlaces): void {
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  copyFileSync(program, join(root, 'usr/bin/octaskly'));
  chmodSync(join(root, 'usr/bin/octaskly'), 0o755);
  for (const service of packagedServices(target)) {
    put(join(root, places.units, `${serviceName(service)}.service`), packagedUnit(service));
    const configuration = `${service.role}.toml`;
    put(join(root, 'etc/octaskly', configuration), readFileSync(join(import.meta.dir, configuration)));
  }
  const completions = join(dir, 'completions');
  const share = join(root, 'usr/share');
  put(join(share, 'bash-completion/completions/octaskly'), readFileSync(join(completions, 'octaskly.bash')));
  put(join(root, places.zsh, '_octaskly'), readFileSync(join(completions, '_octaskly')));
  put(join(share, 'fish/vendor_completions.d/octaskly.fish'), readFileSync(join(completions, 'octaskly.fish')));
  put(join(share, 'man/man1/octaskly.1.gz'), gzipped(manualPage(version, date)));
}

/** A script of a package: what all of them can do, and then what this one does. `file` is relative to this directory. */
export function maintainerScript(file: string): string {
  const text = (name: string): string => readFileSync(join(import.meta.dir, name), 'utf8');
  return `#!/bin/sh\nset -e\n\n${text('maintain.sh')}\n${text(file)}`;
}

/** Gives everything below `root`, and itself, the time of the commit, and directories mode 0755. */
export function settle(root: string, date: Date): void {
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    const path = join(root, entry.name);
    if (entry.isDirectory()) settle(path, date);
    else utimesSync(path, date, date);
  }
  chmodSync(root, 0o755);
  utimesSync(root, date, date);
}

/** As Debian and rpm order versions: what comes before a release sorts before it. */
export function packageVersion(version: string): string {
  return version.replaceAll('-', '~');
}
