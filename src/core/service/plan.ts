/**
 * What is done on a machine to have a service there, and to have it gone: its file, and the commands of its init system,
 * as data. Carrying it out, and whether it may be, is `roles/service.ts`'s.
 * Invariant: what `removal` undoes is what `file` and `activation` made, under the same names, and nothing else.
 */

import { OctasklyError } from '../../base/errors.ts';
import {
  type InitName,
  type ServiceDefinition,
  type ServiceFile,
  type ServiceScope,
  serviceName,
} from './definition.ts';
import { launchdLabel, launchdPlist } from './launchd.ts';
import { openrcScript } from './openrc.ts';
import { scheduledTaskXml } from './scheduled-task.ts';
import { systemdUnit } from './systemd.ts';
import { termuxScript } from './termux.ts';

/** Where things are on this machine. */
export interface ServicePlaces {
  readonly homeDir: string;
  /** XDG_CONFIG_HOME, else ~/.config. */
  readonly configDir: string;
  /** Termux's PREFIX; elsewhere ''. */
  readonly prefix: string;
  readonly uid: number;
  /** `DOMAIN\name`, for Windows. */
  readonly user: string;
}

/** One command. A failure of what is `optional` says only that there was nothing to do. */
export interface ServiceStep {
  readonly argv: readonly [string, ...string[]];
  readonly optional: boolean;
}

/** How one init system is told of a service. */
export interface ServicePlan {
  readonly file: ServiceFile;
  /** Has it start at boot or logon. */
  readonly activation: readonly ServiceStep[];
  /** Has it run now, with the file as it is now. */
  readonly start: readonly ServiceStep[];
  /** Has it end now; it may not run. */
  readonly stop: readonly ServiceStep[];
  /** Before its file goes, and after. */
  readonly removal: readonly ServiceStep[];
  readonly afterRemoval: readonly ServiceStep[];
  /** Tells its state. */
  readonly query: readonly [string, ...string[]];
}

/** The same words, whether the service is known in full or only by its name. */
export type NamedService = Pick<ServiceDefinition, 'role' | 'instance' | 'scope'> & Partial<ServiceDefinition>;

/** Init systems that know services of this scope alone. */
const onlyScope: Partial<Record<InitName, ServiceScope>> = { openrc: 'system', termux: 'user' };

/** The scopes of which `init` keeps services. */
export function scopesOf(init: InitName): readonly ServiceScope[] {
  const only = onlyScope[init];
  return only === undefined ? ['user', 'system'] : [only];
}

/** Error: `usage` where `init` knows no services of that scope. */
export function checkScope(init: InitName, scope: ServiceScope): void {
  const only = onlyScope[init];
  if (only === undefined || only === scope) return;
  throw new OctasklyError('usage', `${init} keeps no services of the scope ${scope}: use --${only}.`);
}

const step = (...argv: readonly [string, ...string[]]): ServiceStep => ({ argv, optional: false });
const perhaps = (...argv: readonly [string, ...string[]]): ServiceStep => ({ argv, optional: true });

/** The log of a service that its init system keeps no log of; null: systemd's journal. */
export function serviceLogFile(init: InitName, service: Pick<ServiceDefinition, 'role' | 'instance'>, dataDir: string) {
  return init === 'systemd' ? null : `${dataDir}/${serviceName(service)}.log`;
}

/** Where the file of a service is. */
export function servicePath(init: InitName, service: NamedService, { homeDir, configDir }: ServicePlaces): string {
  const name = serviceName(service);
  const isSystem = service.scope === 'system';
  switch (init) {
    case 'systemd':
      return `${isSystem ? '/etc' : configDir}/systemd/${isSystem ? 'system' : 'user'}/${name}.service`;
    case 'openrc':
      return `/etc/init.d/${name}`;
    case 'launchd':
      return `${isSystem ? '/Library/LaunchDaemons' : `${homeDir}/Library/LaunchAgents`}/${launchdLabel(service)}.plist`;
    case 'task':
      return `${homeDir}/.octaskly/services/${name}.xml`;
    case 'termux':
      return `${homeDir}/.termux/boot/${name}`;
  }
}

/** Commands that tell of a service, start and remove it. */
export function stepsOf(init: InitName, service: NamedService, places: ServicePlaces): Omit<ServicePlan, 'file'> {
  const name = serviceName(service);
  const path = servicePath(init, service, places);
  switch (init) {
    case 'systemd':
      return systemdSteps(`${name}.service`, service.scope);
    case 'openrc':
      return {
        activation: [step('rc-update', 'add', name, 'default')],
        start: [step('rc-service', name, 'restart')],
        stop: [perhaps('rc-service', name, 'stop')],
        removal: [perhaps('rc-service', name, 'stop'), perhaps('rc-update', 'del', name, 'default')],
        afterRemoval: [],
        query: ['rc-service', name, 'status'],
      };
    case 'launchd': {
      const domain = service.scope === 'system' ? 'system' : `gui/${places.uid}`;
      const target = `${domain}/${launchdLabel(service)}`;
      return {
        activation: [perhaps('launchctl', 'bootout', target), step('launchctl', 'enable', target)],
        start: [step('launchctl', 'bootstrap', domain, path)],
        stop: [perhaps('launchctl', 'bootout', target)],
        removal: [perhaps('launchctl', 'bootout', target)],
        afterRemoval: [],
        query: ['launchctl', 'print', target],
      };
    }
    case 'task': {
      const task = `\\Octaskly\\${name}`;
      return {
        activation: [
          perhaps('schtasks', '/End', '/TN', task),
          step('schtasks', '/Create', '/TN', task, '/XML', path, '/F'),
        ],
        start: [step('schtasks', '/Run', '/TN', task)],
        stop: [perhaps('schtasks', '/End', '/TN', task)],
        removal: [perhaps('schtasks', '/End', '/TN', task), perhaps('schtasks', '/Delete', '/TN', task, '/F')],
        afterRemoval: [],
        query: ['schtasks', '/Query', '/TN', task, '/FO', 'CSV', '/NH', '/V'],
      };
    }
    case 'termux': {
      const pidFile = termuxPidFile(service, places);
      const stop = perhaps('sh', '-c', endScript, 'stop', pidFile);
      return {
        activation: [],
        start: [stop, step('sh', path)],
        stop: [stop],
        removal: [stop],
        afterRemoval: [],
        query: ['sh', '-c', 'pid=$(cat "$1") && kill -0 "$pid" && echo "pid $pid"', 'status', pidFile],
      };
    }
  }
}

/** Ends the process of a pid file, and waits for that. */
const endScript = 'pid=$(cat "$1") && kill "$pid" && while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done';

function systemdSteps(unit: string, scope: ServiceScope): Omit<ServicePlan, 'file'> {
  const control = (...words: readonly string[]): readonly [string, ...string[]] => [
    'systemctl',
    ...(scope === 'user' ? ['--user'] : []),
    ...words,
  ];
  const properties =
    'LoadState,ActiveState,SubState,UnitFileState,MainPID,ActiveEnterTimestamp,InactiveEnterTimestamp,NRestarts,Result,ExecMainStatus';
  return {
    activation: [step(...control('daemon-reload')), step(...control('enable', unit))],
    start: [step(...control('restart', unit))],
    stop: [perhaps(...control('stop', unit))],
    removal: [perhaps(...control('stop', unit)), step(...control('disable', unit))],
    afterRemoval: [step(...control('daemon-reload')), perhaps(...control('reset-failed', unit))],
    query: control('show', '--no-pager', `--property=${properties}`, unit),
  };
}

function termuxPidFile(service: NamedService, { homeDir }: ServicePlaces): string {
  return `${homeDir}/.octaskly/${serviceName(service)}.pid`;
}

/** All of it. Errors: `usage` for what the init system cannot hold, or a scope it does not know. */
export function planOf(init: InitName, service: ServiceDefinition, places: ServicePlaces): ServicePlan {
  checkScope(init, service.scope);
  const path = servicePath(init, service, places);
  const steps = stepsOf(init, service, places);
  return { ...steps, file: { path, ...textOf(init, service, places) } };
}

function textOf(init: InitName, service: ServiceDefinition, places: ServicePlaces): Omit<ServiceFile, 'path'> {
  switch (init) {
    case 'systemd':
      return { text: systemdUnit(service), mode: 0o644 };
    case 'openrc':
      return { text: openrcScript(service), mode: 0o755 };
    case 'launchd':
      return { text: launchdPlist(service, `${service.dataDir}/${serviceName(service)}.out`), mode: 0o644 };
    case 'task':
      return { text: scheduledTaskXml(service, places.user), mode: 0o600 };
    case 'termux':
      return {
        text: termuxScript(service, { prefix: places.prefix, pidFile: termuxPidFile(service, places) }),
        mode: 0o700,
      };
  }
}
