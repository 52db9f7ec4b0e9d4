/**
 * The OpenAPI 3.1 document, made from the table of routes and the schemas that validate. It describes; it decides nothing.
 * Schemas with a name appear once under `components` and are referred to.
 */

import { z } from 'zod';
import { type ErrorCode, errorCodes } from '../base/errors.ts';
import * as files from './file-schemas.ts';
import { audienceOf, refusalOf, securityOf, securitySchemes, tagOf, tags } from './openapi-parts.ts';
import { type AnswerRule, type Route, templateOf } from './route.ts';
import * as schemas from './schemas.ts';
import * as timeline from './timeline-schemas.ts';
import * as trust from './trust-schemas.ts';
import * as workers from './worker-schemas.ts';

/** Names of the schemas in the document. */
const named = {
  Task: schemas.taskSchema,
  TaskRequest: schemas.taskRequestSchema,
  TaskForm: schemas.taskFormSchema,
  TaskWithAttempts: schemas.taskWithAttemptsSchema,
  TaskList: schemas.taskListSchema,
  Attempt: schemas.attemptSchema,
  BatchRequest: schemas.batchRequestSchema,
  BatchAnswer: schemas.batchAnswerSchema,
  BatchList: schemas.batchListSchema,
  Batch: schemas.batchSchema,
  Worker: workers.workerSchema,
  WorkerList: workers.workerListSchema,
  File: files.fileSchema,
  OutputFiles: files.outputFilesSchema,
  Upload: files.uploadSchema,
  MissingRequest: files.missingRequestSchema,
  Missing: files.missingSchema,
  Token: trust.tokenSchema,
  TokenRequest: trust.tokenRequestSchema,
  TokenList: trust.tokenListSchema,
  CreatedToken: trust.createdTokenSchema,
  Invite: trust.inviteSchema,
  InviteRequest: trust.inviteRequestSchema,
  InviteList: trust.inviteListSchema,
  CreatedInvite: trust.createdInviteSchema,
  Approval: trust.approvalSchema,
  ApprovalList: trust.approvalListSchema,
  RotateRequest: trust.rotateRequestSchema,
  Rotated: trust.rotatedSchema,
  AuditEntry: trust.auditEntrySchema,
  AuditList: trust.auditListSchema,
  AuditFinding: trust.auditFindingSchema,
  Identity: trust.identitySchema,
  Session: trust.sessionSchema,
  Timeline: timeline.timelineSchema,
  Explanation: schemas.explanationSchema,
  Stats: schemas.statsSchema,
  Event: schemas.eventSchema,
  Problem: schemas.problemSchema,
} as const;

type Json = Record<string, unknown>;

/** Codes that every route may answer, and those that a body adds. */
const everywhere: readonly ErrorCode[] = ['bad_request', 'unauthorized', 'forbidden', 'internal'];
const withBody: readonly ErrorCode[] = ['too_large', 'unsupported_media_type'];

const reference = (name: string): string => `#/components/schemas/${name}`;

/** JSON Schema without what OpenAPI has a place of its own for. */
function bare(schema: Json): Json {
  const { $schema, $id, ...rest } = schema;
  return rest;
}

/** Bounds that only say "a whole number" are left out. */
function withoutSafeBounds({ jsonSchema }: { jsonSchema: Json }): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
}

function componentSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  // Of what is sent: answers may get further members one day, so they are not described as closed.
  const { schemas: made } = z.toJSONSchema(registry, { io: 'input', uri: reference, override: withoutSafeBounds });
  return Object.fromEntries(Object.entries(made).map(([id, schema]) => [id, bare(schema)]));
}

function schemaOf(schema: z.ZodType): Json {
  const name = Object.entries(named).find(([, candidate]) => candidate === schema)?.[0];
  return name === undefined
    ? bare(z.toJSONSchema(schema, { io: 'input', override: withoutSafeBounds }))
    : { $ref: reference(name) };
}

/** Of the values a parameter stands for, which is how OpenAPI describes parameters. */
function parameterOf(name: string, place: 'path' | 'query', schema: z.ZodType): Json {
  const { description, ...rest } = bare(z.toJSONSchema(schema, { io: 'output', override: withoutSafeBounds }));
  return {
    name,
    in: place,
    required: place === 'path' || !schema.safeParse(undefined).success,
    ...(description === undefined ? {} : { description }),
    schema: rest,
  };
}

function parametersOf(route: Route): Json[] {
  const of = (place: 'path' | 'query', object: z.ZodObject): Json[] =>
    Object.entries(object.shape).map(([name, schema]) => parameterOf(name, place, schema as z.ZodType));
  const headers = Object.entries(route.requestHeaders ?? {}).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  }));
  return [...of('path', route.params), ...of('query', route.query), ...headers];
}

function requestBodyOf({ body }: Route): Json {
  if (body === null) return {};
  const bytes = { type: 'string', format: 'binary', maxLength: body.maxBytes };
  const content = body.contents.map(({ mediaType, schema, example }) => [
    mediaType,
    schema === null ? { schema: bytes } : { schema: schemaOf(schema), example },
  ]);
  return {
    requestBody: {
      required: body.contents.every(({ schema }) => schema !== null),
      description: `${body.description}. At most ${body.maxBytes} bytes.`,
      content: Object.fromEntries(content),
    },
  };
}

function answerOf({ description, schema, mediaType, headers }: AnswerRule): Json {
  const bytes = { type: 'string', format: 'binary' };
  // Event streams are text; their schema is that of one event's data.
  const content = schema === null ? bytes : schemaOf(schema);
  return {
    description,
    ...(headers === undefined
      ? {}
      : {
          headers: Object.fromEntries(
            Object.entries(headers).map(([name, text]) => [name, { description: text, schema: { type: 'string' } }]),
          ),
        }),
    ...(schema === null && mediaType === undefined
      ? {}
      : { content: { [mediaType ?? 'application/json']: { schema: content } } }),
  };
}

/** Every code a route may answer with. */
function problemsOf(route: Route): ErrorCode[] {
  const invalid: ErrorCode[] = route.body?.contents.some(({ schema }) => schema !== null) ? ['invalid'] : [];
  const body = route.body === null ? [] : withBody;
  // Of whoever shows tokens that do not hold.
  const limited: ErrorCode[] = route.access === 'public' ? [] : ['rate_limited'];
  const missing: ErrorCode[] = Object.keys(route.params.shape).length > 0 ? ['not_found'] : [];
  return [...new Set([...everywhere, ...limited, ...missing, ...body, ...invalid, ...route.problems])];
}

function problemAnswers(route: Route): Json {
  const byStatus = Map.groupBy(problemsOf(route), (code) => errorCodes[code].http);
  const schema = { $ref: reference('Problem') };
  return Object.fromEntries([...byStatus].map(([status, codes]) => [String(status), refusalOf(codes, schema)]));
}

function operationOf(route: Route): Json {
  const parameters = parametersOf(route);
  return {
    operationId: route.name,
    summary: route.summary,
    tags: [tagOf(route.path)],
    description: [route.description, audienceOf(route.access)].filter((text) => text !== undefined).join(' '),
    security: securityOf(route.access),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...requestBodyOf(route),
    responses: {
      ...Object.fromEntries(Object.entries(route.answers).map(([status, answer]) => [status, answerOf(answer)])),
      ...problemAnswers(route),
    },
  };
}

/** The document for `routes`, as plain JSON data. */
export function openApiOf(routes: readonly Route[], info: { readonly version: string }): object {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const template = templateOf(route.path);
    const path = paths[template] ?? {};
    path[route.method.toLowerCase()] = operationOf(route);
    paths[template] = path;
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Octaskly',
      version: info.version,
      description: 'Share the computing power of the devices on one local network.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    // Where the document came from.
    servers: [{ url: '/' }],
    tags,
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes,
    },
  };
}
