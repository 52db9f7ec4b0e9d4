import { describe, expect, test } from 'bun:test';
import { commandOf, foreignPlaceholder, Placeholders, shellQuote } from '../../../../src/cli/map/placeholders.ts';

const plain = new Placeholders();
const job = (...args: string[]) => ({ args, number: 7, slot: 3 });

describe('Placeholders', () => {
  test.each([
    ['echo {}', ['a/b.tar.gz'], 'echo a/b.tar.gz'],
    ['{.} {/} {//} {/.} {#} {%}', ['a/b.tar.gz'], 'a/b.tar b.tar.gz a b.tar 7 3'],
    ['{.} {//}', ['no.d/name'], 'no.d/name no.d'],
    ['{//} {//}', ['name'], '. .'],
    ['{//}', ['/name'], '/'],
    ['{//}', ['a//b'], 'a'],
    ['{//}', ['a/b/'], 'a'],
    ['{2} {1/.} {} {-1}', ['a/x.y', 'b'], 'b x a/x.y b b'],
    ['{3}|{-3}|{1#}', ['a'], '||{1#}'],
    ['$X {}', ["it's"], `$X 'it'"'"'s'`],
    ['', ['ls -l'], 'ls -l'],
    ['x {}', ['{1}{#}'], "x '{1}{#}'"],
    ['x {}', ['$&'], "x '$&'"],
    ['{} > {}x', ['echo a b'], 'echo a b > echo a bx'],
    ['"{1}" x', ['a b'], '"a b" x'],
    [' {}', ['a b'], " 'a b'"],
  ])('make of "%s" with %j a command', (template, args, command) => {
    expect(plain.command(template, job(...args))).toBe(command);
  });

  test('know the names of columns, whatever is in them', () => {
    const named = new Placeholders({ whole: '{}', names: ['x.y', 'a|b', '$'] });
    expect(named.text('{x.y} {a|b} {$} {a}', job('1', '2', '3'))).toBe('1 2 3 {a}');
  });

  test('replace what -I says instead of {}', () => {
    const own = new Placeholders({ whole: '.*', names: [] });
    expect(own.command('echo .* {} {.} x', job('a.b'))).toBe('echo a.b {} a x');
  });

  test('text() puts arguments in as they are, filePattern() so that they match themselves alone', () => {
    expect(plain.text('{/.}/{#}.{2}', job("/a/it's.wav", 'x y'))).toBe("it's x y/7.x y");
    for (const name of ['a[1]', '*', '?', '{a,b}', '!x', '[!a]', '$&', 'ü']) {
      const glob = new Bun.Glob(plain.filePattern('{}', job(name)));
      expect(glob.match(name), name).toBe(true);
      expect(glob.match('a1') || glob.match('a') || glob.match('b'), name).toBe(false);
    }
  });

  test('commandOf() puts the arguments at the end of a command without a placeholder', () => {
    const form = { quoted: false, repeating: false, whole: '{}' };
    expect(commandOf(plain, { ...form, words: ['echo', 'x'] })(job('a b'))).toBe("echo x 'a b'");
    expect(commandOf(plain, { ...form, words: ['echo', '{#}'] })(job('a'))).toBe('echo 7');
    expect(commandOf(plain, { ...form, words: ['e', '$x {}'], quoted: true })(job("a'b"))).toBe(`e '$x a'"'"'b'`);
    const apart = { ...form, words: ['printf', '%s,', 'x{}y {1}'], quoted: true };
    expect(commandOf(plain, { ...apart, repeating: true })(job('a b', 'c'))).toBe("printf '%s,' 'xa by' 'xcy a b'");
    expect(commandOf(plain, apart)(job('a b', 'c'))).toBe("printf '%s,' 'xa b' 'cy a b'");
    expect(commandOf(plain, { ...form, words: ['e', 'x{}{1}', '{2}'], repeating: true })(job('a', 'b'))).toBe(
      'e xaa xba b',
    );
  });
});

test('foreignPlaceholder() finds what is replaced elsewhere, and nothing of the shell', () => {
  for (const one of ['{..}', '{...}', '{+/}', '{0}', '{:}', '{= s/a/b/ =}'])
    expect(foreignPlaceholder(`echo '${one}'`), one).toBe(one);
  for (const text of ['{}', '{/.}', '$' + '{0}', '{a,b}', '{1..9}', '{ :; }', "awk '{print $0}'"])
    expect(foreignPlaceholder(text), text).toBe(null);
});

test('shellQuote() quotes what a shell would read as more than letters', () => {
  expect(['', 'a b', '$x', '-n', 'a/b_c.d'].map(shellQuote)).toEqual(["''", "'a b'", "'$x'", '-n', 'a/b_c.d']);
});
