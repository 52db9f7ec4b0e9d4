/**
 * What becomes of a service that was just started: an init system says that it began, not that it goes on. Looked at for
 * a second: longer than it takes a role to refuse its options, shorter than anybody minds.
 */

import { harmless } from '../base/harmless.ts';
import { note, type Terminal } from '../cli/context.ts';
import {
  commandOf,
  type InitName,
  type ServiceDefinition,
  serviceName,
  shellQuoted,
} from '../core/service/definition.ts';
import { stepsOf } from '../core/service/plan.ts';
import { type ServiceState, stateFrom } from '../core/service/state.ts';
import { askInit, servicePlaces } from '../runtime/service-host.ts';
import type { InstalledService } from './service-list.ts';
import { lastLogLines } from './service-logs.ts';

const watchMs = 1000;
const lookEveryMs = 100;
/** Of the log, to say why. */
const logLines = 5;

/** A task of Windows may be about to start for longer than that, and does not tell a failure from an end. */
const tellsEnds: Readonly<Record<InitName, boolean>> = {
  systemd: true,
  openrc: true,
  launchd: true,
  task: false,
  termux: true,
};

/** How a service is that was started and does not run; null: it runs, or nobody can say. */
export async function failedStart(service: InstalledService): Promise<ServiceState | null> {
  const { query } = stepsOf(service.init, service, servicePlaces());
  for (const until = performance.now() + watchMs; ; ) {
    const isLast = performance.now() >= until;
    const answer = await askInit(query);
    const state = answer === null ? null : stateFrom(service.init, answer);
    if (state?.condition === 'failed') return state;
    if (isLast) return state?.condition === 'stopped' && tellsEnds[service.init] ? state : null;
    await Bun.sleep(lookEveryMs);
  }
}

/** Says that it does not run, how its log ends, and what to do. */
export async function tellFailure(
  service: InstalledService & ServiceDefinition,
  { exitStatus }: ServiceState,
  terminal: Terminal,
): Promise<void> {
  const { account, role, instance } = service;
  const which = `${role}${instance === null ? '' : ` --name ${instance}`}`;
  const how = exitStatus === null || exitStatus === 0 ? '' : ` with status ${exitStatus}`;
  const lines = await lastLogLines(service, logLines, null);
  const end = lines.length === 0 ? '.' : '; its log ends with:';
  await note(terminal, `the service ${serviceName(service)} was started and ended at once${how}${end}`);
  await terminal.stderr.write(lines.map((line) => `  ${harmless(line)}\n`).join(''));
  const words = [...(account === null ? [] : ['sudo', '-u', account]), ...commandOf(service)];
  // Not every init system keeps what is said before the log is open.
  await note(terminal, `to see why, run it by hand: ${words.map(shellQuoted).join(' ')}`);
  await note(
    terminal,
    `then install it again with options that are right, or remove it: octaskly service uninstall ${which}`,
  );
}
