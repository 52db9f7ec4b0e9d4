/** The page about the REST API says what the API is. */

import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { restPage, restPageFile } from '../../../scripts/rest-docs.ts';

test('docs/REST.md is what scripts/rest-docs.ts writes', () => {
  expect(readFileSync(restPageFile, 'utf8')).toBe(restPage());
});

test('restPage() names every limit of a task, and what refuses it', () => {
  const page = restPage();
  expect(page).toContain('| `timeout` |  | number | more than 0; at most 2592000 | Seconds');
  expect(page).toContain('### POST /api/v1/tasks\n');
  expect(page).toMatch(/\| 429 \| .*`queue_full`/);
});
