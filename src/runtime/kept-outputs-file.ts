/**
 * The list of files that stay on a worker, in `kept-outputs.json` beside its cache: private, replaced as a whole. It is
 * checked as it is read, since the file may be damaged: what cannot be read is forgotten, and then those files are gone
 * as soon as the cache needs the room.
 */

import { join } from 'node:path';
import { reasonOf } from '../base/errors.ts';
import { blobPattern } from '../core/files.ts';
import { idPattern } from '../core/ids.ts';
import type { KeptAttempt, KeptList } from '../ports/files.ts';
import type { Log } from '../ports/time.ts';
import { readPrivate, writePrivate } from './data-dir.ts';

/** The list in the folder `directory`, with what it holds. */
export function keptOutputsFile(
  directory: string,
  log: Log,
): { readonly list: KeptList; readonly found: readonly KeptAttempt[] } {
  const path = join(directory, 'kept-outputs.json');
  const list = {
    save: (attempts: readonly KeptAttempt[]) => writePrivate(path, JSON.stringify({ version: 1, attempts })),
  };
  try {
    return { list, found: attemptsIn(readPrivate(path)) };
  } catch (error) {
    log.warn('the list of files that stay here cannot be read', { file: path, reason: reasonOf(error) });
    return { list, found: [] };
  }
}

function attemptsIn(text: string | null): readonly KeptAttempt[] {
  if (text === null) return [];
  const value: unknown = JSON.parse(text);
  const attempts = typeof value === 'object' && value !== null && 'attempts' in value ? value.attempts : null;
  return Array.isArray(attempts) ? attempts.filter(isAttempt) : [];
}

function isAttempt(value: unknown): value is KeptAttempt {
  if (typeof value !== 'object' || value === null) return false;
  const { taskId, attempt, files }: Record<string, unknown> = { ...value };
  const isKey = typeof taskId === 'string' && idPattern.test(taskId) && Number.isSafeInteger(attempt);
  return isKey && Array.isArray(files) && files.every(isFile);
}

function isFile(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { blob, bytes }: Record<string, unknown> = { ...value };
  return typeof blob === 'string' && blobPattern.test(blob) && Number.isSafeInteger(bytes);
}
