/** How one file takes the place of a program, on a real file system. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProgramPlaces } from '../../src/core/program-steps.ts';
import { dropDraft, identityOf, placesOf, swapProgram } from '../../src/runtime/program-file.ts';

let directory: string;
let places: ProgramPlaces;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-program-'));
  places = placesOf(join(directory, 'octaskly'));
  writeFileSync(places.program, 'first');
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const draft = (text: string): void => writeFileSync(places.draft, text);
const held = (): Record<string, string> =>
  Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]));

test('swapProgram() keeps the version before when another process has put the same program there', async () => {
  const seen = identityOf(places.program);
  draft('second');
  await swapProgram(places, seen);
  expect(held()).toEqual({ octaskly: 'second', 'octaskly.previous': 'first' });
  draft('second');
  await swapProgram(places, seen);
  expect(held()).toEqual({ octaskly: 'second', 'octaskly.previous': 'first' });
});

test('swapProgram() leaves a program that has become another since it was looked at', async () => {
  const seen = identityOf(places.program);
  draft('second');
  await swapProgram(places, seen);
  draft('other!');
  expect(swapProgram(places, seen)).rejects.toThrow('was replaced by somebody else meanwhile');
  dropDraft(places);
  expect(held()).toEqual({ octaskly: 'second', 'octaskly.previous': 'first' });
});

test('dropDraft() removes a draft with what it was being made of, and nothing else', () => {
  draft('half');
  writeFileSync(`${places.draft}.tar.gz`, 'half');
  writeFileSync(`${places.draft}.part`, 'half');
  dropDraft(places);
  expect(held()).toEqual({ octaskly: 'first' });
});
