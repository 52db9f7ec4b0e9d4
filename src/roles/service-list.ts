/** Which services of Octaskly there are on this machine, by their files. */

import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { namePattern } from '../core/names.ts';
import {
  type InitName,
  mark,
  packageMark,
  type ServiceRole,
  type ServiceScope,
  serviceRoles,
} from '../core/service/definition.ts';
import { type ServicePlaces, servicePath } from '../core/service/plan.ts';
import { serviceText } from '../runtime/service-host.ts';

export interface InstalledService {
  readonly init: InitName;
  readonly role: ServiceRole;
  readonly instance: string | null;
  readonly scope: ServiceScope;
  readonly path: string;
  /** Who wrote its file: `service install`, a package of ours, or somebody. */
  readonly maker: 'install' | 'package' | 'somebody';
}

/** Where packages put their units. */
const packagedUnits = ['/usr/lib/systemd/system', '/lib/systemd/system'];

/** Those of the scopes, user's first. Directories that are not there, or cannot be read, hold none. */
export function installedServices(
  init: InitName,
  scopes: readonly ServiceScope[],
  places: ServicePlaces,
): readonly InstalledService[] {
  const found = new Map<string, InstalledService>();
  for (const scope of scopes) {
    for (const role of serviceRoles) {
      const path = servicePath(init, { role, instance: null, scope }, places);
      const packaged = init === 'systemd' && scope === 'system' ? packagedUnits : [];
      for (const directory of [dirname(path), ...packaged]) {
        for (const instance of instancesIn(directory, path)) {
          const key = [scope, role, instance].join(' ');
          const file = join(directory, nameOf(path, instance));
          if (!found.has(key)) found.set(key, { init, role, instance, scope, path: file, maker: makerOf(file) });
        }
      }
    }
  }
  return [...found.values()];
}

/** The file of an instance, by that of the service without one. */
function nameOf(path: string, instance: string | null): string {
  const [, stem = '', end = ''] = partsOf(path);
  return instance === null ? `${stem}${end}` : `${stem}${separatorOf(path)}${instance}${end}`;
}

function partsOf(path: string): readonly string[] {
  return /([^/]*?)(\.service|\.plist|\.xml)?$/.exec(path) ?? [];
}

function separatorOf(path: string): string {
  return path.endsWith('.plist') ? '.' : '-';
}

function instancesIn(directory: string, path: string): (string | null)[] {
  const [, stem = '', end = ''] = partsOf(path);
  let names: string[] = [];
  try {
    names = readdirSync(directory);
  } catch {
    return [];
  }
  return names.flatMap((name): (string | null)[] => {
    if (name === `${stem}${end}`) return [null];
    const start = `${stem}${separatorOf(path)}`;
    if (!name.startsWith(start) || !name.endsWith(end)) return [];
    const instance = name.slice(start.length, name.length - end.length);
    return namePattern.test(instance) ? [instance] : [];
  });
}

/** A file that cannot be read is not taken for ours. */
function makerOf(path: string): InstalledService['maker'] {
  const text = serviceText(path);
  if (text?.includes(mark) === true) return 'install';
  return text?.includes(packageMark) === true ? 'package' : 'somebody';
}
