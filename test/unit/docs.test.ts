/** The documentation: its commands have the options there are, its links lead somewhere, and its blocks are of known kinds. */

import { expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { blocksOf, commandsOf, docsPages, isCommands, root } from '../docs-blocks.ts';
import { callsOf, mistakeOf, whyNotRun } from '../docs-calls.ts';

const pages = docsPages();
const languages = ['sh', 'output', 'powershell', 'yaml', 'toml', 'json', 'js', 'ts', 'python', 'text', ''];

test('blocksOf() reads fences, remarks and names of files, and refuses what it does not know', () => {
  const text = '<!-- not run: no reason -->\n\n```sh\nls\n```\n\n- x\n\n  ```yaml\n  # a.yaml\n    b: 1\n  ```\n';
  expect(blocksOf('x.md', text)).toEqual([
    { page: 'x.md', line: 3, language: 'sh', text: 'ls\n', file: null, notRun: 'no reason', endsWith: 0 },
    { page: 'x.md', line: 9, language: 'yaml', text: '# a.yaml\n  b: 1\n', file: 'a.yaml', notRun: null, endsWith: 0 },
  ]);
  expect(blocksOf('x.md', '<!-- ends with: 3, so it is -->\n```sh\nls\n```')[0]?.endsWith).toBe(3);
  for (const wrong of ['```sh\nls', '<!-- skip -->\n```sh\nls\n```', '<!-- ends with: bad -->\n```sh\nls\n```']) {
    expect(() => blocksOf('x.md', wrong)).toThrow('x.md:');
  }
});

test.each([
  ["a\n\n# c\nb 'x\ny' \\\n  z # don't\nd", ['a', "b 'x\ny' \\\n  z # don't", 'd']],
  ["cat > f << 'END'\nit's\nEND\nls", ["cat > f << 'END'\nit's\nEND", 'ls']],
  ['for x in 1 2; do\n  ls\ndone\nwait for it', ['for x in 1 2; do\n  ls\ndone', 'wait for it']],
])('commandsOf(%j) are its commands, each whole', (text, commands) => {
  expect(commandsOf(text)).toEqual(commands);
});

test('whyNotRun() lets nothing by that could change the machine', () => {
  for (const text of ['octaskly run ls | jq .', 'sh ci.sh', 'octaskly service install worker --dry-run']) {
    expect([text, whyNotRun(text)]).toEqual([text, null]);
  }
  for (const text of ['sudo ls', 'curl -f x | sh', 'a=$(apt install x)', 'octaskly service install worker', 'sh -s']) {
    expect([text, whyNotRun(text)]).toEqual([text, expect.stringMatching(/./)]);
  }
});

test('mistakeOf() knows the options and words of every command', () => {
  expect(mistakeOf(['octaskly', 'run', '--cpus', '4', 'make', '--whatever'])).toBeNull();
  expect(mistakeOf(['octaskly', 'run', '--cpu', '4', 'make'])).toContain('--cpu');
  expect(mistakeOf(['octaskly', 'worker', '--max-jobs', 'many'])).toContain('many');
  expect(mistakeOf(['octaskly', 'explain'])).toContain('missing');
  expect(mistakeOf(['octaskly', 'fly'])).toContain('fly');
});

test('every command of the documentation has options that there are', () => {
  const blocks = pages.flatMap((page) => page.blocks).filter(isCommands);
  const mistakes = blocks.flatMap(({ page, line, text }) =>
    callsOf(text)
      .map(([program = '', ...words]) => [program.replace(/^.*[\\/](octaskly)(\.exe)?$/, '$1'), ...words])
      .filter(([program]) => program === 'octaskly')
      .flatMap((call) => {
        const mistake = mistakeOf(call);
        return mistake === null ? [] : [`${page}:${line}: ${call.join(' ')}: ${mistake}`];
      }),
  );
  expect(mistakes).toEqual([]);
});

test('commands stand in fenced blocks of known kinds', () => {
  for (const { path, text, blocks } of pages) {
    for (const { line, language, file } of blocks) {
      expect(languages, `${path}:${line}`).toContain(language);
      if (file === null && language === '')
        expect(text.split('\n')[line], `${path}:${line}`).not.toMatch(/^\s*\$? ?octaskly /);
    }
    expect(text.match(/^(?: {4}|\t)\$? ?(?:octaskly|curl|bun|sudo) .*$/gm) ?? [], path).toEqual([]);
  }
});

/** What the headings of a page are called in links, as GitHub makes it. */
function anchorsOf(text: string): Set<string> {
  const prose = text.replace(/^( *)```[\s\S]*?^\1```$/gm, '');
  const titles = [...prose.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title);
  return new Set(
    titles.map((title) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('links of the documentation lead to pages and headings that there are', () => {
  const wrong = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(([link, file = '', anchor]) => {
      const target = file === '' ? path : normalize(join(dirname(path), file));
      if (!existsSync(join(root, target))) return [`${path}: ${link}`];
      const isThere = anchor === undefined || anchorsOf(readFileSync(join(root, target), 'utf8')).has(anchor);
      return isThere ? [] : [`${path}: ${link}`];
    }),
  );
  expect(wrong).toEqual([]);
});
