/** Refusals in words, suggestions, and the strict reading of parameters and bodies. */

import { describe, expect, test } from 'bun:test';
import { z } from 'zod';
import { canonicalJson, readBody } from '../../../src/api/body.ts';
import { fieldErrorsMax, problemOf } from '../../../src/api/problem.ts';
import { batchRequestSchema, taskRequestSchema } from '../../../src/api/schemas.ts';
import { keysAt, validate, validateQuery } from '../../../src/api/validate.ts';
import { OctasklyError } from '../../../src/base/errors.ts';
import { meant } from '../../../src/base/nearest.ts';

function refusalOf(action: () => unknown): OctasklyError {
  try {
    action();
  } catch (error) {
    if (error instanceof OctasklyError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

const what = { code: 'invalid', what: 'No' } as const;

describe('meant()', () => {
  const keys = ['timeout', 'tags', 'retry_count', 'retry_delay'];
  const table: [string, string | null][] = [
    ['timout', 'timeout'],
    ['tiemout', 'timeout'],
    ['TAGS', 'tags'],
    ['retrycount', 'retry_count'],
    ['retry-delay', 'retry_delay'],
    ['xyz', null],
    ['x'.repeat(10_000), null],
  ];
  for (const [word, expected] of table) {
    test(`finds ${expected} for ${word.slice(0, 20)}`, () => expect(meant(word, keys)).toBe(expected));
  }
});

describe('validate()', () => {
  test('names places inside lists, maps and objects', () => {
    const body = {
      tasks: [{ command: 'a' }, { command: 'b', retry_count: -1, tags: { ' ': '' }, requires: { cpu_core: 1 } }],
    };
    const { fields, message } = refusalOf(() => validate(batchRequestSchema, body, what));
    expect(fields).toContainEqual({ path: 'tasks.1.retry_count', message: 'must be 0 or more' });
    expect(fields).toContainEqual({ path: 'tasks.1.tags. ', message: 'is not a label or tag name' });
    expect(fields).toContainEqual({
      path: 'tasks.1.requires.cpu_core',
      message: 'unknown key "cpu_core"; did you mean "cpu_cores"?',
    });
    expect(message).toStartWith('No: tasks.1.retry_count: must be 0 or more');
    expect(message).toEndWith('(and 2 more)');
  });

  test('lists a bounded number of places and repeats a bounded part of what came', () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`${'k'.repeat(5000)}${n}`, 0]));
    const problem = problemOf(refusalOf(() => validate(batchRequestSchema, { tasks: [many] }, what)));
    expect(problem.errors).toHaveLength(fieldErrorsMax);
    expect(JSON.stringify(problem).length).toBeLessThan(50_000);
  });

  test('keysAt() finds the keys valid at a place', () => {
    expect(keysAt(batchRequestSchema, [])).toEqual(['batch', 'name', 'notify', 'tasks']);
    expect(keysAt(batchRequestSchema, ['tasks', 3, 'requires'])).toContain('cpu_cores');
    expect(keysAt(batchRequestSchema, ['tasks', 3, 'env', 'x'])).toEqual([]);
  });
});

test('sentenceOf() speaks to the person who wrote it, wherever the schema has no sentence of its own', () => {
  const said = (task: object): string | undefined =>
    refusalOf(() => validate(taskRequestSchema, task, what)).fields[0]?.message;
  const table: [object, string][] = [
    [{ command: '' }, 'must not be empty'],
    [{ command: 'x'.repeat(200_000) }, 'must have at most 131,072 characters'],
    [{ command: 1 }, 'must be a text'],
    [{ command: 'x', timeout: 0 }, 'must be larger than 0'],
    [{ command: 'x', timeout: Number.NaN }, 'must be a number'],
    [{ command: 'x', retry_count: 1.5 }, 'must be a whole number'],
    [{ command: 'x', retry_count: 101 }, 'must be 100 or less'],
    [{ command: 'x', requires: { arch: 'z80' } }, 'must be x64, arm64 or arm'],
    [{ command: 'x', inputs: [{ path: 'a' }] }, 'is missing'],
    [{ command: 'x', depends_on: 'a' }, 'must be a list'],
    [{ command: 'x', priority: 'soon' }, 'must be low, normal, high, critical, or a whole number from -100 to 100'],
  ];
  for (const [task, message] of table) expect(said({ ...task })).toBe(message);
});

test('validateQuery() refuses a parameter that is given twice', () => {
  const schema = z.strictObject({ one: z.string().optional() });
  expect(validateQuery(schema, { one: ['a'] })).toEqual({ one: 'a' });
  expect(refusalOf(() => validateQuery(schema, { one: ['a', 'b'] })).fields[0]?.path).toBe('one');
});

test('canonicalJson() is one text for equal values and different for others', () => {
  const value = { b: [1, 'x', null, { d: true, c: 1.5 }], a: '"' };
  expect(canonicalJson(value)).toBe('{"a":"\\"","b":[1,"x",null,{"c":1.5,"d":true}]}');
  expect(JSON.parse(canonicalJson(value))).toEqual(value);
  expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]));
});

describe('readBody()', () => {
  const post = (body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer>) =>
    new Request('http://localhost/', { method: 'POST', body });

  test('joins what came in pieces, up to the limit itself', async () => {
    const pieces = () =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          for (const piece of [[1, 2], [3], [4, 5]]) controller.enqueue(Uint8Array.from(piece));
          controller.close();
        },
      });
    expect(await readBody(post(pieces()), 5)).toEqual(new Uint8Array([1, 2, 3, 4, 5]));
    await expect(readBody(post(pieces()), 4)).rejects.toMatchObject({ code: 'too_large' });
  });

  test('calls a body that breaks off a bad request', async () => {
    const broken = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error('gone')) });
    await expect(readBody(post(broken), 5)).rejects.toMatchObject({ code: 'bad_request' });
  });
});
