/**
 * What several groups of routes share: parameters with their ranges, the idempotency of submissions, "there is no such".
 */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import type { TaskRow } from '../../ports/store.ts';
import type { Backend, Submission } from '../backend.ts';
import { canonicalJson } from '../body.ts';
import { limits } from '../limits.ts';
import type { RouteContext } from '../route.ts';
import { idSchema } from '../schemas.ts';
import { integerParameter } from '../validate.ts';

/** The id of a task or batch in a path. */
export const idParams = z.strictObject({ id: idSchema.describe('Id of the task or batch') });

/** A position in a stream of bytes. */
export const offsetParameter = integerParameter(z.number().int().min(0).max(Number.MAX_SAFE_INTEGER));

/** Size of a page. */
export const limitParameter = integerParameter(z.number().int().min(1).max(limits.pageMax)).default(limits.pageDefault);

export const idempotencyHeader = 'Idempotency-Key';
export const idempotencyHeaderRule = {
  [idempotencyHeader]:
    '1 to 255 printable ASCII characters. The same key and body give the same answer; another body gives 409.',
} as const;
/** Tells that an earlier submission with the same key gave this answer. */
export const repeatedHeader = 'idempotent-replayed';

/** The idempotency of a submission, from its header and the request as it was understood. Throws `bad_request`. */
export function idempotencyOf(
  headers: Headers,
  request: { readonly kind: 'task' | 'batch'; readonly body: object },
  context: RouteContext,
): Submission['idempotency'] {
  const key = headers.get(idempotencyHeader);
  if (key === null) return null;
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new OctasklyError(
      'bad_request',
      `The ${idempotencyHeader} header has ${key.length} characters; it should have 1 to 255, all printable ASCII.`,
    );
  }
  // The kind is part of what is hashed: a task is not the batch of that one task.
  return { key, bodyHash: context.options.sha256Hex(`${request.kind}\n${canonicalJson(request.body)}`) };
}

/** The row of a task. Throws `not_found`. */
export function requireTask(backend: Backend, id: string): TaskRow {
  const row = backend.task(id);
  if (row === null) throw new OctasklyError('not_found', `There is no task "${id}".`);
  return row;
}
