/**
 * Errors as problem documents (RFC 9457). Status, title and type follow from the one table of codes in `base/errors.ts`;
 * the detail is the error's own sentence. What was not foreseen becomes `internal` and tells the outside nothing.
 */

import { type ErrorCode, errorCodes, type FieldError, OctasklyError } from '../base/errors.ts';
import type { Problem } from './schemas.ts';

export const problemMediaType = 'application/problem+json';

/** Most wrong places one document lists. */
export const fieldErrorsMax = 100;

/** The stable URI of a code: `urn:octaskly:problem:queue_full`. */
export function problemType(code: ErrorCode): string {
  return `urn:octaskly:problem:${code}`;
}

/** Too many requests: the same call is let through after `retryAfterMs`. */
export class RateLimitedError extends OctasklyError {
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super('rate_limited', message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Whole seconds to wait before the same call may succeed. */
function retryAfterSeconds(error: OctasklyError): number {
  return error instanceof RateLimitedError ? Math.max(1, Math.ceil(error.retryAfterMs / 1000)) : 1;
}

export function problemOf(error: OctasklyError): Problem {
  return {
    type: problemType(error.code),
    title: error.facts.title,
    status: error.facts.http,
    detail: error.message,
    ...(error.fields.length === 0 ? {} : { errors: error.fields.slice(0, fieldErrorsMax) }),
  };
}

/** The answer to a call that failed, with what HTTP asks for beside it: `Retry-After`, `WWW-Authenticate`. */
export function problemResponse(error: OctasklyError, headers: Readonly<Record<string, string>> = {}): Response {
  const problem = problemOf(error);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      'content-type': problemMediaType,
      ...(errorCodes[error.code].retriable ? { 'retry-after': String(retryAfterSeconds(error)) } : {}),
      ...(error.code === 'unauthorized' ? { 'www-authenticate': 'Bearer realm="octaskly"' } : {}),
      ...headers,
    },
  });
}

/** One error for all wrong places of a request; its message names the first. `fields` holds at least one. */
export function fieldsError(
  code: 'bad_request' | 'invalid' | 'denied_command',
  what: string,
  fields: readonly FieldError[],
): OctasklyError {
  const first = fields[0];
  const where = first === undefined || first.path === '' ? '' : `${first.path}: `;
  const more = fields.length > 1 ? ` (and ${fields.length - 1} more)` : '';
  return new OctasklyError(code, `${what}: ${where}${first?.message ?? ''}${more}`, { fields });
}
