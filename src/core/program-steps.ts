/**
 * How one file takes the place of a program that may be running, as a list of small steps: whatever is between two of them,
 * a loss of power too, there is a whole program under its name, and doing it again leads to the same end.
 *
 *   program    what people start           previous   what it was before, for `--rollback`
 *   draft      what is to be the program   spare      what the program was when an operation began, until that is done
 *   aside      on Windows, a previous one that is in the way, as it may be running
 *
 * Invariant: whatever was the last step, there is a version before the present one under `previous` or `spare`. A spare
 * that is not the program is what `previous` is to become (`mendSteps`); what is a draft or aside may go.
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
  readonly aside: string;
}

/**
 * `remove`: it is no failure when that cannot be done. `link`: a copy where the file system has no second names.
 * `displace`: a rename, where there is something to be renamed.
 */
export type FileStep =
  | { readonly kind: 'link' | 'rename' | 'displace'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly from: string };

const link = (from: string, to: string): FileStep => ({ kind: 'link', from, to });
const rename = (from: string, to: string): FileStep => ({ kind: 'rename', from, to });
const displace = (from: string, to: string): FileStep => ({ kind: 'displace', from, to });
const remove = (from: string): FileStep => ({ kind: 'remove', from });

/** The draft becomes the program, and the program the previous one. */
export function swapSteps(places: ProgramPlaces, isWindows: boolean): readonly FileStep[] {
  const { program, draft, spare } = places;
  // The version before the present one goes last: only when there is another to go back to.
  return [
    isWindows ? rename(program, spare) : link(program, spare),
    rename(draft, program),
    ...keep(places, isWindows),
  ];
}

/** The spare becomes the previous one. */
function keep({ previous, spare, aside }: ProgramPlaces, isWindows: boolean): readonly FileStep[] {
  if (!isWindows) return [rename(spare, previous)];
  // A worker that was not started anew may be running what is the previous one.
  return [displace(previous, aside), rename(spare, previous), remove(aside)];
}

/** After a swap that could not do one of its steps: as it was before. */
export function takeBackSteps({ program, previous, spare, aside }: ProgramPlaces): readonly FileStep[] {
  // Renaming one of two names of a file to the other does nothing, so the spare may be left.
  return [displace(spare, program), remove(spare), displace(aside, previous)];
}

/** Program and previous one change places. */
export function rollbackSteps(
  { program, previous, draft, spare }: ProgramPlaces,
  isWindows: boolean,
): readonly FileStep[] {
  if (isWindows) return [rename(program, spare), rename(previous, program), rename(spare, previous)];
  return [link(program, spare), link(previous, draft), rename(draft, program), rename(spare, previous)];
}

/** Finishes, or takes back, what a step list that broke off has left under the name of the spare. */
export function mendSteps(places: ProgramPlaces, facts: SpareFacts): readonly FileStep[] {
  const { program, spare } = places;
  if (!facts.hasProgram) return [rename(spare, program)];
  return facts.isSpareTheProgram ? [remove(spare)] : keep(places, facts.isWindows);
}

export interface SpareFacts {
  readonly hasProgram: boolean;
  /** The spare holds what the program holds: nothing was replaced yet. */
  readonly isSpareTheProgram: boolean;
  readonly isWindows: boolean;
}
