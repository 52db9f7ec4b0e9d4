/**
 * The source tree as the tidy rules see it: files as lines and tokens. The tokens come from the scanner of the
 * TypeScript package that also checks the types, so that comments, strings and templates are never taken for code.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createScanner, LanguageVariant, SyntaxKind } from 'typescript/unstable/ast';

export interface Token {
  readonly kind: SyntaxKind;
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

export interface SourceFile {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly tokens: readonly Token[];
}

/** Tokens after which a slash divides; after any other it opens a regular expression. */
const operandEnds = new Set([
  SyntaxKind.Identifier,
  SyntaxKind.NumericLiteral,
  SyntaxKind.StringLiteral,
  SyntaxKind.NoSubstitutionTemplateLiteral,
  SyntaxKind.TemplateTail,
  SyntaxKind.CloseParenToken,
  SyntaxKind.CloseBracketToken,
  SyntaxKind.CloseBraceToken,
  SyntaxKind.ThisKeyword,
  SyntaxKind.PrivateIdentifier,
]);

/** A file from its text. `path` says whether there are elements in it (`.tsx`), and decides nothing else here. */
export function sourceFile(path: string, text: string): SourceFile {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const variant = path.endsWith('x') ? LanguageVariant.JSX : LanguageVariant.Standard;
  return { path, text, lines, tokens: tokensOf(text, variant) };
}

function tokensOf(text: string, variant: LanguageVariant): Token[] {
  const scanner = createScanner(true, variant);
  scanner.setText(text);
  const tokens: Token[] = [];
  const templates: number[] = [];
  let depth = 0;
  let line = 1;
  let counted = 0;
  for (let kind = scanner.scan(); kind !== SyntaxKind.EndOfFile; kind = scanner.scan()) {
    const before = tokens.at(-1)?.kind;
    if (kind === SyntaxKind.SlashToken && (before === undefined || !operandEnds.has(before))) {
      kind = scanner.reScanSlashToken();
    }
    if (kind === SyntaxKind.TemplateHead) templates.push(depth);
    if (kind === SyntaxKind.OpenBraceToken) depth += 1;
    if (kind === SyntaxKind.CloseBraceToken) {
      if (templates.at(-1) === depth) {
        kind = scanner.reScanTemplateToken(false);
        if (kind === SyntaxKind.TemplateTail) templates.pop();
      } else depth -= 1;
    }
    const start = scanner.getTokenStart();
    for (; counted < start; counted++) if (text.charCodeAt(counted) === 10) line += 1;
    tokens.push({ kind, text: scanner.getTokenText(), line });
  }
  return tokens;
}

/** Every TypeScript file under the folders, in order of path. */
export function readSources(root: string, folders: readonly string[]): SourceFile[] {
  const paths = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
  );
  return paths.sort().map((path) => sourceFile(path.replaceAll('\\', '/'), readFileSync(join(root, path), 'utf8')));
}
