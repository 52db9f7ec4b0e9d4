/**
 * `octaskly service status`: of each service whether it runs, since when, what it said last, and what to do next.
 * Exit status as the Linux Standard Base has it for init scripts: 0 all run, 3 one does not, 4 there is none.
 */

import { formatDuration } from '../base/duration.ts';
import { shownOn, type Terminal } from '../cli/context.ts';
import { type OutputForm, writeFacts, writeJson } from '../cli/print.ts';
import { serviceName } from '../core/service/definition.ts';
import { stepsOf } from '../core/service/plan.ts';
import { type ServiceState, stateFrom } from '../core/service/state.ts';
import { askInit, servicePlaces } from '../runtime/service-host.ts';
import type { ServiceGround } from './service-ground.ts';
import type { InstalledService } from './service-list.ts';
import { lastLogLines } from './service-logs.ts';

const allRunStatus = 0;
const oneStoppedStatus = 3;
const noneStatus = 4;
/** Of the log, for a first look. */
const logLines = 5;

interface Seen {
  readonly service: InstalledService;
  readonly state: ServiceState;
  readonly log: readonly string[];
}

/** Prints what is known of the services. */
export async function showStatus(
  services: readonly InstalledService[],
  place: ServiceGround & { readonly dataDir: string | null },
  form: OutputForm,
  terminal: Terminal,
): Promise<number> {
  const seen = await Promise.all(services.map((service) => look(service, place)));
  const runs = seen.every(({ state }) => state.condition === 'running');
  const status = seen.length === 0 ? noneStatus : runs ? allRunStatus : oneStoppedStatus;
  if (form === 'json') await writeJson(terminal, { services: seen.map(jsonOf) });
  else if (form === 'quiet') await terminal.stdout.write(seen.map(({ state }) => `${state.condition}\n`).join(''));
  else if (seen.length === 0) await terminal.stdout.write(nothingHere);
  else {
    for (const [index, one] of seen.entries()) {
      if (index > 0) await terminal.stdout.write('\n');
      await print(one, terminal);
    }
  }
  return status;
}

const nothingHere = 'There is no such service here. To have one: octaskly service install dispatcher|worker\n';

async function look(
  service: InstalledService,
  { offline, dataDir }: Pick<ServiceGround, 'offline'> & { readonly dataDir: string | null },
): Promise<Seen> {
  const { query } = stepsOf(service.init, service, servicePlaces());
  const answer = offline ? null : await askInit(query);
  const state = stateFrom(service.init, answer ?? { status: null, text: '' });
  return { service, state, log: offline ? [] : await lastLogLines(service, logLines, dataDir) };
}

function jsonOf({ service, state, log }: Seen): unknown {
  const { init, role, instance, scope, path } = service;
  const since = state.sinceMs === null ? null : new Date(state.sinceMs).toISOString();
  return {
    ...{ name: serviceName(service), role, instance, scope, init, status: state.condition, since },
    ...{ pid: state.pid, enabled: state.enabled, restarts: state.restarts, exit_status: state.exitStatus },
    ...{ file: path, log, next: nextStep(service, state) },
  };
}

async function print({ service, state, log }: Seen, terminal: Terminal): Promise<void> {
  const { condition, sinceMs, pid, enabled, restarts, exitStatus } = state;
  const since = sinceMs === null ? '' : ` for ${formatDuration(terminal.now() - sinceMs)}`;
  await writeFacts(terminal, [
    ['service', `${serviceName(service)} (${service.init}, ${service.scope})`],
    ['status', `${condition}${since}`],
    ['pid', pid],
    ['at boot', enabled === null ? null : enabled ? 'starts' : 'does not start'],
    ['restarts', restarts === 0 ? null : restarts],
    ['exit status', exitStatus === 0 ? null : exitStatus],
    ['file', service.path],
    ['next', nextStep(service, state)],
  ]);
  if (log.length === 0) return;
  await terminal.stdout.write(`\n${log.map((line) => `  ${shownOn(terminal.stdout, line)}\n`).join('')}`);
}

/** What to do now; null where nothing is to be done. */
function nextStep({ role, instance, init }: InstalledService, { condition, exitStatus }: ServiceState): string | null {
  const which = `${role}${instance === null ? '' : ` --name ${instance}`}`;
  switch (condition) {
    case 'running':
    case 'starting':
    case 'stopping':
      return null;
    case 'stopped':
      return `octaskly service install ${which} with its options starts it again`;
    case 'failed':
      return exitStatus === 2
        ? `its options are not valid: octaskly service logs ${which}, then install it again`
        : `octaskly service logs ${which} says why`;
    case 'unknown':
      return `${init} does not answer: does it run here, and may this account ask it?`;
  }
}
