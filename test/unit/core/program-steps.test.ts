import { describe, expect, test } from 'bun:test';
import { type FileStep, mendSteps, rollbackSteps, swapSteps } from '../../../src/core/program-steps.ts';

const places = { program: 'program', previous: 'previous', draft: 'draft', spare: 'spare' };
type Files = Map<string, string>;

/** A directory as names of contents; what is renamed or linked has to be there. */
function obey(files: Files, step: FileStep): void {
  const content = files.get(step.from);
  if (step.kind === 'remove') {
    files.delete(step.from);
    return;
  }
  if (content === undefined) throw new Error(`there is no ${step.from}`);
  // Two names of one file: nothing happens.
  if (step.kind === 'rename' && files.get(step.to) === content) return;
  files.set(step.to, content);
  if (step.kind === 'rename') files.delete(step.from);
}

function mend(files: Files): void {
  if (!files.has('spare')) return;
  const [hasProgram, hasPrevious] = [files.has('program'), files.has('previous')];
  const isPreviousPresent = hasProgram && files.get('program') === files.get('previous');
  for (const step of mendSteps(places, { hasProgram, hasPrevious, isPreviousPresent })) obey(files, step);
}

function done(files: Files, steps: readonly FileStep[], count = steps.length): Files {
  for (const step of steps.slice(0, count)) obey(files, step);
  return files;
}

describe.each([false, true])('on Windows: %p', (isWindows) => {
  test('swapSteps() makes the draft the program and keeps what was there', () => {
    const files = done(
      new Map([
        ['program', 'old'],
        ['previous', 'older'],
        ['draft', 'new'],
      ]),
      swapSteps(places, isWindows),
    );
    expect(Object.fromEntries(files)).toEqual({ program: 'new', previous: 'old' });
  });

  test('rollbackSteps() changes both, and twice is as before', () => {
    const files: Files = new Map([
      ['program', 'new'],
      ['previous', 'old'],
    ]);
    done(files, rollbackSteps(places, isWindows));
    expect(Object.fromEntries(files)).toEqual({ program: 'old', previous: 'new' });
    done(files, rollbackSteps(places, isWindows));
    expect(Object.fromEntries(files)).toEqual({ program: 'new', previous: 'old' });
  });
});

test('a program is under its name after every step, and what broke off can be mended and done again', () => {
  const swap = swapSteps(places, false);
  for (let count = 0; count <= swap.length; count++) {
    const files = done(
      new Map([
        ['program', 'old'],
        ['previous', 'older'],
        ['draft', 'new'],
      ]),
      swap,
      count,
    );
    expect(files.has('program')).toBe(true);
    files.delete('draft');
    mend(files);
    if (files.get('program') === 'old') done(files.set('draft', 'new'), swap);
    expect(Object.fromEntries(files)).toEqual({ program: 'new', previous: 'old' });
  }
  const rollback = rollbackSteps(places, false);
  for (let count = 0; count <= rollback.length; count++) {
    const files = done(
      new Map([
        ['program', 'new'],
        ['previous', 'old'],
      ]),
      rollback,
      count,
    );
    files.delete('draft');
    expect(files.has('program')).toBe(true);
    mend(files);
    const isBack = files.get('program') === 'old';
    expect(Object.fromEntries(files)).toEqual(
      isBack ? { program: 'old', previous: 'new' } : { program: 'new', previous: 'old' },
    );
  }
});

test('mendSteps() gives a name without a file the program back, as a break on Windows may leave it', () => {
  const steps = mendSteps(places, { hasProgram: false, hasPrevious: true, isPreviousPresent: false });
  expect(Object.fromEntries(done(new Map([['previous', 'old']]), steps))).toEqual({ program: 'old' });
});
