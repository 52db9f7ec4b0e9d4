import { describe, expect, test } from 'bun:test';
import { type FileStep, mendSteps, rollbackSteps, swapSteps, takeBackSteps } from '../../../src/core/program-steps.ts';

const places = { program: 'program', previous: 'previous', draft: 'draft', spare: 'spare', aside: 'aside' };
type Files = Map<string, string>;

/** A directory as names of contents; what is renamed or linked has to be there. */
function obey(files: Files, step: FileStep): void {
  const content = files.get(step.from);
  if (step.kind === 'remove') {
    files.delete(step.from);
    return;
  }
  if (step.kind === 'displace' && content === undefined) return;
  if (content === undefined) throw new Error(`there is no ${step.from}`);
  // Two names of one file: nothing happens.
  if (step.kind === 'rename' && files.get(step.to) === content) return;
  files.set(step.to, content);
  if (step.kind !== 'link') files.delete(step.from);
}

/** As whoever comes next does it: a draft that was left is dropped first. */
function mend(files: Files, isWindows: boolean): void {
  files.delete('draft');
  files.delete('aside');
  if (!files.has('spare')) return;
  const hasProgram = files.has('program');
  const isSpareTheProgram = files.get('program') === files.get('spare');
  for (const step of mendSteps(places, { hasProgram, isSpareTheProgram, isWindows })) obey(files, step);
}

const before = (previous: string | null): Files =>
  new Map([['program', 'old'], ...(previous === null ? [] : ([['previous', previous]] as const)), ['draft', 'new']]);

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

  test.each(['older', null])(
    'swapSteps() that break off anywhere lose neither program nor previous: %p',
    (previous) => {
      const steps = swapSteps(places, isWindows);
      const intact = previous === null ? { program: 'old' } : { program: 'old', previous };
      const swapped = { program: 'new', previous: 'old' };
      for (let count = 0; count <= steps.length; count++) {
        const files = done(before(previous), steps, count);
        expect(files.has('program') || isWindows).toBe(true);
        const isSwapped = files.get('program') === 'new';
        mend(files, isWindows);
        expect(Object.fromEntries(files), `after ${count}`).toEqual(isSwapped ? swapped : intact);
        if (!isSwapped) expect(Object.fromEntries(done(files.set('draft', 'new'), steps))).toEqual(swapped);
      }
    },
  );

  test('rollbackSteps() that break off anywhere lose neither program nor previous', () => {
    const steps = rollbackSteps(places, isWindows);
    for (let count = 0; count <= steps.length; count++) {
      const files: Files = new Map([
        ['program', 'new'],
        ['previous', 'old'],
      ]);
      done(files, steps, count);
      expect(files.has('program') || isWindows).toBe(true);
      const isBack = files.get('program') === 'old';
      mend(files, isWindows);
      const [program, previous] = isBack ? ['old', 'new'] : ['new', 'old'];
      expect(Object.fromEntries(files), `after ${count}`).toEqual({ program, previous });
    }
  });

  test.each(['older', null])('takeBackSteps() undo a swap whose next step could not be done: %p', (previous) => {
    const steps = swapSteps(places, isWindows);
    const intact = previous === null ? { program: 'old' } : { program: 'old', previous };
    // After the spare has become the previous one nothing is left that could fail.
    for (let count = 0; count <= steps.findIndex(({ from }) => from === 'spare'); count++) {
      const files = done(before(previous), steps, count);
      done(files, takeBackSteps(places));
      files.delete('draft');
      expect(Object.fromEntries(files), `after ${count}`).toEqual(intact);
    }
  });
});
