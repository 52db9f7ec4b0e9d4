/**
 * Files to bring along (`--in`): which bytes will lie where below the task directory. A relative path keeps its place, so
 * that the same command line works here and there; an absolute path, or one with `..`, goes by its last name. Of a
 * directory all files below it come, symbolic links as what they lead to.
 *
 * Nothing is sent here: `upload.ts` does that.
 */

import { harmless } from '../base/harmless.ts';
import { filesMax, filesProblem, type TaskFile } from '../core/files.ts';
import type { CommandContext } from './context.ts';
import type { LocalFile, LocalFiles } from './files.ts';
import { usage } from './parse.ts';
import { withProgress } from './progress.ts';
import { eachOf } from './several.ts';

/** A file to bring along, with its content's hash. */
export interface InputFile extends TaskFile {
  readonly source: LocalFile['source'];
}

const hashedAtOnce = 4;

/** The path without `.` parts and doubled slashes; '' for the directory itself. */
export function tidyPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.join('/');
}

/** Where `path` lies below the task directory; '' = that directory itself. `directory`: what relative paths start from. */
function placeOf(path: string, directory: string): string {
  const parts = path.split('/');
  if (!isAbsolute(path) && !parts.includes('..')) return tidyPath(path);
  const names: string[] = [];
  for (const part of (isAbsolute(path) ? path : `${directory}/${path}`).split('/')) {
    if (part === '..') names.pop();
    else if (part !== '' && part !== '.') names.push(part);
  }
  const last = names.at(-1);
  if (last === undefined || /^[A-Za-z]:$/.test(last)) {
    throw usage(`${path} is the whole disk. Name a file or a directory on it.`);
  }
  return last;
}

function isAbsolute(path: string): boolean {
  return path.startsWith('/') || /^[A-Za-z]:\//.test(path);
}

function slashed({ separator }: LocalFiles, path: string): string {
  return separator === '/' ? path : path.replaceAll(separator, '/');
}

/** Finds and hashes files; each one once, however many tasks bring it. */
export class InputFinder {
  private readonly context: CommandContext;
  private readonly directory: string;
  private readonly hashes = new Map<string, { readonly blob: string; readonly bytes: number }>();

  /** `directory`: what relative paths start from. */
  constructor(context: CommandContext, directory: string) {
    this.context = context;
    this.directory = directory;
  }

  /**
   * The files of one task. Throws `usage` for what is missing, is no file, or would lie where another lies; `io` for
   * what cannot be read; the signal's reason.
   */
  async find(paths: readonly string[], signal?: AbortSignal): Promise<readonly InputFile[]> {
    const found = new Map<string, LocalFile>();
    for (const path of paths) {
      if (path.includes('\0')) throw usage(`"${harmless(path)}" is not the path of a file: it holds a NUL character.`);
      for (const [place, file] of await this.filesOf(path)) {
        const other = found.get(place);
        if (other !== undefined && other.source !== file.source) {
          throw usage(`${other.source} and ${file.source} would both become "${harmless(place)}" in the task.`);
        }
        found.set(place, file);
        if (found.size > filesMax)
          throw usage(`With ${path} there are too many files: a task can bring at most ${filesMax}.`);
      }
      signal?.throwIfAborted();
    }
    const problem = filesProblem([...found.keys()]);
    if (problem !== null) {
      const [place, file] = [...found][problem.index] ?? [];
      throw usage(`${file?.source} cannot become "${harmless(place ?? '')}" in the task: it ${problem.problem}.`);
    }
    await this.hashAll([...found.values()], signal);
    return [...found].flatMap(([path, { source, executable }]) => {
      const content = this.hashes.get(source);
      return content === undefined ? [] : [{ path, ...content, executable, source }];
    });
  }

  private async filesOf(given: string): Promise<(readonly [place: string, file: LocalFile])[]> {
    const { files } = this.context;
    const path = slashed(files, given);
    const place = placeOf(path, slashed(files, this.directory));
    const here = this.directory === files.currentDirectory || isAbsolute(path);
    const found = await files.find(here ? given : `${this.directory}/${given}`);
    return found.map((file) => {
      const below = file.path === '' || place === '' ? place + file.path : `${place}/${file.path}`;
      return [below, file] as const;
    });
  }

  private async hashAll(found: readonly LocalFile[], signal: AbortSignal | undefined): Promise<void> {
    const { files, terminal } = this.context;
    const fresh = [...new Map(found.map((file) => [file.source, file])).values()].filter(
      ({ source }) => !this.hashes.has(source),
    );
    const total = fresh.reduce((sum, { bytes }) => sum + bytes, 0);
    await withProgress(terminal, { verb: 'Reading', total }, ({ moved }) =>
      eachOf(
        fresh,
        async (file) => {
          signal?.throwIfAborted();
          this.hashes.set(file.source, await files.hash(file, moved, signal));
        },
        hashedAtOnce,
      ),
    );
  }
}
