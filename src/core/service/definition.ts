/**
 * What a service of Octaskly is, whatever keeps it running: a role, a program with its arguments, and on whose behalf.
 * The texts for each init system are made from it by the files beside this one.
 *
 * Deliberately not here: secrets. Arguments stand in files and process lists that others can read.
 * Invariant: the names of two services are the same only where role and instance are.
 */

import { OctasklyError } from '../../base/errors.ts';

export const serviceRoles = ['dispatcher', 'worker'] as const;
export type ServiceRole = (typeof serviceRoles)[number];

/** What keeps a service running. */
export const initNames = ['systemd', 'openrc', 'launchd', 'task', 'termux'] as const;
export type InitName = (typeof initNames)[number];

/** `user`: while, or as far as, its owner is there, with its rights; `system`: from boot on. */
export type ServiceScope = 'user' | 'system';

export interface ServiceDefinition {
  readonly role: ServiceRole;
  readonly scope: ServiceScope;
  /** Tells several services of one role apart; null: the one without a name. Letters, digits, ".", "_", "-". */
  readonly instance: string | null;
  /** Absolute path of the program, with what must stand before its arguments. */
  readonly program: readonly [string, ...string[]];
  /** Options of the role, as words `--flag=value`; never a secret. */
  readonly options: readonly string[];
  /** Account of a system service; null in the scope `user`. */
  readonly account: string | null;
  /** Absolute. */
  readonly dataDir: string;
  /** Directories beside `dataDir` that it writes to (log, database), absolute. */
  readonly writes: readonly string[];
  /** How long it may take from the order to stop to its end, in whole seconds. */
  readonly stopSeconds: number;
  /** It listens below port 1024, which takes a right of its own. */
  readonly bindsLowPort: boolean;
}

/** A file of a service, whole. */
export interface ServiceFile {
  readonly path: string;
  readonly text: string;
  /** Permission bits. */
  readonly mode: number;
}

/** Stands in each file that is made here, and tells it from what somebody else made. */
export const mark = "Made by 'octaskly service install'; installing again replaces it.";

/** Stands instead of it in the files of the packages. */
export const packageMark = 'Of the package octaskly:';

/** `octaskly-worker`, `octaskly-worker-attic`: the name of unit, task and file. */
export function serviceName({ role, instance }: Pick<ServiceDefinition, 'role' | 'instance'>): string {
  return `octaskly-${role}${instance === null ? '' : `-${instance}`}`;
}

/** One line for people. */
export function serviceTitle({ role, instance }: Pick<ServiceDefinition, 'role' | 'instance'>): string {
  return `Octaskly ${role}${instance === null ? '' : ` ${instance}`}`;
}

/** The words that start it, program first. */
export function commandOf({ program, role, options }: ServiceDefinition): readonly [string, ...string[]] {
  return [...program, role, ...options];
}

/** A word for a POSIX shell: in single quotes, which leave every character as it is (POSIX.1, 2.2.2). */
export function shellQuoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Text for XML 1.0, element or attribute. Error: `usage` for characters that XML cannot hold at all. */
export function xmlText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u.test(text)) {
    throw new OctasklyError('usage', 'A control character in an option or path cannot be kept in an XML file.');
  }
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    '\r': '&#13;',
    '\n': '&#10;',
    '\t': '&#9;',
  };
  return text.replace(/[&<>"\r\n\t]/g, (char) => entities[char] ?? char);
}
