/**
 * The files that the tasks of a batch left, as one list: each below a folder of its task, so that they can lie side by side
 * on any system. Fetches nothing; what is done with the list is the same as with that of one task (`commands/outputs.ts`).
 */

import type { OutputFiles } from '../api/file-schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import { harmless } from '../base/harmless.ts';
import { pathProblem } from '../core/files.ts';
import { foldedOn, nameProblemOn } from '../core/platform/paths.ts';
import { isFinal, taskStatuses } from '../core/task.ts';
import type { CommandContext } from './context.ts';
import { listOutputs } from './outputs.ts';
import { withCount } from './progress.ts';
import { lookFor } from './selectors.ts';
import { eachOf } from './several.ts';
import { counted } from './text.ts';

type OutputFile = OutputFiles['outputs'][number];

/** What the tasks of a batch left. */
export interface BatchOutputs extends OutputFiles {
  readonly tasks: number;
  /** Sentences on what is not in the list, and was to be. */
  readonly lacks: readonly string[];
}

/** Lists them; `paths`: those at or below these paths of each task. Errors: `not_found`, for a path that no task left too. */
export async function listBatchOutputs(
  context: CommandContext,
  id: string,
  pick: { readonly paths: readonly string[]; isAt(file: OutputFile, path: string): boolean },
): Promise<BatchOutputs> {
  const found = await lookFor(context, [{ kind: 'batch', id }], taskStatuses);
  // Ids grow with time: so they are in the order in which they were submitted.
  const tasks = found.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const progress = { noun: 'tasks', done: 'looked at', total: tasks.length, alone: true };
  const lists = await withCount(context.terminal, progress, (add) =>
    eachOf(tasks, async (task) => {
      const list = await listOutputs(context, task.id);
      add(1);
      return list;
    }),
  );
  const folders = foldersOf(tasks.map(({ name }) => name));
  const lacks = lists.length === 0 ? [] : pick.paths.flatMap((path) => lackOf(lists, path, pick.isAt));
  const waiting = tasks.filter(({ status }) => !isFinal(status)).length;
  if (waiting > 0)
    lacks.push(`${waiting} of ${counted(tasks.length, 'task')} did not end yet; files are collected when they do.`);
  const isWanted = (file: OutputFile): boolean =>
    pick.paths.length === 0 || pick.paths.some((path) => pick.isAt(file, path));
  return {
    tasks: tasks.length,
    lacks,
    outputs: lists.flatMap(({ outputs }, n) =>
      outputs.filter(isWanted).map((file) => ({ ...file, path: `${folders[n]}/${file.path}` })),
    ),
    problems: lists.flatMap(({ problems }, n) => problems.map((problem) => `${folders[n]}: ${problem}`)),
    next_cursor: null,
  };
}

function lackOf(lists: readonly OutputFiles[], path: string, isAt: (file: OutputFile, path: string) => boolean) {
  const without = lists.filter(({ outputs }) => !outputs.some((file) => isAt(file, path))).length;
  if (without === lists.length) throw new OctasklyError('not_found', `No task of this batch left a file ${path}.`);
  return without === 0 ? [] : [`${without} of ${counted(lists.length, 'task')} left no file ${path}.`];
}

/**
 * A folder for each task: its name, where that is its own and can be the name of a folder on any system, else its number,
 * from 1 on. Pure.
 */
export function foldersOf(names: readonly (string | null)[]): string[] {
  const width = String(names.length).length;
  const times = new Map<string, number>();
  // A disk that tells cases apart least tells them apart like this.
  const folded = names.map((name) => foldedOn('darwin', name ?? ''));
  for (const name of folded) times.set(name, (times.get(name) ?? 0) + 1);
  return names.map((name, n) => {
    const isItsOwn = name !== null && isFolderName(name) && times.get(folded[n] ?? '') === 1;
    return isItsOwn ? name : String(n + 1).padStart(width, '0');
  });
}

/** Numbers alone are for tasks without a name. */
function isFolderName(name: string): boolean {
  if (name.includes('/') || /^\d+$/.test(name) || harmless(name) !== name) return false;
  return pathProblem(name) === null && nameProblemOn('win32', name) === null;
}
