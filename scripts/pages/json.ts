/**
 * What `-o json` prints, command by command, from the schemas that the API validates and answers with. Shapes that the
 * command line makes itself are described here in the same way.
 */

import { z } from 'zod';
import { outputFilesSchema } from '../../src/api/file-schemas.ts';
import { notificationAnswerSchema, notifyKeySchema, notifyTestSchema } from '../../src/api/notify-schemas.ts';
import { pruneAnswerSchema } from '../../src/api/prune-schemas.ts';
import * as api from '../../src/api/schemas.ts';
import * as trust from '../../src/api/trust-schemas.ts';
import { workerListSchema } from '../../src/api/worker-schemas.ts';
import { doctorNetShape, doctorShape, sandboxShape } from './doctor.ts';

const statusShape = z.object({
  url: z.string().describe('Address of the API'),
  ready: z.boolean().describe('It takes work'),
  reason: z.string().nullable().describe('Why it does not'),
  stats: api.statsSchema.nullable().describe('As of stats; null where the token does not suffice'),
  approvals: z.number().int().nullable().describe('Devices that wait; null where the token does not suffice'),
});

const peersShape = z.object({
  peers: z.array(
    z.looseObject({ id: z.string(), name: z.string(), role: z.string(), status: z.string(), address: z.string() }),
  ),
  clock_skews: z.array(z.object({ id: z.string(), name: z.string(), address: z.string(), difference_ms: z.number() })),
  interfaces: z.array(z.unknown()),
  datagrams: z.record(z.string(), z.number().int()),
  problems: z.array(z.object({ name: z.string(), sentence: z.string() })),
});

const versionShape = z.object({
  version: z.string(),
  commit: z.string().nullable().describe('What it was built from; null where that is no commit as it is'),
  target: z.string().nullable().describe('The kind of device it was built for; null from the sources'),
  runtime: z.string().describe('Name and version of what runs it'),
  protocol: z.object({ min: z.number().int(), max: z.number().int() }).describe('Between nodes, both inclusive'),
  release_key: z.string().nullable().describe('SHA-256 of the key whose releases it trusts; null where it trusts none'),
});

/** Command lines that print one document, by the shape of it; `lines`: one such document a line. */
export const documents: readonly {
  readonly lines?: true;
  readonly of: readonly string[];
  readonly schema: z.ZodType;
}[] = [
  { of: ['status'], schema: statusShape },
  { of: ['ps', 'wait', 'cancel', 'retry', 'batch --wait'], schema: api.taskListSchema },
  { of: ['submit'], schema: api.taskSchema },
  { of: ['show', 'submit --wait'], schema: api.taskWithAttemptsSchema },
  { of: ['export --format jsonl'], schema: api.taskSchema, lines: true },
  { of: ['batch'], schema: api.batchAnswerSchema },
  { of: ['outputs'], schema: outputFilesSchema },
  { of: ['explain'], schema: api.explanationSchema },
  { of: ['workers'], schema: workerListSchema },
  { of: ['stats'], schema: api.statsSchema },
  { of: ['watch'], schema: api.eventSchema, lines: true },
  { of: ['invite'], schema: trust.createdInviteSchema },
  { of: ['invite list'], schema: trust.inviteListSchema },
  { of: ['approve', 'reject'], schema: trust.approvalListSchema },
  { of: ['approve CODE', 'reject CODE'], schema: trust.approvalSchema },
  { of: ['token create'], schema: trust.createdTokenSchema },
  { of: ['token list'], schema: trust.tokenListSchema },
  { of: ['whoami'], schema: trust.identitySchema },
  { of: ['secret rotate'], schema: trust.rotatedSchema },
  { of: ['notify test'], schema: notifyTestSchema },
  { of: ['notify send'], schema: notificationAnswerSchema },
  { of: ['notify key'], schema: notifyKeySchema },
  { of: ['audit'], schema: trust.auditListSchema },
  { of: ['audit -o jsonl'], schema: trust.auditEntrySchema, lines: true },
  { of: ['audit verify'], schema: trust.auditFindingSchema },
  { of: ['peers'], schema: peersShape },
  { of: ['prune'], schema: pruneAnswerSchema },
  { of: ['doctor'], schema: doctorShape },
  { of: ['doctor net'], schema: doctorNetShape },
  { of: ['doctor sandbox'], schema: sandboxShape },
  { of: ['version'], schema: versionShape },
];

const opening = `# What \`-o json\` prints

Names and shapes are those of the REST API (\`/openapi.json\`). Fields are added in time, none is renamed, removed or given
another type within a major version. Times are ISO 8601 in UTC, what ends in \`_ms\`, \`_bytes\` or \`_mb\` is in that unit. A
list is an object with the list and \`next_cursor\`, which is null: the command line reads all pages. Output is UTF-8; a
document ends with a newline, and \`watch\`, \`export\` and \`-o jsonl\` print one a line. Errors go to standard error as text, with
an exit status; nothing is printed to standard output then.

With \`-o quiet\` these commands print ids, one a line, but: \`status\` the address of the API, \`stats\` the number of tasks that
wait, \`whoami\` the name, \`version\` the version, \`token create\` and \`invite\` the token, \`outputs\` paths, \`secret rotate\` the instant
until which the old secret is valid, \`doctor\` the names of what is wrong, \`prune\` the number of tasks.

In the tables \`a[].b\` is the field \`b\` of each item of the list \`a\`, \`a.*\` each value of the map \`a\`.
`;

/** The page, not formatted yet. */
export function jsonPage(): string {
  return opening + documents.map(section).join('');
}

function section({ of, schema, lines }: (typeof documents)[number]): string {
  const title = of.map((line) => `\`${line}\``).join(', ');
  const rows = fieldsOf(schema).map(
    ({ path, type, about }) => `| \`${path}\` | ${type} | ${about.replaceAll('|', '\\|')} |`,
  );
  const intro = lines ? '\nOne a line.\n' : '';
  return `\n## ${title}\n${intro}\n| field | type | |\n|---|---|---|\n${rows.join('\n')}\n`;
}

/** A field of a shape, by its path. */
export interface Field {
  readonly path: string;
  /** JSON types, separated by " or ". */
  readonly type: string;
  readonly about: string;
}

interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly description?: string;
}

/** Every field of `schema`, depth first. */
export function fieldsOf(schema: z.ZodType): readonly Field[] {
  return fieldsIn(z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' }) as Schema, '');
}

function fieldsIn(schema: Schema, path: string): readonly Field[] {
  const inner = (schema.anyOf ?? [schema]).flatMap((one) => childrenOf(one, path));
  return path === '' ? inner : [{ path, type: typeOf(schema), about: schema.description ?? '' }, ...inner];
}

function childrenOf(schema: Schema, path: string): readonly Field[] {
  if (schema.properties !== undefined) {
    return Object.entries(schema.properties).flatMap(([name, one]) =>
      fieldsIn(one, path === '' ? name : `${path}.${name}`),
    );
  }
  if (schema.items?.properties !== undefined) return childrenOf(schema.items, `${path}[]`);
  const value = schema.additionalProperties;
  return typeof value === 'object' && value.properties !== undefined ? childrenOf(value, `${path}.*`) : [];
}

function typeOf(schema: Schema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' or ');
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`${word}\``).join(', ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.type === 'array') return `list of ${schema.items === undefined ? 'anything' : typeOf(schema.items)}`;
  if (schema.type === 'object' && typeof schema.additionalProperties === 'object' && schema.properties === undefined) {
    return `map of ${typeOf(schema.additionalProperties)}`;
  }
  if (Array.isArray(schema.type)) return schema.type.join(' or ');
  return String(schema.type ?? 'anything');
}
