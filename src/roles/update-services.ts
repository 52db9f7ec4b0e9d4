/** Services of this machine that run a program which was just replaced: they are started anew, or it is said how. */

import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { reasonOf } from '../base/errors.ts';
import { note, type Terminal } from '../cli/context.ts';
import { type InitName, serviceName, shellQuoted } from '../core/service/definition.ts';
import { scopesOf, stepsOf } from '../core/service/plan.ts';
import { startsProgram } from '../core/service/program.ts';
import { stateFrom } from '../core/service/state.ts';
import { askInit, carryOut, findInit, servicePlaces } from '../runtime/service-host.ts';
import { type InstalledService, installedServices } from './service-list.ts';

/** Paths in the file of a service that are looked at. */
const pathsMax = 100;

/** Starts those anew that run; `wanted` false only says how. Never rejects for their sake: the program is replaced. */
export async function restartServices(program: string, wanted: boolean, terminal: Terminal): Promise<void> {
  const running = await servicesOf(program);
  for (const service of running) {
    const { start } = stepsOf(service.init, service, servicePlaces());
    const lines = start.map(({ argv }) => argv.map(shellQuoted).join(' ')).join(' && ');
    const name = serviceName(service);
    if (!wanted || (service.scope === 'system' && process.getuid?.() !== 0)) {
      await note(terminal, `the service ${name} goes on with the version before until: ${lines}`);
      continue;
    }
    try {
      await carryOut(start);
      await terminal.stdout.write(`Started the service ${name} anew.\n`);
    } catch (error) {
      await note(terminal, `the service ${name} was not started anew (${reasonOf(error)}): ${lines}`);
    }
  }
  if (running.length === 0) await note(terminal, 'what runs goes on with the version before until it is started anew.');
}

async function servicesOf(program: string): Promise<readonly InstalledService[]> {
  const found = findInit();
  if (found === null || !found.isRunning) return [];
  const services = installedServices(found.init, scopesOf(found.init), servicePlaces());
  const own = services.filter(({ path }) => starts(found.init, path, program));
  const states = await Promise.all(
    own.map(async (service) => {
      const answer = await askInit(stepsOf(found.init, service, servicePlaces()).query);
      return { service, state: stateFrom(found.init, answer ?? { status: null, text: '' }) };
    }),
  );
  return states.filter(({ state }) => state.condition === 'running').map(({ service }) => service);
}

/** Whether that file starts this program, by this name or another that leads to it. */
function starts(init: InitName, path: string, program: string): boolean {
  try {
    const text = readFileSync(path, 'utf8');
    return startsProgram(init, text, program) || pathsIn(text).some((each) => leadsTo(each, program));
  } catch {
    return false;
  }
}

/** Files of packages, and those people write, do not quote it. */
function pathsIn(text: string): readonly string[] {
  return (text.match(/(?<![^\s="'>])\/[^\s"'<>]+/g) ?? []).slice(0, pathsMax);
}

function leadsTo(path: string, program: string): boolean {
  return existsSync(path) && realpathSync(path) === program;
}
