/**
 * Files of a task: which bytes lie where below its directory. Names and their rules; no bytes.
 *
 * A blob is bytes named by their SHA-256. A path is relative, with `/` between its parts, and never leads out of the
 * directory: what is checked here is checked again wherever such a path meets a disk.
 */

/** A file with its place below the task directory. */
export interface TaskFile {
  readonly path: string;
  /** `sha256:<64 hex digits>`. */
  readonly blob: string;
  readonly bytes: number;
  readonly executable: boolean;
}

export const blobPattern = /^sha256:[0-9a-f]{64}$/;

/** Characters of a path, and of one of its parts; in bytes of UTF-8 it may be less. */
export const pathLengthMax = 4096;
const partBytesMax = 255;

/** Files of one task. */
export const filesMax = 20_000;
/** Patterns of outputs of one task. */
export const patternsMax = 256;
/** Problems with outputs that are reported; more are counted in the last. */
export const problemsMax = 20;

const utf8 = new TextEncoder();

/** Why `path` cannot be a place below a directory, as the end of the sentence "it …"; null when it can. */
export function pathProblem(path: string): string | null {
  if (path === '') return 'is empty';
  if (path.length > pathLengthMax) return `is longer than ${pathLengthMax} characters`;
  if (path.includes('\0')) return 'holds a NUL character';
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path))
    return 'is absolute; it should be relative to the task directory';
  if (path.includes('\\')) return 'holds a backslash; parts are separated by "/"';
  for (const part of path.split('/')) {
    if (part === '') return 'has an empty part';
    if (part === '.' || part === '..') return `holds "${part}"; it should stay below the task directory`;
    if (utf8.encode(part).length > partBytesMax) return `has a part longer than ${partBytesMax} bytes`;
  }
  return null;
}

/** The first thing wrong with a set of files, and with which; null when they can all lie below one directory. */
export function filesProblem(paths: readonly string[]): { readonly index: number; readonly problem: string } | null {
  const files = new Set<string>();
  const directories = new Set<string>();
  for (const [index, path] of paths.entries()) {
    const problem = pathProblem(path);
    if (problem !== null) return { index, problem };
    if (files.has(path)) return { index, problem: 'is given twice' };
    if (directories.has(path)) return { index, problem: 'is also a directory of another file' };
    files.add(path);
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const directory = path.slice(0, end);
      if (files.has(directory)) return { index, problem: `lies below "${directory}", which is a file` };
      if (directories.has(directory)) break;
      directories.add(directory);
    }
  }
  return null;
}

/** A pattern of outputs names one file: it has nothing a glob would expand. */
export function isLiteral(pattern: string): boolean {
  return !/[*?[\]{}!]/.test(pattern);
}
