/**
 * The documentation as tests read it: the pages, their fenced blocks, and what is to be done with each.
 *
 * - `sh` holds commands of a reader. They are run (`test/e2e/docs.test.ts`), unless a comment right above the block says
 *   `<!-- not run: REASON -->`; `<!-- ends with: N, REASON -->` names the status with which one of its commands ends.
 * - `output` right below it is what these commands print: each of its lines, in this order, with `…` for anything.
 * - A block whose first line is a comment with the name of a file (`# nightly.yaml`, `// hook.mjs`) is that file: the commands
 *   of the page find it in their directory.
 * - `powershell` holds commands that are not run, since there is no PowerShell here.
 *
 * Not done here: running anything, and telling a shell's words apart (`src/core/shell-words.ts`).
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dir, '..');

export interface Block {
  /** Path of its page from the root, with `/`. */
  readonly page: string;
  /** Line of its opening fence, from 1. */
  readonly line: number;
  /** What follows the fence: `sh`, `output`, `yaml` … */
  readonly language: string;
  /** Without the fences, and without the indentation of the opening one. */
  readonly text: string;
  /** Name of the file that it is; null for any other block. */
  readonly file: string | null;
  /** Why its commands are not run; null: they are, if it holds commands. */
  readonly notRun: string | null;
  /** Status with which a command of it ends, instead of 0. */
  readonly endsWith: number;
}

export interface DocsPage {
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

const fence = /^( *)```([\w-]*)\s*$/;
const namedFile = /^(?:#|\/\/) ([\w-]+\.(?:ya?ml|toml|sh|py|mjs|json|csv|txt))$/;

/** The blocks of a page. Throws for a fence that is not closed, and for a comment on commands that says nothing known. */
export function blocksOf(page: string, text: string): Block[] {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    const opening = fence.exec(lines[at] ?? '');
    if (opening === null) continue;
    const [, indent = '', language = ''] = opening;
    const end = lines.findIndex((line, n) => n > at && line === `${indent}\`\`\``);
    if (end < 0) throw new Error(`${page}:${at + 1}: a block that does not end`);
    const body = lines.slice(at + 1, end).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
    blocks.push({
      ...{ page, line: at + 1, language, text: `${body.join('\n')}\n` },
      file: namedFile.exec(body[0] ?? '')?.[1] ?? null,
      ...remarkAbove(page, lines, at),
    });
    at = end;
  }
  return blocks;
}

/** What the comment right above line `at` says about the commands of a block. */
function remarkAbove(page: string, lines: readonly string[], at: number): Pick<Block, 'notRun' | 'endsWith'> {
  const above = lines.slice(0, at).findLast((line) => line.trim() !== '') ?? '';
  const [, kind = '', rest = ''] = /^\s*<!-- (not run|ends with): (.+) -->$/.exec(above) ?? [];
  if (kind === '' && /^\s*<!--/.test(above)) throw new Error(`${page}:${at + 1}: what is meant by ${above.trim()}?`);
  if (kind !== 'ends with') return { notRun: kind === '' ? null : rest, endsWith: 0 };
  const [, status] = /^(\d{1,3}), ./.exec(rest) ?? [];
  if (status === undefined) throw new Error(`${page}:${at + 1}: no status and reason in ${above.trim()}`);
  return { notRun: null, endsWith: Number(status) };
}

function page(path: string): DocsPage {
  const text = readFileSync(join(root, path), 'utf8');
  return { path, text, blocks: blocksOf(path, text) };
}

/** README.md, CONTRIBUTING.md and all pages below `docs/`, by their paths. */
export function docsPages(): DocsPage[] {
  const below = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .map((name) => `docs/${name.replaceAll('\\', '/')}`)
    .filter((name) => name.endsWith('.md'));
  return ['README.md', 'CONTRIBUTING.md', ...below.toSorted()].map(page);
}

/** Whether a block holds commands that somebody types. */
export function isCommands({ language, file }: Block): boolean {
  return file === null && (language === 'sh' || language === 'powershell');
}

/**
 * The commands of a block, each with all its lines: those that end in a backslash go on, and so do quotes and
 * here-documents that are still open. Comments and empty lines are left out.
 */
export function commandsOf(text: string): string[] {
  const commands: string[] = [];
  let open = '';
  for (const line of text.split('\n')) {
    if (open === '' && /^\s*(#.*)?$/.test(line)) continue;
    open += `${open === '' ? '' : '\n'}${line}`;
    if (isOpen(open)) continue;
    commands.push(open);
    open = '';
  }
  if (open !== '') throw new Error(`a command that does not end: ${open}`);
  return commands;
}

function isOpen(command: string): boolean {
  const [, word] = /<<-?\s*'?(\w+)'?/.exec(command) ?? [];
  if (word !== undefined)
    return !command
      .split('\n')
      .slice(1)
      .some((line) => line.trim() === word);
  if (command.endsWith('\\')) return true;
  // What stands behind a hash is no quote, and a quote is none within the other kind.
  const quotes = command.replace(/'[^']*'|"(?:\\.|[^"\\])*"|(?:^|\s)#.*$|\\./gms, '');
  if (/['"]/.test(quotes)) return true;
  const count = (words: RegExp): number => quotes.match(words)?.length ?? 0;
  return count(/(?:^|[;&|])\s*(?:if|for|while|until|case) /gm) > count(/(?:^|[;&|])\s*(?:fi|done|esac)\b/gm);
}
