/**
 * What does not fit a schema, in words for the person who wrote it: `must be larger than 0`. The one place for what the
 * kinds of schemas share; where a schema has a sentence of its own, that one is said. Pure.
 */

import type { z } from 'zod';

type Issue = z.core.$ZodRawIssue;
type Bound = Extract<Issue, { code: 'too_small' | 'too_big' }>;

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

function numberText(value: number | bigint): string {
  return value.toLocaleString('en', { maximumFractionDigits: 10 });
}

/** What is counted in a text or a list; null = it is a number itself. */
function countedOf(origin: string, count: number | bigint): string | null {
  if (origin === 'string') return count === 1 ? 'character' : 'characters';
  return origin === 'number' || origin === 'int' ? null : count === 1 ? 'entry' : 'entries';
}

function tooSmall(bound: number | bigint, { origin, inclusive }: Pick<Bound, 'origin' | 'inclusive'>): string {
  const counted = countedOf(origin, bound);
  if (counted !== null) return bound === 1 ? 'must not be empty' : `must have at least ${numberText(bound)} ${counted}`;
  return inclusive === false ? `must be larger than ${numberText(bound)}` : `must be ${numberText(bound)} or more`;
}

function tooBig(bound: number | bigint, { origin, inclusive }: Pick<Bound, 'origin' | 'inclusive'>): string {
  const counted = countedOf(origin, bound);
  if (counted !== null) return `must have at most ${numberText(bound)} ${counted}`;
  return inclusive === false ? `must be smaller than ${numberText(bound)}` : `must be ${numberText(bound)} or less`;
}

/** The sentence for what is wrong, as a predicate of the place; undefined where the schema's own says more. */
export function sentenceOf(issue: Issue): string | undefined {
  switch (issue.code) {
    case 'too_small':
      return tooSmall(issue.minimum, issue);
    case 'too_big':
      return tooBig(issue.maximum, issue);
    case 'invalid_type':
      if (issue.input === undefined) return 'is missing';
      return `must be ${kinds[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be ${issue.values
        .map(String)
        .join(', ')
        .replace(/, ([^,]*)$/, ' or $1')}`;
    case 'invalid_format':
      if (issue.format !== 'datetime') return undefined;
      return 'must be an instant such as 2026-05-01T12:00:00Z';
    case 'invalid_union':
      return 'has none of the forms it may have';
    default:
      return undefined;
  }
}
