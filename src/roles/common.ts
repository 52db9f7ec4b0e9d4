/** What every role starts with: its log, its paths, its secret, and how it ends on a signal. */

import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import { expandHome } from '../cli/config.ts';
import { namePattern } from '../core/names.ts';
import { stopSignalsOn } from '../core/platform/signals.ts';
import { readPrivate } from '../runtime/data-dir.ts';
import { createLog, type ProcessLog } from '../runtime/log.ts';

interface LogValues {
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly logFile: string | undefined;
  readonly logMaxBytes: number;
  readonly logKeep: number;
  readonly logFormat: 'text' | 'json';
}

/** The log that the options ask for. `isCovered`: as `createLog`. Errors: `usage`, `io` when its file cannot be opened. */
export function logOf(values: LogValues, isCovered?: () => boolean): ProcessLog {
  const { verbose, quiet, logFile, logMaxBytes: maxBytes, logKeep: keep, logFormat: format } = values;
  if (quiet && verbose) {
    throw new OctasklyError('usage', '--quiet (-q) and --verbose (-v) contradict each other: give one of them.');
  }
  const level = quiet ? 'warn' : verbose ? 'debug' : 'info';
  const file = logFile === undefined ? null : { path: absolute(logFile), maxBytes, keep };
  const log = createLog({ level, format, file, ...(isCovered === undefined ? {} : { isCovered }) });
  if (hangUpReopens(values)) process.on('SIGHUP', () => log.reopen());
  return log;
}

/**
 * A process that no terminal can hang up on, and that has a log file, is sent SIGHUP by whoever has moved that file, and
 * goes on. All others end by it.
 */
function hangUpReopens({ logFile }: Pick<LogValues, 'logFile'>): boolean {
  return logFile !== undefined && ![process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
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
 * Calls `first` on the first INT, TERM or HUP, `second` on the second, and ends the process at once on the third. HUP is
 * left out where something else listens to it already (`logOf`). Returns what ends the listening.
 */
export function onStopSignals(first: () => void, second: () => void): () => void {
  let count = 0;
  const listener = (): void => {
    count += 1;
    if (count === 1) first();
    else if (count === 2) second();
    else process.exit(interruptedStatus);
  };
  const hangUp = process.listenerCount('SIGHUP') === 0 ? (['SIGHUP'] as const) : [];
  const signals = [...stopSignalsOn(process.platform), ...hangUp];
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
