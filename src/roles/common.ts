/** What every role starts with: its log, its paths, its secret, and how it ends on a signal. */

import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import { expandHome } from '../cli/config.ts';
import { namePattern } from '../core/names.ts';
import type { Log } from '../ports/time.ts';
import { readPrivate } from '../runtime/data-dir.ts';
import { createLog } from '../runtime/log.ts';

interface LogValues {
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly logFile: string | undefined;
  readonly logFormat: 'text' | 'json';
}

export function logOf({ verbose, quiet, logFile, logFormat }: LogValues): Log {
  const level = quiet ? 'error' : verbose ? 'debug' : 'info';
  return createLog({ level, format: logFormat, file: logFile === undefined ? null : absolute(logFile) });
}

/** An absolute path; `~/` is the home directory. */
export function absolute(path: string): string {
  return resolve(expandHome(path, homedir()));
}

/** The cluster secret given by option, variable or file; null when none is. Errors: `usage`, `forbidden`, `io`. */
export function givenSecret(values: { secret: string | undefined; secretFile: string | undefined }): string | null {
  if (values.secret !== undefined) return checkedSecret(values.secret, '--secret');
  if (values.secretFile === undefined) return null;
  const path = absolute(values.secretFile);
  const secret = readPrivate(path);
  if (secret === null) throw new OctasklyError('usage', `There is no secret file "${path}".`);
  return checkedSecret(secret, `"${path}"`);
}

function checkedSecret(secret: string, from: string): string {
  if (secret.trim() !== '') return secret.trim();
  throw new OctasklyError('usage', `The cluster secret from ${from} is empty.`);
}

/** Exit status of a program ended by Ctrl-C. */
const interruptedStatus = 130;

/**
 * Calls `first` on the first INT, TERM or HUP, `second` on the second, and ends the process at once on the third.
 * Returns what ends the listening.
 */
export function onStopSignals(first: () => void, second: () => void): () => void {
  let count = 0;
  const listener = (): void => {
    count += 1;
    if (count === 1) first();
    else if (count === 2) second();
    else process.exit(interruptedStatus);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}

/** Error: `usage` when the value of a flag cannot be a node's name. */
export function checkName(flag: string, value: string): void {
  if (namePattern.test(value)) return;
  throw new OctasklyError(
    'usage',
    `${flag} "${value}" is not a name: up to 64 letters, digits, ".", "_" and "-" are, beginning with a letter or digit.`,
  );
}

/** The name of a node nobody gave one, after its host. */
export function nameFromHost(host: string): string {
  const name =
    host
      .split('.')[0]
      ?.replace(/[^A-Za-z0-9._-]/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 58) ?? '';
  return name === '' ? 'worker' : name;
}
