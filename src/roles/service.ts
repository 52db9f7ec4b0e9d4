/**
 * `octaskly service`: has a role kept running by what keeps services on this machine, and tells of it. Finds out what is
 * meant and what is here, and sends each action on.
 */

import { OctasklyError } from '../base/errors.ts';
import type { Terminal } from '../cli/context.ts';
import { note } from '../cli/context.ts';
import type { ServiceRequest, ServiceWish } from '../cli/service.ts';
import { serviceName, shellQuoted } from '../core/service/definition.ts';
import { checkScope, scopesOf, stepsOf } from '../core/service/plan.ts';
import { carryOut, removeServiceFile, servicePlaces } from '../runtime/service-host.ts';
import { groundFor, online, type ServiceGround } from './service-ground.ts';
import { installService } from './service-install.ts';
import { type InstalledService, installedServices } from './service-list.ts';
import { showLogs } from './service-logs.ts';
import { showStatus } from './service-status.ts';

/** Exit status as documented in `docs/SERVICE.md`. Errors: `usage`, `forbidden`, `conflict`, `io`, and those of joining. */
export async function runService(request: ServiceRequest, terminal: Terminal): Promise<number> {
  const ground = groundFor(request);
  switch (request.action) {
    case 'install':
      checkScope(ground.init, ground.scope);
      return installService(request, ground, terminal);
    case 'uninstall':
      return uninstall(request, ground, terminal);
    case 'status':
      return showStatus(meant(request, ground), { ...ground, dataDir: request.dataDir }, request.output, terminal);
    case 'logs':
      return showLogs(theOne(meant(request, ground), 'logs'), request, terminal);
  }
}

/** The services that are here and fit what was asked for: of the scope named, else of both. */
function meant(wish: ServiceWish, { init }: ServiceGround): readonly InstalledService[] {
  const scopes = scopesOf(init).filter((scope) => wish.scope === null || scope === wish.scope);
  return installedServices(init, scopes, servicePlaces()).filter(
    ({ role, instance }) =>
      (wish.role === null || role === wish.role) && (wish.instance === null || instance === wish.instance),
  );
}

/** Errors: `not_found`, `usage` when there are several. */
function theOne(services: readonly InstalledService[], action: string): InstalledService {
  const [first, second] = services;
  if (first === undefined) {
    throw new OctasklyError('not_found', "There is no such service here. 'octaskly service status' lists all.");
  }
  if (second === undefined) return first;
  const names = services.map((each) => `${serviceName(each)} (${each.scope})`).join(', ');
  const how = `octaskly service ${action} ROLE --name NAME, --user or --system`;
  throw new OctasklyError('usage', `Several services are meant: ${names}. Name one: ${how}.`);
}

async function uninstall(
  request: ServiceWish & { readonly dryRun: boolean },
  ground: ServiceGround,
  terminal: Terminal,
): Promise<number> {
  const own = meant({ ...request, scope: ground.scope }, ground).filter(({ isOurs }) => isOurs);
  if (own.length === 0) {
    await note(terminal, `there is no such service of the scope ${ground.scope}; nothing was removed.`);
    return 0;
  }
  const service = theOne(own, 'uninstall');
  const plan = stepsOf(ground.init, service, servicePlaces());
  if (request.dryRun) {
    const lines = [...plan.removal, ...plan.afterRemoval].map(({ argv }) => argv.map(shellQuoted).join(' '));
    await terminal.stdout.write(`${[`# removes ${service.path}`, ...lines].join('\n')}\n`);
    return 0;
  }
  await carryOut(online(plan.removal, ground), ground);
  removeServiceFile(service.path);
  await carryOut(online(plan.afterRemoval, ground), ground);
  await terminal.stdout.write(
    `Removed the service ${serviceName(service)} (${service.path}). Its data directory, and the account it ran as, stay.\n`,
  );
  return 0;
}
