// biome-ignore-all lint/suspicious/noTemplateCurlyInString: texts for a shell
import { describe, expect, test } from 'bun:test';
import { parseShell, type ShellNode } from '../../../src/core/shell-words.ts';

/** A command as `word|word >target end`; groups in brackets. */
function shown(nodes: readonly ShellNode[]): string[] {
  return nodes.map((node) => {
    if (node.kind === 'subshell') return `(${shown(node.body).join(' ')})`;
    if (node.kind === 'function') return `${node.name}{${shown(node.body).join(' ')}}`;
    const words = node.words.map(({ text, expands }) => (expands ? `${text}!` : text)).join('|');
    return words + node.redirections.map(({ operator, target }) => ` ${operator}${target.text}`).join('');
  });
}

const ends = (text: string): string[] => parseShell(text).map((node) => (node.kind === 'simple' ? node.end : ''));

describe('parseShell() finds words', () => {
  test.each([
    ['blanks and joined lines', 'a  b\t\\\n c\r', ['a|b|c']],
    ['single quotes', "a 'b  $c\\' d", ['a|b  $c\\|d']],
    ['double quotes', 'a "b \\" \\$c \\d" e', ['a|b " $c \\d|e']],
    ['quotes within a word', `r"m" -r'f'`, ['rm|-rf']],
    ['a backslash', '\\rm a\\ b', ['rm|a b']],
    ['escapes as in C', "$'\\x2f\\057\\n\\u0041'", ['//\nA']],
    ['what expands', '~/x "$HOME" \'$HOME\' "~" a~', ['~/x!|$HOME!|$HOME|~|a~']],
    ['a parameter with a default', 'echo ${x:-"a }"} b', ['echo|${x:-"a }"}!|b']],
    ['a comment', 'a # b; c\nd#e', ['a', 'd#e']],
    ['assignments before a command', 'A=1 B="2 3" a C=4', ['a|C=4']],
    ['an unfinished quote', 'a "b c', ['a|b c']],
    ['a backslash at the end', 'a b\\', ['a|b\\']],
    ['nothing', ' \n ; # x', []],
  ])('%s', (_name, text, commands) => expect(shown(parseShell(text))).toEqual(commands));
});

describe('parseShell() finds commands', () => {
  test.each([
    ['separators', 'a;b&c&&d||e|f|&g\nh', ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']],
    ['words of the grammar', 'if ! a; then b; else c; fi; while d; do e; done', ['a', 'b', 'c', 'd', 'e']],
    ['braces', '{ a; b; } >c', ['a', 'b', ' >c']],
    ['braces that are words', 'echo } {a,b}', ['echo|}|{a,b}']],
    ['subshells', '(a; (b)) c', ['(a (b))', 'c']],
    ['case', 'case x in (a|b) c;; d) e;; esac; f', ['x|in', '(a b)', 'c', 'd', 'e', 'f']],
    ['case in a substitution', '$(case x in a) b;; esac) c', ['(x|in|a b)', '$()!|c']],
    ['substitutions', 'a "$(b `c`)" d', ['((c) b|$()!)', 'a|$()!|d']],
    ['backquotes within backquotes', 'a `b \\`c\\``', ['((c) b|$()!)', 'a|$()!']],
    ['a substitution in a default', 'a ${x:-$(b)}', ['(b)', 'a|${x:-$(b)}!']],
    ['arithmetic', 'a $((1<<2)) b; ((i<<3)); c', ['a|$()!|b', 'c']],
    ['process substitutions', 'a <(b) >(c)', ['(b)', '(c)', 'a|<()!|>()!']],
    ['functions', 'f() { a; }; g ()\n( b ); function h { c; }; function i() { d; }', ['f{a}', 'g{b}', 'h{c}', 'i{d}']],
    ['closing signs too many', ') } a ) b', ['a', 'b']],
    ['opening signs too many', '( { a $( b', ['((b) a|$()!)']],
  ])('%s', (_name, text, commands) => expect(shown(parseShell(text))).toEqual(commands));

  test('with the operator each ends with', () => expect(ends('a|b&&c&\nd;;e')).toEqual(['|', '&&', '&', ';;', '']));
});

describe('parseShell() finds redirections', () => {
  test.each([
    ['with and without blanks', 'a>b 2> c <d', ['a >b >c <d']],
    ['of all kinds', 'a>>b &>c &>>d >|e <>f 2>&1 {x}>g', ['a >>b &>c &>>d >|e <>f >&1 >g']],
    ['alone', '> /dev/sda', [' >/dev/sda']],
    ['numbers that are words', 'a 2 >b "2">c', ['a|2|2 >b >c']],
    ['a here-document', 'a <<E b\nrm x\nE\nc', ['a|b <<rm x\n', 'c']],
    ['an indented one, quoted', "a <<-'E'\n\t$x\n\tE\nc", ['a <<\t$x\n', 'c']],
    ['two of them', 'a <<E <<F\n1\nE\n2\nF\nc', ['a <<1\n <<2\n', 'c']],
    ['one without an end', 'a <<E\n1\n2', ['a <<1\n2']],
    ['a text', 'a <<< "b c"', ['a <<<b c']],
  ])('%s', (_name, text, commands) => expect(shown(parseShell(text))).toEqual(commands));
});

/** Small generator of numbers from a seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('parseShell() takes any text', () => {
  const parts = [
    ...' \t\n\r\\\'"$`|&;()<>{}#~=!a1*\u00a0\u2028é',
    '<<',
    '$(',
    '$((',
    '${',
    'case ',
    'esac',
    'f()',
    "$'",
  ];
  const next = random(7);
  for (let round = 0; round < 20_000; round++) {
    const length = Math.floor(next() * 24);
    const text = Array.from({ length }, () => parts[Math.floor(next() * parts.length)]).join('');
    expect(Array.isArray(parseShell(text))).toBe(true);
  }
});

test('parseShell() nests to a bounded depth and goes on after it', () => {
  for (const open of ['(', '$(', '{ ', '"$(', 'f() { ', '`', '${x:-', '((', '<(']) {
    expect(Array.isArray(parseShell(open.repeat(30_000)))).toBe(true);
  }
  const deepest = (nodes: readonly ShellNode[]): number =>
    nodes.reduce((depth, node) => Math.max(depth, node.kind === 'simple' ? 0 : 1 + deepest(node.body)), 0);
  const nodes = parseShell(`${'(a;'.repeat(1000)}b`);
  expect(deepest(nodes)).toBeLessThan(50);
  expect(JSON.stringify(nodes)).toContain('"b"');
});
