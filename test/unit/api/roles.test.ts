/** Every route with every role, against the table in the documentation; and that table against the routes. */

import { describe, expect, test } from 'bun:test';
import { templateOf } from '../../../src/api/route.ts';
import { routes } from '../../../src/api/routes.ts';
import { problemSchema } from '../../../src/api/schemas.ts';
import { type Role, roles } from '../../../src/core/trust.ts';
import { type Harness, harness } from './fake.ts';
import { isOwned, renewCommand, rolesDocument } from './roles-document.ts';

const document = await Bun.file(new URL('../../../docs/ROLES.md', import.meta.url)).text();

/** What the document says, by `METHOD path`: a cell for "no token" and for each role. */
const written = new Map(
  [...document.matchAll(/^\| `(\S+ \S+)` \|(.*)\|$/gm)].map(([, name = '', rest = '']) => {
    const [, , ...cells] = rest.split('|').map((cell) => cell.trim());
    return [name, cells] as const;
  }),
);

const ownTask = '000000000002';
const ownBatch = '000000000001';
const foreignTask = '000000000004';
const foreignBatch = '000000000003';
const unknown = '00000000zzzz';

/** A dispatcher far away with a batch of one task of `carl` and one of `eve`. */
async function peopled(): Promise<Harness> {
  const all = harness({ remote: '10.0.0.9' });
  for (const name of ['carl', 'eve']) {
    await all.call('POST', '/api/v1/batches', { tasks: [{ command: 'true' }] }, bearer('client', name));
  }
  all.backend.cursor.end();
  return all;
}

function bearer(role: Role, name: string): Record<string, string> {
  return { authorization: `Bearer ${role}:${name}` };
}

const nameOf = ({ method, path }: (typeof routes)[number]): string => `${method} ${templateOf(path)}`;

/** What routes ask for in their query. */
const queries: Readonly<Record<string, string>> = {
  writeStdin: '?offset=0',
  showTimeline: '?since=2026-05-01T12:00:00Z',
};

/** Calls a route with an example of its body, about the task or batch `ids` name. */
function callRoute(
  { call }: Harness,
  route: (typeof routes)[number],
  ids: { readonly task: string; readonly batch: string },
  headers: Record<string, string>,
): Promise<Response> {
  const id = route.path.includes('/batches') ? ids.batch : route.path.includes('/tasks') ? ids.task : 'kitchen';
  const path = route.path.replace('{+path}', 'none').replace('{hash}', '0'.repeat(64)).replace('{id}', id);
  const query = queries[route.name] ?? '';
  const [content] = route.body?.contents ?? [];
  // The one route whose body says who calls: a token that holds here.
  const example = route.name === 'createSession' ? { token: 'client:carl' } : content?.example;
  const body = content === undefined ? undefined : content.schema === null ? new Uint8Array(0) : example;
  return call(route.method, `${path}${query}`, body, headers);
}

describe('docs/ROLES.md', () => {
  test('is what the routes say', () => {
    if (document !== rolesDocument())
      throw new Error(`docs/ROLES.md is not up to date; renew it with: ${renewCommand}`);
    expect([...written.keys()].toSorted()).toEqual(routes.map(nameOf).toSorted());
  });
});

describe('every route with every role', () => {
  for (const route of routes) {
    const [open, ...cells] = written.get(nameOf(route)) ?? [];
    test(`${nameOf(route)} asks for a token or not`, async () => {
      const { status } = await callRoute(await peopled(), route, { task: ownTask, batch: ownBatch }, {});
      expect([open, status === 401]).toEqual([open, open !== 'yes']);
    });
    for (const [index, role] of roles.entries()) {
      const cell = cells[index];
      test(`${nameOf(route)} is ${cell === '–' ? 'not ' : ''}for ${role}`, async () => {
        const all = await peopled();
        const before = all.trust.refusals.length;
        const response = await callRoute(all, route, { task: ownTask, batch: ownBatch }, bearer(role, 'carl'));
        await response.body?.cancel();
        expect([cell, response.status === 403, response.status === 401]).toEqual([cell, cell === '–', false]);
        const refusals = all.trust.refusals.slice(before).map(({ eventType, actor }) => [eventType, actor]);
        // That no such device waits is another matter.
        const recorded = refusals.filter(([eventType]) => eventType !== 'approval_refused');
        expect(recorded).toEqual(cell === '–' ? [['call_refused', 'carl']] : []);
      });
    }
  }
});

describe('a client', () => {
  const byId = routes.filter((route) => isOwned(route) && route.path.includes('{id}'));

  test('has routes about a task or batch to be kept from', () => {
    expect(byId.length).toBeGreaterThan(8);
  });
  for (const route of byId) {
    test(`gets the same 404 for another's as for none: ${nameOf(route)}`, async () => {
      const all = await peopled();
      const answer = async (ids: { task: string; batch: string }) => {
        const response = await callRoute(all, route, ids, bearer('client', 'carl'));
        const problem = problemSchema.parse(await response.json());
        return { ...problem, detail: problem.detail.replaceAll(/[0-9a-z]{12}/g, 'ID') };
      };
      const [none, foreign] = [
        await answer({ task: unknown, batch: unknown }),
        await answer({ task: foreignTask, batch: foreignBatch }),
      ];
      expect(none).toMatchObject({ status: 404, type: 'urn:octaskly:problem:not_found' });
      expect(foreign).toEqual(none);
      expect(all.backend.actions).toEqual([]);
      expect([all.backend.stdin, all.backend.outputs]).toEqual([[], []]);
    });
  }
});
