/**
 * `octaskly service`: has a role kept running by what keeps services on this machine, and tells of it. Finds out what is
 * meant and what is here, and sends each action on.
 */

import { OctasklyError } from '../base/errors.ts';
import type { Terminal } from '../cli/context.ts';
import { note } from '../cli/context.ts';
import type { ServiceRequest, ServiceWish, UninstallRequest } from '../cli/service.ts';
import { serviceName, shellQuoted } from '../core/service/definition.ts';
import { checkScope, scopesOf, stepsOf } from '../core/service/plan.ts';
import { startsProgram } from '../core/service/program.ts';
import { ownCommandLine } from '../runtime/isolation.ts';
import { carryOut, findInit, ownFile, removeServiceFile, servicePlaces } from '../runtime/service-host.ts';
import { groundFor, online, type ServiceGround } from './service-ground.ts';
import { installService } from './service-install.ts';
import { type InstalledService, installedServices } from './service-list.ts';
import { showLogs } from './service-logs.ts';
import { showStatus } from './service-status.ts';

/** Exit status as documented in `docs/SERVICE.md`. Errors: `usage`, `forbidden`, `conflict`, `io`, and those of joining. */
export async function runService(request: ServiceRequest, terminal: Terminal): Promise<number> {
  if (request.action === 'uninstall' && request.all) return uninstallAll(request, terminal);
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

/** The services of ours that are here and fit what was asked for: of the scope named, else of both. */
function meant(wish: ServiceWish, { init }: ServiceGround): readonly InstalledService[] {
  const scopes = scopesOf(init).filter((scope) => wish.scope === null || scope === wish.scope);
  return installedServices(init, scopes, servicePlaces()).filter(
    ({ role, instance, maker }) =>
      maker !== 'somebody' &&
      (wish.role === null || role === wish.role) &&
      (wish.instance === null || instance === wish.instance),
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

async function uninstall(request: UninstallRequest, ground: ServiceGround, terminal: Terminal): Promise<number> {
  const own = meant({ ...request, scope: ground.scope }, ground).filter(({ maker }) => maker === 'install');
  if (own.length === 0) {
    await note(terminal, `there is no such service of the scope ${ground.scope}; nothing was removed.`);
    return 0;
  }
  await remove(theOne(own, 'uninstall'), request, ground, terminal);
  return 0;
}

/**
 * Before the program goes: what would go on starting it. Each is tried, so that one that cannot be removed does not keep
 * another. Errors: as `uninstall`, the first.
 */
async function uninstallAll(request: UninstallRequest, terminal: Terminal): Promise<number> {
  const [program = ''] = ownCommandLine();
  const found = request.init === null && findInit() === null ? null : groundFor(request);
  const services =
    found === null ? [] : meant(request, found).filter((each) => each.maker === 'install' && runs(each, program));
  if (services.length === 0) await note(terminal, 'there is no service that runs this program; nothing was removed.');
  const failures: unknown[] = [];
  for (const service of services) {
    try {
      await remove(service, request, groundFor({ ...request, scope: service.scope }), terminal);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return 0;
}

function runs({ init, path }: InstalledService, program: string): boolean {
  const text = ownFile(path);
  return text !== null && startsProgram(init, text, program);
}

async function remove(
  service: InstalledService,
  { dryRun }: UninstallRequest,
  ground: ServiceGround,
  terminal: Terminal,
): Promise<void> {
  const plan = stepsOf(ground.init, service, servicePlaces());
  if (dryRun) {
    const lines = [...plan.removal, ...plan.afterRemoval].map(({ argv }) => argv.map(shellQuoted).join(' '));
    await terminal.stdout.write(`${[`# removes ${service.path}`, ...lines].join('\n')}\n`);
    return;
  }
  await carryOut(online(plan.removal, ground), ground);
  removeServiceFile(service.path);
  await carryOut(online(plan.afterRemoval, ground), ground);
  await terminal.stdout.write(
    `Removed the service ${serviceName(service)} (${service.path}). Its data directory, and the account it ran as, stay.\n`,
  );
}
