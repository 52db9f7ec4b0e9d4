/** The document describes exactly the routes there are, resolves in itself, and its examples are valid. */

import { describe, expect, test } from 'bun:test';
import { openApiOf } from '../../../src/api/openapi.ts';
import { templateOf } from '../../../src/api/route.ts';
import { routes } from '../../../src/api/routes.ts';
import { harness } from './fake.ts';

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required: boolean; schema: Record<string, unknown> }[];
  requestBody?: { content: Record<string, { schema: unknown }> };
  tags: string[];
  description: string;
  responses: Record<
    string,
    { description: string; headers?: object; content?: Record<string, { examples: Record<string, unknown> }> }
  >;
}

interface Document {
  openapi: string;
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties: Record<string, Record<string, unknown>>; oneOf?: unknown }> };
}

const document = JSON.parse(JSON.stringify(openApiOf(routes, { version: '1.2.3' }))) as Document;

/** Every object inside `value`. */
function* objectsOf(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const inner of Object.values(value)) yield* objectsOf(inner);
}

describe('openApiOf()', () => {
  test('describes every route of the table and no other', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(routes.map(({ method, path }) => `${method} ${templateOf(path)}`).toSorted());
    expect(new Set(routes.map(({ name }) => name)).size).toBe(routes.length);
  });

  test('refers only to what it contains', () => {
    const references = [...objectsOf(document)].flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : []));
    expect(references.length).toBeGreaterThan(20);
    for (const reference of references) {
      let at: unknown = document;
      for (const step of reference.replace(/^#\//, '').split('/')) at = (at as Record<string, unknown>)[step];
      expect([reference, typeof at]).toEqual([reference, 'object']);
    }
    for (const inner of objectsOf(document.components)) expect(inner).not.toHaveProperty('$id');
  });

  test('names every parameter of a path', () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      for (const { parameters = [] } of Object.values(methods)) {
        expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name as string | undefined)).toEqual(
          inPath,
        );
      }
    }
  });

  test('states limits', () => {
    const limit = document.paths['/api/v1/tasks']?.get?.parameters?.find(({ name }) => name === 'limit');
    expect(limit).toMatchObject({
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
    });
    const offset = document.paths['/api/v1/tasks/{id}/stdin']?.post?.parameters?.find(({ name }) => name === 'offset');
    expect(offset).toMatchObject({ required: true, schema: { type: 'integer', minimum: 0 } });
    const request = document.components.schemas.TaskRequest;
    expect(request?.properties.timeout).toMatchObject({ exclusiveMinimum: 0, maximum: 2_592_000 });
    expect(request?.properties.env).toMatchObject({ maxProperties: 1024 });
    expect(request?.oneOf).toEqual([{ required: ['command'] }, { required: ['argv'] }]);
  });

  test('says for every route how it may be refused', () => {
    for (const methods of Object.values(document.paths)) {
      for (const { responses } of Object.values(methods)) {
        expect(Object.keys(responses)).toEqual(expect.arrayContaining(['400', '401', '403', '500']));
      }
    }
    expect(document.paths['/api/v1/tasks']?.post?.responses['429']?.description).toContain(
      'urn:octaskly:problem:queue_full',
    );
  });

  test('has every operation in a group that it describes, and says who may call it', () => {
    const named = document.tags.map(({ name }) => name);
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    expect(new Set(operations.flatMap(({ tags }) => tags))).toEqual(new Set(named));
    for (const { description } of operations) expect(description).toMatch(/For (everybody|the roles? [a-z, ]+)\.$/);
    expect(document.paths['/api/v1/pause']?.post?.description).toEndWith('For the roles admin, dispatcher.');
  });

  test('shows an example of every refusal, and when to come again', () => {
    const full = document.paths['/api/v1/tasks']?.post?.responses['429'];
    expect(full?.content?.['application/problem+json']?.examples.queue_full).toEqual({
      summary: 'The queue is full',
      value: {
        type: 'urn:octaskly:problem:queue_full',
        title: 'The queue is full',
        status: 429,
        detail: 'The queue is full.',
      },
    });
    expect(full?.headers).toHaveProperty('Retry-After');
  });

  test('gives examples that the schemas take, for every JSON body', () => {
    const bodies = routes.flatMap(({ body }) => body?.contents.filter(({ schema }) => schema !== null) ?? []);
    expect(bodies.length).toBeGreaterThan(0);
    for (const { schema, example } of bodies) expect(schema?.safeParse(example).success).toBe(true);
  });
});

test('GET /openapi.json answers the document of this version', async () => {
  const body = (await (await harness().call('GET', '/openapi.json')).json()) as { info: unknown };
  expect(body).toMatchObject({ openapi: '3.1.1', info: { title: 'Octaskly', version: '0.1.0' } });
});
