/**
 * The one error class for trouble a person or program outside can meet, with its closed table of codes.
 * Each code fixes the HTTP status, the exit status and whether trying again may help, so that the API, the
 * command line and the logs can never disagree. Messages say what was tried, what is, and what should be.
 */

interface CodeFacts {
  /** HTTP status of the problem document. */
  readonly http: number;
  /** Exit status of a command that ends with it (sysexits are not used: 1 = it failed, 2 = it was asked wrongly). */
  readonly exit: number;
  /** True when the same call may succeed later without anything being changed. */
  readonly retriable: boolean;
  /** Short human title (RFC 9457 `title`). */
  readonly title: string;
}

export const errorCodes = {
  bad_request: { http: 400, exit: 2, retriable: false, title: 'The request is not valid' },
  unauthorized: { http: 401, exit: 2, retriable: false, title: 'A valid token is needed' },
  forbidden: { http: 403, exit: 2, retriable: false, title: 'This is not allowed' },
  not_found: { http: 404, exit: 1, retriable: false, title: 'There is no such thing' },
  method_not_allowed: { http: 405, exit: 2, retriable: false, title: 'This route does not take that method' },
  gone: { http: 410, exit: 1, retriable: false, title: 'It was there and is no more' },
  conflict: { http: 409, exit: 1, retriable: false, title: 'This conflicts with what is there' },
  too_large: { http: 413, exit: 2, retriable: false, title: 'The request is too large' },
  unsupported_media_type: { http: 415, exit: 2, retriable: false, title: 'The content type is not supported' },
  range_not_satisfiable: { http: 416, exit: 1, retriable: false, title: 'That range does not exist' },
  invalid: { http: 422, exit: 2, retriable: false, title: 'The request does not fit its schema' },
  denied_command: { http: 422, exit: 2, retriable: false, title: 'The command is on the deny list' },
  rate_limited: { http: 429, exit: 1, retriable: true, title: 'Too many requests' },
  queue_full: { http: 429, exit: 1, retriable: true, title: 'The queue is full' },
  internal: { http: 500, exit: 1, retriable: false, title: 'Octaskly made a mistake' },
  shutting_down: { http: 503, exit: 1, retriable: true, title: 'The dispatcher is shutting down' },
  not_ready: { http: 503, exit: 1, retriable: true, title: 'The dispatcher takes no work now' },
  worker_away: { http: 503, exit: 1, retriable: true, title: 'The worker that keeps it is not connected' },
  storage_unavailable: { http: 507, exit: 1, retriable: true, title: 'The dispatcher cannot store anything now' },
  storage_newer: { http: 500, exit: 1, retriable: false, title: 'The database was written by a newer version' },
  storage_corrupt: { http: 500, exit: 1, retriable: false, title: 'The database is damaged' },
  in_use: { http: 409, exit: 1, retriable: false, title: 'Already in use' },
  unreachable: { http: 502, exit: 1, retriable: true, title: 'The other side cannot be reached' },
  timeout: { http: 504, exit: 1, retriable: true, title: 'The other side did not answer in time' },
  refused: { http: 403, exit: 1, retriable: false, title: 'The other side refused' },
  usage: { http: 400, exit: 2, retriable: false, title: 'The command line is not valid' },
  io: { http: 500, exit: 1, retriable: false, title: 'The system refused an operation' },
} as const satisfies Record<string, CodeFacts>;

export type ErrorCode = keyof typeof errorCodes;

/** One place in a request that is wrong: a JSON path such as `tasks.3.timeout`, and what is wrong there. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** Trouble with a stable code. `message` is one or more whole sentences for a person. */
export class OctasklyError extends Error {
  override readonly name = 'OctasklyError';
  readonly code: ErrorCode;
  readonly fields: readonly FieldError[];

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; fields?: readonly FieldError[] } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.fields = options.fields ?? [];
  }

  get facts(): CodeFacts {
    return errorCodes[this.code];
  }
}

/** What the system says of a call: `ENOENT: no such file or directory, open '/x'`. */
const systemMessage = /^(E[A-Z0-9]+): ([^,]+), \w+(?: '.*')?$/s;

/** The text of anything thrown, without a stack; of a failed system call what it means, since the sentence around it names the file. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(systemMessage, '$2 ($1)') : String(error);
}
