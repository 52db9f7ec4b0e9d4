/**
 * `docs/ROLES.md`, made from the table of routes, so that what is written and what is done cannot differ.
 * Run as a program it prints the document: `bun test/unit/api/roles-document.ts > docs/ROLES.md`.
 */

import { mayCall } from '../../../src/api/access.ts';
import { type Route, templateOf } from '../../../src/api/route.ts';
import { routes } from '../../../src/api/routes.ts';
import { type Role, roles } from '../../../src/core/trust.ts';

/** How the document is written anew. */
export const renewCommand = 'bun test/unit/api/roles-document.ts > docs/ROLES.md';

/** True for routes that show a client its own tasks and batches only. Blobs belong to nobody: their name is their content. */
export function isOwned({ access, path }: Pick<Route, 'access' | 'path'>): boolean {
  return access === 'tasks' && !path.startsWith('/api/v1/blobs');
}

function cellOf(role: Role, route: Route): string {
  if (!mayCall(role, route.access)) return '–';
  return role === 'client' && isOwned(route) ? 'own' : 'yes';
}

function rowOf(route: Route): string {
  const open = route.access === 'public' ? 'yes' : '–';
  const cells = [`\`${route.method} ${templateOf(route.path)}\``, route.summary, route.access, open];
  return `| ${[...cells, ...roles.map((role) => cellOf(role, route))].join(' | ')} |`;
}

const introduction = `# Roles and routes

A token says who its bearer is (its subject, the name it was made with) and what it may do (its role):

- \`admin\` may do everything.
- \`dispatcher\` runs the cluster: tasks of everybody, workers, invites and approvals. It makes no tokens, rotates no secret
  and does not read the record.
- \`worker\` executes, over its link; the API tells it who it is, and nothing else.
- \`client\` submits tasks, and sees and changes its own: those submitted under its name. A task or batch of somebody else
  is answered like one that does not exist; lists and events are filtered; an \`Idempotency-Key\` is its own.

A call without a token is one of the owner, as \`admin\`, when it comes from the dispatcher's own machine and
\`--require-auth\` is \`auto\`, or from anywhere when that is \`false\`. All others need a token, but for what is public.
A blob is found by the hash of its content: whoever can name it knows what is in it, or was told by the owner of a task.

## Limits

- Tokens that do not hold: 20 at once from one address, then one every 3 s. Beyond that the answer is 429. A token that holds
  is not held up.
- Submissions: \`--submit-rate\` tasks a second for each name, and 10 s of them at once. A batch counts its tasks; one larger
  than that takes all that may come at once, and goes through when as much is free. The owner of the dispatcher has no limit.
- Codes of devices: 20 wrong ones at once for each name, then one every 3 s.

Each 429 says in \`Retry-After\` when to come back. Refused calls, tokens that do not hold, and commands that hit the deny
list are on record: \`octaskly audit\`.

## Who may call what

"own": only what was submitted under the bearer's name.
`;

/** The whole document. */
export function rolesDocument(): string {
  const names = ['route', 'what it does', 'class', 'no token', ...roles.map((role) => `\`${role}\``)];
  const lines = [`| ${names.join(' | ')} |`, `|${names.map(() => ' --- |').join('')}`, ...routes.map(rowOf)];
  return `${introduction}\n${lines.join('\n')}\n\nThis file is made from the table of routes: \`${renewCommand}\`.\n`;
}

if (import.meta.main) process.stdout.write(rolesDocument());
