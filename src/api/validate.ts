/**
 * Checks what came in against a schema and says what is wrong in the words of the person who sent it: each place as a
 * path such as `tasks.3.timeout`, and for an unknown key the valid one it is nearest to.
 * Also the few schemas that turn the text of a query parameter into a value, strictly: `limit=1e3` is not a number here.
 */

import { z } from 'zod';
import type { FieldError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { fieldErrorsMax, fieldsError } from './problem.ts';
import { sentenceOf } from './sentences.ts';

/** A parsed schema node below wrappers that do not change which keys are valid. */
function unwrap(schema: unknown): unknown {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodNullable || at instanceof z.ZodDefault) at = at.unwrap();
  return at;
}

/** Of alternatives the one that is an object. */
function objectOf(schema: unknown): unknown {
  return schema instanceof z.ZodUnion ? schema.options.find((option) => option instanceof z.ZodObject) : schema;
}

/** The keys a schema knows at `path`; empty where it has no fixed keys. */
export function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = unwrap(schema);
  for (const step of path) {
    if (at instanceof z.ZodObject) at = unwrap(at.shape[String(step)]);
    else if (at instanceof z.ZodArray) at = objectOf(unwrap(at.element));
    else return [];
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

/** Most characters of what came in that a message repeats. */
const echoLengthMax = 100;

function fieldErrorsOf(issue: z.core.$ZodIssue, schema: z.ZodType): FieldError[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const valid = keysAt(schema, issue.path);
    return issue.keys.slice(0, fieldErrorsMax).map((given) => {
      const key = given.slice(0, echoLengthMax);
      return {
        path: path === '' ? key : `${path}.${key}`,
        message: `unknown key "${key}"${didYouMean(key, valid)}`,
      };
    });
  }
  if (issue.code === 'invalid_union') {
    // One alternative is what was meant when what came is of its kind: then what is wrong inside says more.
    const meant = issue.errors.filter((inner) =>
      inner.every((each) => each.path.length > 0 || each.code === 'unrecognized_keys'),
    );
    const [inner, ...more] = meant;
    if (inner !== undefined && more.length === 0) {
      return inner.flatMap((each) => fieldErrorsOf({ ...each, path: [...issue.path, ...each.path] }, schema));
    }
  }
  // The name of a record's entry is wrong: the reasons lie one level deeper.
  if (issue.code === 'invalid_key') {
    return [{ path, message: issue.issues[0]?.message ?? issue.message }];
  }
  return [{ path, message: issue.message }];
}

/** The value as the schema gives it. Throws an `OctasklyError` with `code` whose message starts with `what`. */
export function validate<T>(
  schema: z.ZodType<T>,
  value: unknown,
  refusal: { readonly code: 'bad_request' | 'invalid'; readonly what: string },
): T {
  const result = schema.safeParse(value, { error: sentenceOf });
  if (result.success) return result.data;
  // A large request can be wrong in a million places; each costs something to explain.
  const fields = result.error.issues.slice(0, fieldErrorsMax).flatMap((issue) => fieldErrorsOf(issue, schema));
  throw fieldsError(refusal.code, refusal.what, fields.slice(0, fieldErrorsMax));
}

/** A whole number in decimal digits, within the range of `schema`. */
export function integerParameter(schema: z.ZodNumber): z.ZodType<number> {
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value),
    schema,
  );
}

/** `true` or `false`; the bare name (`?follow`) means true. */
export const booleanParameter: z.ZodType<boolean> = z.preprocess(
  (value) => (value === 'true' || value === '' ? true : value === 'false' ? false : value),
  z.boolean({ error: 'must be true or false' }),
);

/** May be repeated, and each may hold several separated by commas. */
export function listParameter<T extends z.ZodType>(element: T, max: number): z.ZodType<z.output<T>[]> {
  const split = (value: unknown): unknown =>
    [value].flat().flatMap((text): unknown => (typeof text === 'string' ? text.split(',') : text));
  return z.preprocess(split, z.array(element).min(1).max(max));
}

/** The query of a request as values of a strict object. Throws `bad_request`. */
export function validateQuery<T>(schema: z.ZodType<T>, query: Readonly<Record<string, readonly string[]>>): T {
  const raw: Record<string, unknown> = {};
  for (const [name, values] of Object.entries(query)) raw[name] = values.length === 1 ? values[0] : values;
  return validate(schema, raw, { code: 'bad_request', what: 'The query is not valid' });
}
