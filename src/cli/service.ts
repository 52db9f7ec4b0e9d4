/**
 * `service ACTION ROLE [OPTIONS]`: its tables, which depend on both words, and what is asked for, as data. Options of the
 * role stand among those of the command, or behind `--`; what was given on the line or in the environment is kept in the
 * service, what stands in its `config.toml` is read by it there.
 *
 * Invariant: a secret, join token or address of a webhook never is among the words that are kept.
 */

import { namePattern } from '../core/names.ts';
import { type InitName, type ServiceRole, serviceRoles } from '../core/service/definition.ts';
import { type ConfigFile, fromFile, resolveOptions, type Sources, variableOf } from './config.ts';
import type { Option, OptionTable, Values } from './option.ts';
import { dispatcherOptions, workerOptions } from './options.ts';
import { type Given, parseLine, tooMuch, usage } from './parse.ts';
import {
  serviceInstallOptions,
  serviceLogOptions,
  serviceOptions,
  serviceUninstallOptions,
} from './service-options.ts';
import { placeOptions, printOptions } from './shared-options.ts';
import { subcommandOf } from './subcommand.ts';

export const serviceActions = ['install', 'uninstall', 'status', 'logs'] as const;
type ServiceAction = (typeof serviceActions)[number];

/** Which service is meant. */
export interface ServiceWish {
  /** Null: any that is there. */
  readonly role: ServiceRole | null;
  readonly instance: string | null;
  /** Null: root's is the machine's, anybody else's their own. */
  readonly scope: 'user' | 'system' | null;
  /** Null: what runs here. */
  readonly init: InitName | null;
}

/** An option of the role to be kept, as it was given. */
export interface KeptOption {
  readonly flag: string;
  readonly text: string;
  readonly isPath: boolean;
  /** It has to be there. */
  readonly isRead: boolean;
}

/** Files to be read that a config file names, and which file that is: the service's own, or another's. */
export interface ConfiguredPaths {
  readonly file: string;
  readonly options: readonly KeptOption[];
}

export interface InstallRequest extends ServiceWish {
  readonly action: 'install';
  readonly role: ServiceRole;
  readonly runAs: string | null;
  readonly now: boolean;
  readonly linger: boolean;
  readonly dryRun: boolean;
  readonly options: readonly KeptOption[];
  /** What the role would read from the config file that was found, unless `options` say otherwise; null: none was found. */
  readonly configured: ConfiguredPaths | null;
  readonly join: string | null;
  /** What the worker is to be called; null: not said. */
  readonly workerName: string | null;
  readonly secret: string | undefined;
  readonly secretFile: string | undefined;
  /** Null: not said. */
  readonly leaveWithinMs: number | null;
  readonly ports: readonly number[];
  /** Addresses to tell what happens; who knows one may use it. */
  readonly notify: readonly string[];
}

/** What is to go. */
export interface UninstallRequest extends ServiceWish {
  readonly action: 'uninstall';
  /** Every service that runs this program, not the one that is meant. */
  readonly all: boolean;
  readonly dryRun: boolean;
}

export type ServiceRequest =
  | InstallRequest
  | UninstallRequest
  | (ServiceWish & {
      readonly action: 'status';
      readonly output: 'table' | 'json' | 'quiet';
      readonly dataDir: string | null;
    })
  | (ServiceWish & {
      readonly action: 'logs';
      readonly follow: boolean;
      readonly sinceMs: number | null;
      readonly lines: number;
      readonly dataDir: string | null;
    });

const { ui: _ui, ...dispatcherKept } = dispatcherOptions;
const { newIdentity: _newIdentity, ...workerKept } = workerOptions;
const roleTables: Readonly<Record<ServiceRole, OptionTable>> = { dispatcher: dispatcherKept, worker: workerKept };
/** Given to the service by other ways than its command line. */
const notKept = ['secret', 'secretFile', 'join', 'notify'];

const { dataDir } = placeOptions;
const { dryRun } = serviceInstallOptions;

/** Every option of the command itself, for its help. */
export const allServiceOptions = {
  ...{ ...serviceOptions, ...serviceInstallOptions, ...serviceUninstallOptions },
  ...{ ...serviceLogOptions, ...printOptions },
};

const roleNamed = (word: string | undefined): ServiceRole | null => {
  return serviceRoles.find((role) => role === word || (word?.length === 1 && role.startsWith(word))) ?? null;
};

/** The options of the form that the words of `line` name; those of the command itself where they name none. */
export function serviceTable(line: readonly string[]): OptionTable {
  const words = line.filter((word) => !word.startsWith('-'));
  switch (serviceActions.find((action) => action === words[0])) {
    case 'install': {
      const role = words.map(roleNamed).find((found) => found !== null) ?? null;
      const name = role === 'worker' ? workerOptions.name : serviceOptions.name;
      return { ...(role === null ? {} : roleTables[role]), ...serviceOptions, ...serviceInstallOptions, name };
    }
    case 'uninstall':
      return { ...serviceOptions, ...serviceUninstallOptions, dryRun };
    case 'status':
      return { ...serviceOptions, ...printOptions, dataDir };
    case 'logs':
      return { ...serviceOptions, ...serviceLogOptions, dataDir };
    case undefined:
      return allServiceOptions;
  }
}

/** What is asked for. Error: `usage`. `values` are those of `serviceTable`. */
export function serviceRequest(
  values: Values<OptionTable>,
  words: readonly string[],
  sources: Sources,
): ServiceRequest {
  const action = subcommandOf('service', serviceActions, words);
  if (action === null) throw usage(`Something is missing: octaskly service ${serviceActions.join('|')}.`);
  const role = roleNamed(words[1]);
  if (words[1] !== undefined && role === null) {
    throw usage(`"${words[1]}" is no role: octaskly service ${action} ${serviceRoles.join('|')}.`);
  }
  const own = resolveOptions(serviceOptions, { ...sources, given: ownOf(sources.given) });
  if (own.user && own.system) throw usage('--user and --system contradict each other: give one of them.');
  const scope = own.user ? 'user' : own.system ? 'system' : null;
  if (own.name !== undefined && !namePattern.test(own.name)) {
    throw usage(
      `--name "${own.name}" is not a name: up to 64 letters, digits, ".", "_" and "-" are, beginning with a letter or digit.`,
    );
  }
  const wish: ServiceWish = { role, instance: own.name ?? null, scope, init: own.init ?? null };
  if (action === 'install') return installRequest({ ...wish, values, behind: words.slice(2), sources });
  const surplus = words[2];
  if (surplus !== undefined) throw tooMuch(surplus, `octaskly service ${action} [${serviceRoles.join('|')}]`);
  return lookRequest(action, wish, values, sources);
}

function lookRequest(
  action: Exclude<ServiceAction, 'install'>,
  wish: ServiceWish,
  values: Values<OptionTable>,
  sources: Sources,
): ServiceRequest {
  const placed = sources.given.has('dataDir') ? String(values.dataDir) : null;
  switch (action) {
    case 'uninstall':
      return { ...wish, action, all: values.all === true, dryRun: values.dryRun === true };
    case 'status':
      return { ...wish, action, ...resolveOptions(printOptions, sources), dataDir: placed };
    case 'logs': {
      const { follow, since, lines } = resolveOptions(serviceLogOptions, sources);
      return { ...wish, action, follow, lines, sinceMs: since ?? null, dataDir: placed };
    }
  }
}

/** What was given for the options that say which service is meant. */
function ownOf(given: Sources['given']): Sources['given'] {
  return new Map([...given].filter(([key]) => Object.hasOwn(serviceOptions, key)));
}

interface InstallLine extends ServiceWish {
  readonly values: Values<OptionTable>;
  readonly behind: readonly string[];
  readonly sources: Sources;
}

function installRequest({ role, values, behind, sources, ...wish }: InstallLine): InstallRequest {
  if (role === null) throw usage(`Which role? octaskly service install ${serviceRoles.join('|')} [OPTIONS].`);
  const table = roleTables[role];
  refuseOwn(behind, table, role);
  const more = parseLine(behind, table, 'anywhere');
  const [surplus] = more.words;
  if (surplus !== undefined || more.help) {
    throw tooMuch(surplus ?? '--help', `octaskly service install ${role} [OPTIONS]`);
  }
  const given = new Map([...sources.given].filter(([key]) => Object.hasOwn(table, key)));
  for (const [key, texts] of more.given) given.set(key, texts);
  // The config file is the service's own to read; this one may be another's.
  const settled = resolveOptions(table, { ...sources, given, file: null });
  const { leaveWithinMs, port, apiPort, join, secret, secretFile, name } = settled;
  const options = keptOptions(table, given, sources.env);
  return {
    ...{ ...wish, action: 'install', role },
    ...resolveOptions(serviceInstallOptions, sources),
    runAs: typeof values.runAs === 'string' ? values.runAs : null,
    options,
    configured: configuredPaths(table, options, sources.file),
    join: typeof join === 'string' ? join : null,
    workerName: typeof name === 'string' ? name : null,
    secret: typeof secret === 'string' ? secret : undefined,
    secretFile: typeof secretFile === 'string' ? secretFile : undefined,
    leaveWithinMs: typeof leaveWithinMs === 'number' ? leaveWithinMs : null,
    notify: Array.isArray(settled.notify) ? settled.notify.map(String) : [],
    ports: role === 'dispatcher' ? [port, apiPort].filter((one) => typeof one === 'number') : [],
  };
}

/** Error: `usage` for an option of the command that stands among those of the role, which do not have it. */
function refuseOwn(behind: readonly string[], table: OptionTable, role: ServiceRole): void {
  const flagsOf = (options: OptionTable): string[] => Object.values(options).map(({ flag }) => flag);
  const known = flagsOf(table);
  const own = flagsOf({ ...serviceOptions, ...serviceInstallOptions }).filter((flag) => !known.includes(flag));
  const flags = behind.filter((word) => word.startsWith('--')).map((word) => word.replace(/=.*/s, ''));
  const flag = flags.find((word) => own.includes(word.replace(/^--(?:no-)?/, '')));
  if (flag === undefined) return;
  throw usage(
    `${flag} is an option of 'service install' itself and belongs before the "--": octaskly service install ${role} ${flag} -- [OPTIONS of the ${role}].`,
  );
}

function keptOptions(table: OptionTable, given: Sources['given'], env: Sources['env']): KeptOption[] {
  return Object.entries(table).flatMap(([key, option]) => {
    if (notKept.includes(key)) return [];
    const texts = given.get(key) ?? (option.lasting ? inEnvironment(option, env) : []);
    const counted = option.repeatable ? texts : texts.slice(-1);
    return counted.map(({ text }) => keptOf(option, text));
  });
}

function keptOf({ flag, isPath, isRead }: Option<unknown>, text: string): KeptOption {
  return { flag, text, isPath, isRead };
}

function configuredPaths(
  table: OptionTable,
  kept: readonly KeptOption[],
  file: ConfigFile | null,
): ConfiguredPaths | null {
  if (file === null) return null;
  const open = Object.values(table).filter(
    ({ flag, isRead, lasting }) => isRead && lasting && !kept.some((one) => one.flag === flag),
  );
  const options = open.flatMap((option) => fromFile(option, file).map(({ text }) => keptOf(option, text)));
  return { file: file.path, options };
}

function inEnvironment(option: Option<unknown>, env: Sources['env']): readonly Given[] {
  const names = [option.flag, ...option.aliases].map(variableOf);
  const source = names.find((name) => (env[name] ?? '') !== '');
  if (source === undefined) return [];
  const text = env[source] ?? '';
  const texts = option.repeatable ? text.split(',').filter((part) => part !== '') : [text];
  return texts.map((one) => ({ text: one, source }));
}
