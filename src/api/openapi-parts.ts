/**
 * What the OpenAPI document says in words and by example beside schemas: groups of operations, how to show who one is, who
 * may call what, and what a refusal looks like. Texts; what they say holds is decided elsewhere (`access`, `problem`).
 */

import { type ErrorCode, errorCodes } from '../base/errors.ts';
import { roles } from '../core/trust.ts';
import { type Access, mayCall } from './access.ts';
import { problemMediaType, problemType } from './problem.ts';

type Json = Record<string, unknown>;

/** Groups of operations, by the first word of their paths; what is in none of these concerns the system. */
const groups: Readonly<Record<string, { readonly words: readonly string[]; readonly description: string }>> = {
  tasks: { words: ['tasks'], description: 'Hand in a task, follow it, end it, take what it left' },
  batches: { words: ['batches'], description: 'Tasks handed in together, all or none' },
  files: { words: ['blobs'], description: 'Bytes by their hash, for the inputs of tasks' },
  events: { words: ['events', 'timeline'], description: 'What happens, and what happened where' },
  workers: { words: ['workers'], description: 'The devices that run tasks' },
  joining: { words: ['invites', 'approvals'], description: 'Which devices may take part' },
  access: { words: ['tokens', 'secret', 'session', 'whoami', 'audit'], description: 'Who may ask, and the record' },
};
const system = 'system';

/** The group of a path. */
export function tagOf(path: string): string {
  const [, word] = /^\/api\/v1\/(\w+)/.exec(path) ?? [];
  return Object.entries(groups).find(([, { words }]) => words.includes(word ?? ''))?.[0] ?? system;
}

/** The groups in the order of the document. */
export const tags: readonly Json[] = [
  ...Object.entries(groups).map(([name, { description }]) => ({ name, description })),
  { name: system, description: 'The dispatcher as a whole' },
];

/** Ways to show who one is. */
export const securitySchemes: Json = {
  token: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description:
      'As "octaskly token create" prints it. Not needed from the dispatcher’s own machine, unless it was started so.',
  },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: 'octaskly_3000',
    description:
      'The same token in the cookie that POST /api/v1/session sets, for pages of the dispatcher alone. Its name holds the port.',
  },
};

/** What an operation asks for; nothing is enough on the dispatcher's own machine, unless it was started otherwise. */
export function securityOf(access: Access): Json[] {
  return access === 'public' ? [] : [{}, { token: [] }, { session: [] }];
}

/** Who may call it. */
export function audienceOf(access: Access): string {
  if (access === 'public') return 'For everybody.';
  const may = roles.filter((role) => mayCall(role, access));
  return `For the ${may.length === 1 ? 'role' : 'roles'} ${may.join(', ')}.`;
}

const retryAfter = { description: 'Seconds after which to try again', schema: { type: 'integer', minimum: 1 } };
const authenticate = { description: 'That a token is wanted (RFC 6750)', schema: { type: 'string' } };

function refusalHeaders(codes: readonly ErrorCode[]): Json {
  const headers = {
    ...(codes.some((code) => errorCodes[code].retriable) ? { 'Retry-After': retryAfter } : {}),
    ...(codes.includes('unauthorized') ? { 'WWW-Authenticate': authenticate } : {}),
  };
  return Object.keys(headers).length === 0 ? {} : { headers };
}

/** The refusals of one status, with an example of each. `schema`: of a problem document. */
export function refusalOf(codes: readonly ErrorCode[], schema: Json): Json {
  const exampleOf = (code: ErrorCode): Json => {
    const { title, http } = errorCodes[code];
    return { summary: title, value: { type: problemType(code), title, status: http, detail: `${title}.` } };
  };
  return {
    description: codes.map((code) => `${errorCodes[code].title} (${problemType(code)})`).join('; '),
    ...refusalHeaders(codes),
    content: {
      [problemMediaType]: { schema, examples: Object.fromEntries(codes.map((code) => [code, exampleOf(code)])) },
    },
  };
}
