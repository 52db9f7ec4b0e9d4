/** How one file takes the place of a program, on a real file system. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { reasonOf } from '../../src/base/errors.ts';
import { type ProgramPlaces, rollbackSteps, swapSteps } from '../../src/core/program-steps.ts';
import { openFlock } from '../../src/runtime/libc.ts';
import {
  dropDraft,
  identityOf,
  mendProgram,
  placesOf,
  rollBackProgram,
  swapProgram,
  takeStep,
} from '../../src/runtime/program-file.ts';

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

test('rollBackProgram() leaves a program that somebody else has taken back since it was looked at', () => {
  writeFileSync(places.previous, 'before');
  const seen = identityOf(places.program);
  rollBackProgram(places, seen);
  expect(() => rollBackProgram(places, seen)).toThrow('was replaced by somebody else meanwhile');
  expect(held()).toEqual({ octaskly: 'before', 'octaskly.previous': 'first' });
});

test('swapProgram() and rollBackProgram() leave names alone that another process is changing', async () => {
  const descriptor = openSync(dirname(places.program), 'r');
  const flock = openFlock();
  if (flock === null) return console.warn('not tested: two at once: there is no flock(2) here');
  expect(flock(descriptor)).toBe(true);
  writeFileSync(places.previous, 'before');
  draft('second');
  expect(swapProgram(places, null)).rejects.toThrow('is being replaced by somebody else just now');
  expect(() => rollBackProgram(places, null)).toThrow('is being replaced by somebody else just now');
  closeSync(descriptor);
  await swapProgram(places, null);
  expect(held()).toEqual({ octaskly: 'second', 'octaskly.previous': 'first' });
});

test('dropDraft() removes a draft with what it was being made of, and nothing else', () => {
  draft('half');
  writeFileSync(`${places.draft}.tar.gz`, 'half');
  writeFileSync(`${places.draft}.part`, 'half');
  dropDraft(places);
  expect(held()).toEqual({ octaskly: 'first' });
});

test('mendProgram() keeps the version before, whichever step of a swap was the last', async () => {
  for (let count = 0; count <= 3; count++) {
    writeFileSync(places.program, 'second');
    writeFileSync(places.previous, 'first');
    draft('third');
    for (const step of swapSteps(places, false).slice(0, count)) takeStep(step);
    mendProgram(places.program);
    const isDone = count > 1;
    const [program, previous] = isDone ? ['third', 'second'] : ['second', 'first'];
    expect(held(), `after ${count}`).toEqual({ octaskly: program, 'octaskly.previous': previous });
    rollBackProgram(places, null);
    expect(held(), `after ${count}`).toEqual({ octaskly: previous, 'octaskly.previous': program });
  }
});

test('mendProgram() keeps both versions, whichever step of a rollback was the last', () => {
  for (let count = 0; count <= 4; count++) {
    writeFileSync(places.program, 'second');
    writeFileSync(places.previous, 'first');
    for (const step of rollbackSteps(places, false).slice(0, count)) takeStep(step);
    mendProgram(places.program);
    const [program, previous] = count > 2 ? ['first', 'second'] : ['second', 'first'];
    expect(held(), `after ${count}`).toEqual({ octaskly: program, 'octaskly.previous': previous });
  }
});

test('mendProgram() knows a spare that is a copy of the program, as on disks without second names', () => {
  writeFileSync(places.previous, 'before');
  writeFileSync(places.spare, 'first');
  writeFileSync(`${places.spare}.part`, 'fir');
  mendProgram(places.program);
  expect(held()).toEqual({ octaskly: 'first', 'octaskly.previous': 'before' });
});

test('swapProgram() that cannot keep the version before leaves the program as it was', async () => {
  mkdirSync(join(places.previous, 'full'), { recursive: true });
  draft('second');
  const failure = await swapProgram(places, null).catch(reasonOf);
  expect(failure).toContain('Cannot replace');
  dropDraft(places);
  expect(readdirSync(directory).toSorted()).toEqual(['octaskly', 'octaskly.previous']);
  expect(readFileSync(places.program, 'utf8')).toBe('first');
});
