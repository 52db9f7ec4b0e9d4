/**
 * Who may import whom. Rooms are the folders of `src/`; `version.ts` is a room of its own, `main.ts` and
 * `roles/` are the composition root and may import everything. Imports that exist for their types alone count too,
 * except where the table says `types`.
 */

import { posix } from 'node:path';
import type { SourceFile } from './source.ts';

export interface Import {
  readonly specifier: string;
  /** Path within the repository; null for packages and what the runtime provides. */
  readonly target: string | null;
  readonly typesOnly: boolean;
}

export function importsOf({ path, text }: Pick<SourceFile, 'path' | 'text'>): Import[] {
  const found: Import[] = [];
  const add = (specifier: string, typesOnly: boolean): void => {
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : null;
    found.push({ specifier, target, typesOnly });
  };
  const statement = /^(?:import|export)\s+(type\s+)?(?:([\w*][^;'"]*?|\{[^}]*\})\s+from\s+)?'([^']+)'/gm;
  for (const [, type, names = '', specifier = ''] of text.matchAll(statement)) {
    const listed = /^\{(.*)\}$/s.exec(names)?.[1]?.split(',') ?? [];
    const named = listed.map((name) => name.trim()).filter((name) => name !== '');
    add(specifier, type !== undefined || (named.length > 0 && named.every((name) => name.startsWith('type '))));
  }
  for (const [, specifier = ''] of text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) add(specifier, false);
  return found;
}

/** The room of a file; '' = outside `src/`. */
export function roomOf(path: string): string {
  if (path.startsWith('tui/')) return 'tui';
  return /^src\/([^/.]+)/.exec(path)?.[1] ?? '';
}

const heart = ['base', 'core', 'wire', 'discovery'];
const faces = { values: ['client', 'base', 'core'], types: ['client', 'base', 'core', 'api'] };

/** For each room the rooms whose values it may use, and those of which only types. */
const table: Readonly<Record<string, { readonly values: readonly string[]; readonly types: readonly string[] }>> = {
  base: { values: [], types: [] },
  core: { values: ['base'], types: ['base'] },
  wire: { values: ['base', 'core'], types: ['base', 'core'] },
  discovery: { values: ['base', 'core', 'wire'], types: ['base', 'core', 'wire'] },
  ports: { values: [], types: heart },
  version: { values: [], types: [] },
  store: { values: heart, types: [...heart, 'ports'] },
  transfer: { values: heart, types: [...heart, 'ports'] },
  dispatcher: { values: [...heart, 'transfer'], types: [...heart, 'ports', 'transfer', 'api'] },
  confine: { values: ['base', 'core'], types: ['base', 'core', 'ports'] },
  worker: { values: [...heart, 'transfer', 'confine'], types: [...heart, 'ports', 'transfer', 'confine'] },
  api: { values: heart, types: [...heart, 'ports'] },
  runtime: { values: [...heart, 'confine', 'version'], types: [...heart, 'ports', 'confine', 'api', 'cli'] },
  client: { values: ['base', 'core'], types: ['base', 'core', 'api'] },
  library: faces,
  cli: { values: [...faces.values, 'version'], types: faces.types },
  dashboard: faces,
  tui: faces,
};

/**
 * Files that stand open to rooms which may not use the rest of their room's values: the limits of the API, the terminal
 * as the command line sees it, which `runtime/` implements, and the dashboard, which the command line starts.
 */
const openFiles: Readonly<Record<string, readonly string[]>> = {
  'src/api/limits.ts': ['cli', 'client', 'library', 'tui', 'dashboard'],
  'src/cli/context.ts': ['runtime'],
  'tui/run.ts': ['cli'],
  'tui/screen.ts': ['cli'],
};

const roots = ['main', 'roles'];

export function forbiddenImports(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => roomOf(path) !== '' && !roots.includes(roomOf(path)))
    .flatMap((file) => importsOf(file).map((each) => forbidden(file.path, each)))
    .filter((finding) => finding !== null);
}

function forbidden(path: string, { target, typesOnly }: Import): string | null {
  const room = roomOf(path);
  if (target === null || (room === 'version' && target === 'package.json')) return null;
  const other = roomOf(target);
  if (other === room || openFiles[target]?.includes(room) === true) return null;
  const may = table[room];
  if (may === undefined) return `${path} is in a room nobody knows: ${room}`;
  if (may.values.includes(other) || (typesOnly && may.types.includes(other))) return null;
  const allowed = [...new Set([...may.values, ...may.types.map((name) => `types of ${name}`)])];
  const what = may.types.includes(other) ? 'values of' : 'from';
  return `${path} imports ${what} ${other} (${target}); ${room} may import ${allowed.join(', ') || 'nothing'}`;
}

/** Circles of files that import each other, also through types; each is told once, from its first path on. */
export function importCycles(files: readonly SourceFile[]): string[] {
  const targets = new Map(files.map((file) => [file.path, localTargets(file)]));
  const done = new Set<string>();
  const trail: string[] = [];
  const found: string[] = [];
  const visit = (path: string): void => {
    const from = trail.indexOf(path);
    if (from >= 0)
      found.push(`these files import each other in a circle: ${[...trail.slice(from), path].join(' -> ')}`);
    if (from >= 0 || done.has(path)) return;
    trail.push(path);
    for (const target of targets.get(path) ?? []) visit(target);
    trail.pop();
    done.add(path);
  };
  for (const { path } of files) visit(path);
  return found;
}

function localTargets(file: SourceFile): string[] {
  return importsOf(file)
    .map(({ target }) => target)
    .filter((target) => target !== null);
}

/** Files of `src/` and `tui/` that nothing reaches from `entries`, except those that exist for tests. */
export function deadFiles(
  files: readonly SourceFile[],
  entries: readonly string[],
  forTests: readonly string[],
): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const open = [...entries];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const file = byPath.get(path);
    if (file === undefined || reached.has(path)) continue;
    reached.add(path);
    open.push(...localTargets(file));
  }
  const counted = files.filter(({ path }) => roomOf(path) !== '' && !path.endsWith('.d.ts'));
  const dead = counted.filter(({ path }) => !reached.has(path) && !forTests.includes(path));
  const alive = forTests.filter((path) => reached.has(path) || !byPath.has(path));
  return [
    ...dead.map(({ path }) => `${path} is reached by nothing from ${entries.join(', ')}: use it or remove it`),
    ...alive.map((path) => `${path} is on the list of files for tests alone, and is reached or gone: take it off`),
  ];
}
