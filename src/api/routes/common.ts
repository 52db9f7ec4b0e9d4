/**
 * What several groups of routes share: parameters with their ranges, the idempotency of submissions, "there is no such".
 */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import { type Actor, ownerOf, scopeOf } from '../../core/trust.ts';
import type { TaskFilter, TaskRow } from '../../ports/store.ts';
import type { Backend, Submission } from '../backend.ts';
import { canonicalJson } from '../body.ts';
import { limits } from '../limits.ts';
import type { RouteContext } from '../route.ts';
import { idSchema } from '../schemas.ts';
import { integerParameter } from '../validate.ts';

/** The id of a task or batch in a path. */
export const idParams = z.strictObject({ id: idSchema.describe('Id of the task or batch') });

/** A whole number from `least` to `most`. */
export function integerOf(least: number, most: number): z.ZodType<number> {
  return integerParameter(z.number().int().min(least).max(most));
}

/** A position in a stream of bytes. */
export const offsetParameter = integerOf(0, Number.MAX_SAFE_INTEGER);

/** Size of a page. */
export const limitParameter = integerOf(1, limits.pageMax).default(limits.pageDefault);

/** Bytes of the body of a request that holds a few words. */
export const smallBodyBytesMax = 64 * 1024;

/** The id of the worker that has this name; what is no name stays as it is. */
export function workerIdOf(backend: Backend, idOrName: string): string {
  return backend.workers().find(({ name }) => name === idOrName)?.id ?? idOrName;
}

/** Names of those of these workers that are known, by their ids. */
export function workerNamesOf(backend: Backend, ids: readonly (string | null)[]): Record<string, string> {
  const wanted = new Set(ids);
  wanted.delete(null);
  if (wanted.size === 0) return {};
  return Object.fromEntries(
    backend.workers().flatMap(({ id, name }): [string, string][] => (wanted.has(id) ? [[id, name]] : [])),
  );
}

const idempotencyHeader = 'Idempotency-Key';
export const idempotencyHeaderRule = {
  [idempotencyHeader]:
    '1 to 255 printable ASCII characters. The same key and body give the same answer; another body gives 409.',
} as const;
/** Tells that an earlier submission with the same key gave this answer. */
export const repeatedHeader = 'idempotent-replayed';

/**
 * The idempotency of a submission, from its header and the request as it was understood. A key is its owner's alone: the
 * same one of somebody else is another. Throws `bad_request`.
 */
export function idempotencyOf(
  { headers, actor }: { readonly headers: Headers; readonly actor: Actor },
  request: { readonly kind: 'task' | 'batch'; readonly body: object },
  context: RouteContext,
): Submission['idempotency'] {
  const given = headers.get(idempotencyHeader);
  if (given === null) return null;
  if (!/^[\x20-\x7e]{1,255}$/.test(given)) {
    throw new OctasklyError(
      'bad_request',
      `The ${idempotencyHeader} header has ${given.length} characters; it should have 1 to 255, all printable ASCII.`,
    );
  }
  const owner = ownerOf(actor);
  // No header holds a line feed: what comes before it cannot be part of anybody's key.
  const key = owner === null ? given : `${owner}\n${given}`;
  // The kind is part of what is hashed: a task is not the batch of that one task.
  return { key, bodyHash: context.options.sha256Hex(`${request.kind}\n${canonicalJson(request.body)}`) };
}

/** The refusal for a task that is not there, and for one that is another's: nobody can tell which. */
export function noTask(id: string): OctasklyError {
  return new OctasklyError('not_found', `There is no task "${id}".`);
}

/**
 * True when the actor sees any task that fits. Asked of the store with the owner as part of the question, so that what
 * is another's takes no longer to be refused than what does not exist.
 */
export function sees(backend: Backend, actor: Actor, filter: TaskFilter): boolean {
  const owner = scopeOf(actor);
  return owner === null || backend.tasks({ ...filter, owner }, { limit: 1, before: null }).length > 0;
}

/** Throws `not_found` for a task of somebody else; whether one exists at all is for others to say. */
export function checkTask(backend: Backend, actor: Actor, id: string): void {
  if (!sees(backend, actor, { idPrefix: id })) throw noTask(id);
}

/** The row of a task that the actor sees. Throws `not_found`. */
export function requireTask(backend: Backend, actor: Actor, id: string): TaskRow {
  checkTask(backend, actor, id);
  const row = backend.task(id);
  if (row === null) throw noTask(id);
  return row;
}
