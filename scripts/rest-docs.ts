/**
 * Writes `docs/REST.md` from the OpenAPI document: operations by group with their parameters, bodies, answers and refusals,
 * then every shape with its fields and limits. A test says when it is out of date.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApiOf } from '../src/api/openapi.ts';
import { routes } from '../src/api/routes.ts';
import { root } from './steps.ts';

/** Where the page is. */
export const restPageFile = join(root, 'docs', 'REST.md');

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
}

interface Content {
  readonly schema: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, unknown>>;
}

interface Answer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, { readonly description: string }>>;
  readonly content?: Readonly<Record<string, Content>>;
}

interface Operation {
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly {
    name: string;
    in: string;
    required: boolean;
    description?: string;
    schema: Schema;
  }[];
  readonly requestBody?: { readonly description: string; readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<Record<string, Answer>>;
}

interface Document {
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  rows.length === 0
    ? []
    : [
        `| ${head.join(' | ')} |`,
        `|${' --- |'.repeat(head.length)}`,
        ...rows.map((row) => `| ${row.map(cell).join(' | ')} |`),
        '',
      ];

/** A schema's kind in words: `integer`, `string[]`, a link to a shape. */
function kindOf(schema: Schema): string {
  const { $ref, const: constant, type, items, additionalProperties } = schema;
  const name = $ref?.split('/').at(-1);
  if (name !== undefined) return `[${name}](#${name.toLowerCase()})`;
  if (constant !== undefined) return `\`${JSON.stringify(constant)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  const either = schema.anyOf ?? schema.oneOf;
  if (either !== undefined && type === undefined) return [...new Set(either.map(kindOf))].join(' or ');
  if (type === 'array' && items !== undefined) return `list of ${kindOf(items)}`;
  if (type === 'object' && typeof additionalProperties === 'object') return `map of ${kindOf(additionalProperties)}`;
  if (type === 'object') return `{ ${Object.keys(schema.properties ?? {}).join(', ')} }`;
  return schema.format === 'binary' ? 'bytes' : [type ?? 'anything'].flat().join(' or ');
}

/** A schema's limits in words. */
function limitsOf(schema: Schema): string {
  const range = (least: number | undefined, most: number | undefined, unit: string): string[] => {
    if (least === undefined && most === undefined) return [];
    if (least === undefined) return [`at most ${most}${unit}`];
    return [most === undefined ? `at least ${least}${unit}` : `${least} to ${most}${unit}`];
  };
  return [
    ...(schema.exclusiveMinimum === undefined ? [] : [`more than ${schema.exclusiveMinimum}`]),
    ...range(schema.minimum, schema.maximum, ''),
    ...range(schema.minLength, schema.maxLength, ' characters'),
    ...range(schema.minItems, schema.maxItems, ' entries'),
    ...range(undefined, schema.maxProperties, ' entries'),
    ...(schema.default === undefined ? [] : [`default ${JSON.stringify(schema.default)}`]),
    ...(schema.anyOf ?? []).map(limitsOf).filter((text) => text !== ''),
  ].join('; ');
}

function parametersOf({ parameters = [] }: Operation): string[] {
  const rows = parameters.map(({ name, in: place, required, description = '', schema }) => {
    return [`\`${name}\``, `${place}${required ? ', required' : ''}`, kindOf(schema), limitsOf(schema), description];
  });
  return table(['parameter', 'in', 'kind', 'limits', 'meaning'], rows);
}

function bodyOf({ requestBody }: Operation): string[] {
  if (requestBody === undefined) return [];
  const forms = Object.entries(requestBody.content).map(
    ([mediaType, { schema }]) => `\`${mediaType}\`: ${kindOf(schema)}`,
  );
  const example = Object.values(requestBody.content).find((content) => content.example !== undefined)?.example;
  const shown = example === undefined ? [] : ['```json', JSON.stringify(example, null, 2), '```', ''];
  return [`Body: ${requestBody.description} ${forms.join('; ')}`, '', ...shown];
}

function answersOf({ responses }: Operation): string[] {
  const rows = Object.entries(responses).map(([status, { description, content = {}, headers = {} }]) => {
    const problems = content['application/problem+json'];
    const names = Object.keys(headers).map((name) => `\`${name}\``);
    const said =
      problems === undefined
        ? description
        : Object.keys(problems.examples ?? {})
            .map((code) => `\`${code}\``)
            .join(', ');
    const kinds =
      problems === undefined ? Object.values(content).map(({ schema }) => kindOf(schema)) : ['[Problem](#problem)'];
    return [status, said, kinds.join(' or '), names.join(', ')];
  });
  return table(['status', 'answer', 'body', 'headers'], rows);
}

function shapeOf(name: string, schema: Schema): string[] {
  const rows = Object.entries(schema.properties ?? {}).map(([field, inner]) => {
    const required = schema.required?.includes(field) === true ? 'yes' : '';
    return [`\`${field}\``, required, kindOf(inner), limitsOf(inner), inner.description ?? ''];
  });
  const what =
    rows.length === 0 ? [kindOf(schema), ''] : table(['field', 'required', 'kind', 'limits', 'meaning'], rows);
  return [`### ${name}`, '', ...(schema.description === undefined ? [] : [schema.description, '']), ...what];
}

const opening = `# The REST API

Written from the OpenAPI document by \`scripts/rest-docs.ts\`; a dispatcher answers the document itself at \`/openapi.json\` and shows
it at \`/docs\`, where calls can be tried. Programs in JavaScript and TypeScript have [a library](LIBRARY.md).

\`\`\`sh
curl -X POST http://127.0.0.1:3000/api/v1/tasks -H 'content-type: application/json' -d '{"command": "uname -a"}'
\`\`\`

JSON in \`snake_case\`, times in ISO 8601 (UTC). On the dispatcher's own machine no token is needed unless it was started so; elsewhere
\`Authorization: Bearer TOKEN\`, with a token of \`octaskly token create\`. A refusal is a problem document (RFC 9457); the codes below are
the ends of its \`type\`, \`urn:octaskly:problem:CODE\`. With an \`Idempotency-Key\`, a submission that is repeated counts once.
`;

/** The page, as it should be. */
export function restPage(): string {
  const document = JSON.parse(JSON.stringify(openApiOf(routes, { version: '' }))) as Document;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ title: `${method.toUpperCase()} ${path}`, operation })),
  );
  const groups = document.tags.flatMap(({ name, description }) => [
    `## ${name}`,
    '',
    `${description}.`,
    '',
    ...operations
      .filter(({ operation }) => operation.tags.includes(name))
      .flatMap(({ title, operation }) => [
        `### ${title}`,
        '',
        `${operation.summary}. ${operation.description}`,
        '',
        ...parametersOf(operation),
        ...bodyOf(operation),
        ...answersOf(operation),
      ]),
  ]);
  const shapes = Object.entries(document.components.schemas).flatMap(([name, schema]) => shapeOf(name, schema));
  return `${[opening, ...groups, '## Shapes', '', ...shapes].join('\n').trimEnd()}\n`;
}

if (import.meta.main) {
  writeFileSync(restPageFile, restPage());
  process.stdout.write(`${restPageFile}: ${routes.length} operations\n`);
}
