/**
 * Request bodies: read with a limit that holds whatever `Content-Length` says, and decoded by the route's own rule.
 * Nothing beyond the limit is kept; a body that breaks off is the caller's mistake.
 */

import type { z } from 'zod';
import { OctasklyError } from '../base/errors.ts';
import { validate } from './validate.ts';

/** What a route takes as its body. `schema` and `example` feed the OpenAPI document; `decode` throws `OctasklyError`. */
export interface BodyRule<T> {
  readonly mediaType: 'application/json' | 'application/octet-stream';
  /** Bytes. */
  readonly maxBytes: number;
  readonly description: string;
  readonly schema: z.ZodType<T> | null;
  readonly example: T | null;
  decode(bytes: Uint8Array): T;
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

/** A JSON body that fits `schema`. Refusals: `bad_request` (no JSON), `invalid` (does not fit). */
export function jsonBody<T>(rule: Omit<BodyRule<T>, 'mediaType' | 'decode' | 'schema'> & { schema: z.ZodType<T> }) {
  const body: BodyRule<T> = {
    ...rule,
    mediaType: 'application/json',
    decode: (bytes) =>
      validate(rule.schema, parseJson(bytes), { code: 'invalid', what: 'The request does not fit its schema' }),
  };
  return body;
}

/** Bytes as they are. */
export function bytesBody(rule: { readonly maxBytes: number; readonly description: string }): BodyRule<Uint8Array> {
  return { ...rule, mediaType: 'application/octet-stream', schema: null, example: null, decode: (bytes) => bytes };
}

function join(chunks: readonly Uint8Array[], size: number): Uint8Array {
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
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = (): OctasklyError =>
    new OctasklyError('too_large', `The body is too large: this route takes at most ${maxBytes} bytes.`);
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge();
  if (request.body === null) return new Uint8Array(0);
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
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

/** Refuses another media type than the wanted one; parameters (`; charset=utf-8`) are fine. */
export function checkMediaType(contentType: string | null, wanted: string): void {
  const given = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (given === wanted) return;
  const what = given === '' ? 'has no content type' : `has the content type "${given}"`;
  throw new OctasklyError('unsupported_media_type', `The request ${what}; it should be "${wanted}".`);
}

/** One text for all JSON texts of the same value: the keys of every object in order, no white space. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(',')}}`;
}
