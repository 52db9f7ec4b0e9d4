/** What keeps services running where `octaskly service` is called, as asked for or as found. */

import { OctasklyError } from '../base/errors.ts';
import type { ServiceWish } from '../cli/service.ts';
import { type InitName, initNames, type ServiceScope } from '../core/service/definition.ts';
import { findInit } from '../runtime/service-host.ts';

export interface ServiceGround {
  readonly init: InitName;
  readonly scope: ServiceScope;
  /** The init system is there but does not run: what it is told holds from the next boot on. */
  readonly offline: boolean;
}

/** Error: `usage` where nothing is known that does. */
export function groundFor({ init, scope }: ServiceWish): ServiceGround {
  const found = findInit();
  const chosen = init ?? found?.init;
  if (chosen === undefined) {
    throw new OctasklyError(
      'usage',
      `Nothing that keeps services running is known here (systemd, OpenRC, launchd, Task Scheduler, Termux:Boot). Have what starts this machine run 'octaskly worker', or name one of ${initNames.join(', ')} with --init and --dry-run to see its file.`,
    );
  }
  const isRoot = process.getuid?.() === 0;
  const usual = chosen === 'openrc' || (isRoot && chosen !== 'termux') ? 'system' : 'user';
  return { init: chosen, scope: scope ?? usual, offline: found?.init !== chosen || !found.isRunning };
}

/** Of these steps those that make sense where the init system does not run. */
export function online<T extends { readonly argv: readonly string[] }>(
  steps: readonly T[],
  { offline }: Pick<ServiceGround, 'offline'>,
): readonly T[] {
  return offline ? steps.filter(({ argv }) => argv.includes('enable') || argv.includes('disable')) : steps;
}
