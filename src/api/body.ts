/**
 * Request bodies: read with a limit that holds whatever `Content-Length` says, and decoded by the route's own rule.
 * Nothing beyond the limit is kept; a body that breaks off is the caller's mistake.
 */

import type { z } from 'zod';
import { OctasklyError } from '../base/errors.ts';
import { validate } from './validate.ts';

/** One form a body may come in. `schema` and `example` feed the OpenAPI document; without schema it is bytes. */
export interface BodyContent<T> {
  readonly mediaType: 'application/json' | 'application/octet-stream' | 'multipart/form-data';
  readonly schema: z.ZodType | null;
  readonly example: unknown;
  /** Reads at most `maxBytes` of the rule. Throws `OctasklyError`. */
  take(request: Request, maxBytes: number): Promise<T>;
}

/** What a route takes as its body, in one of several forms. */
export interface BodyRule<T> {
  /** Bytes. */
  readonly maxBytes: number;
  readonly description: string;
  readonly contents: readonly BodyContent<T>[];
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new OctasklyError('bad_request', 'Cannot read the body: it is not UTF-8 text. It should be JSON.');
  }
  try {
    const value: unknown = JSON.parse(text);
    if (text.includes('__proto__')) refuseProto(value, []);
    return value;
  } catch (error) {
    if (error instanceof OctasklyError) throw error;
    const why = error instanceof SyntaxError ? error.message : 'it is nested too deeply';
    throw new OctasklyError('bad_request', `Cannot read the body as JSON: ${why}.`);
  }
}

/** A key that objects treat specially would vanish on the way: no field has it, so it is refused wherever it stands. */
function refuseProto(value: unknown, path: readonly string[]): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const at = [...path, key];
    if (key === '__proto__') {
      const message = 'is not a name that can be used';
      throw new OctasklyError('invalid', `The request does not fit its schema: ${at.join('.')} ${message}.`, {
        fields: [{ path: at.join('.'), message }],
      });
    }
    refuseProto(inner, at);
  }
}

/** The JSON value in `bytes`, when it fits `schema`. Refusals: `bad_request` (no JSON), `invalid` (does not fit). */
export function decodeJson<T>(schema: z.ZodType<T>, bytes: Uint8Array): T {
  return validate(schema, parseJson(bytes), { code: 'invalid', what: 'The request does not fit its schema' });
}

/** A JSON body that fits `schema`. Refusals as `decodeJson`. */
export function jsonContent<T>(rule: { readonly schema: z.ZodType<T>; readonly example: T }): BodyContent<T> {
  return {
    ...rule,
    mediaType: 'application/json',
    take: async (request, maxBytes) => decodeJson(rule.schema, await readBody(request, maxBytes)),
  };
}

/** Nothing but JSON that fits `schema`. */
export function jsonBody<T>(rule: {
  readonly maxBytes: number;
  readonly description: string;
  readonly schema: z.ZodType<T>;
  readonly example: T;
}): BodyRule<T> {
  const { maxBytes, description, schema, example } = rule;
  return { maxBytes, description, contents: [jsonContent({ schema, example })] };
}

/** Bytes as they are. */
export function bytesBody(rule: {
  readonly maxBytes: number;
  readonly description: string;
}): BodyRule<Uint8Array<ArrayBuffer>> {
  const content = { mediaType: 'application/octet-stream', schema: null, example: null, take: readBody } as const;
  return { ...rule, contents: [content] };
}

/** Bytes that the handler takes as they come; it keeps the limit itself. Null = there are none. */
export function streamBody(rule: {
  readonly maxBytes: number;
  readonly description: string;
}): BodyRule<ReadableStream<Uint8Array> | null> {
  const take = (request: Request): Promise<ReadableStream<Uint8Array> | null> => Promise.resolve(request.body);
  return { ...rule, contents: [{ mediaType: 'application/octet-stream', schema: null, example: null, take }] };
}

function join(chunks: readonly Uint8Array<ArrayBuffer>[], size: number): Uint8Array<ArrayBuffer> {
  const first = chunks[0];
  if (chunks.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** The body's bytes. Throws `too_large` as soon as more than `maxBytes` are certain, `bad_request` when it breaks off. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = (): OctasklyError =>
    new OctasklyError('too_large', `The body is too large: this route takes at most ${maxBytes} bytes.`);
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge();
  if (request.body === null) return new Uint8Array(0);
  const reader = request.body.getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (;;) {
    const part = await reader.read().catch((cause: unknown) => {
      throw new OctasklyError('bad_request', 'The body broke off before its end.', { cause });
    });
    if (part.done) return join(chunks, size);
    size += part.value.length;
    if (size > maxBytes) {
      // The rest is not waited for, and whether giving it up works is of no interest here.
      reader.cancel().catch(() => undefined);
      throw tooLarge();
    }
    chunks.push(part.value);
  }
}

function mediaTypeOf(contentType: string | null): string {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** The one of `contents` a request comes in; parameters (`; charset=utf-8`) are fine. Throws `unsupported_media_type`. */
export function contentOf<T extends { readonly mediaType: string }>(
  contentType: string | null,
  contents: readonly T[],
): T {
  const given = mediaTypeOf(contentType);
  const found = contents.find(({ mediaType }) => mediaType === given);
  if (found !== undefined) return found;
  const what = given === '' ? 'has no content type' : `has the content type "${given}"`;
  const wanted = contents.map(({ mediaType }) => `"${mediaType}"`).join(' or ');
  throw new OctasklyError('unsupported_media_type', `The request ${what}; it should be ${wanted}.`);
}

/** One text for all JSON texts of the same value: the keys of every object in order, no white space. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(',')}}`;
}
