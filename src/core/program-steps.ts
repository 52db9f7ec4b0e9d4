/**
 * How one file takes the place of a program that may be running, as a list of small steps: whatever is between two of them,
 * a loss of power too, there is a whole program under its name, and doing it again leads to the same end.
 *
 *   program    what people start           previous   what it was before, for `--rollback`
 *   draft      what is to be the program   spare      a second name, of one operation
 *
 * On Windows a running program can be renamed, but neither replaced nor removed: there its name is without a file between
 * two renames, for less than a millisecond.
 * Deliberately not here: doing it (`runtime/program-file.ts`). References: rename(2), link(2); MoveFileEx.
 */

export interface ProgramPlaces {
  readonly program: string;
  readonly previous: string;
  readonly draft: string;
  readonly spare: string;
}

/** `remove`: it is no failure when that cannot be done. `link`: a copy where the file system has no second names. */
export type FileStep =
  | { readonly kind: 'link' | 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly from: string };

const link = (from: string, to: string): FileStep => ({ kind: 'link', from, to });
const rename = (from: string, to: string): FileStep => ({ kind: 'rename', from, to });
const remove = (from: string): FileStep => ({ kind: 'remove', from });

/** The draft becomes the program, and the program the previous one. */
export function swapSteps({ program, previous, draft, spare }: ProgramPlaces, isWindows: boolean): readonly FileStep[] {
  if (isWindows) return [remove(previous), rename(program, previous), rename(draft, program)];
  // Renaming one of two names of a file to the other does nothing, so the spare name may be left.
  return [link(program, spare), rename(spare, previous), remove(spare), rename(draft, program)];
}

/** Program and previous one change places. */
export function rollbackSteps(
  { program, previous, draft, spare }: ProgramPlaces,
  isWindows: boolean,
): readonly FileStep[] {
  if (isWindows) return [rename(program, spare), rename(previous, program), rename(spare, previous)];
  return [link(program, spare), link(previous, draft), rename(draft, program), rename(spare, previous)];
}

/**
 * What a step list that broke off has left under the name of the spare. `isPreviousPresent`: program and previous one
 * are the same file.
 */
export function mendSteps({ program, previous, spare }: ProgramPlaces, facts: SpareFacts): readonly FileStep[] {
  if (!facts.hasProgram) return [rename(facts.hasPrevious ? previous : spare, program)];
  // A rollback that had done all but its last step: the spare is what was the program.
  return facts.isPreviousPresent ? [rename(spare, previous)] : [remove(spare)];
}

export interface SpareFacts {
  readonly hasProgram: boolean;
  readonly hasPrevious: boolean;
  readonly isPreviousPresent: boolean;
}
