import { expect, test } from 'bun:test';
import RealTput from 'blessed/lib/tput.js';
import { tparm } from '../../../tui/tparm.ts';

/** blessed's own: it compiles the strings to functions. */
interface Compiled {
  readonly info: { readonly strings: Readonly<Record<string, unknown>> };
  readonly methods: Readonly<Record<string, (params: number[]) => string>>;
}

const Tput = RealTput as unknown as new (options: { terminal: string }) => Compiled;

const parameters = [
  ...[[0, 0], [5, 7], [23, 79], [3], [12], [200], [65]],
  ...[
    [1, 0, 1, 0, 0, 1, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0, 1],
    [1, 1, 1, 1, 1, 1, 1, 1, 1],
  ],
];
/** Strings without meaning there: user6 and user8 describe answers, repeat_char wants a character. */
const odd = ['user6', 'user8', 'repeat_char'];

/** What blessed gives; null where it fails, or prints a missing parameter as something no terminal understands. */
function compiled({ methods }: Compiled, key: string, params: readonly number[]): string | null {
  try {
    const text = methods[key]?.([...params]) ?? '';
    return /undefined|NaN/.test(text) ? null : text;
  } catch {
    return null;
  }
}

test.each(['xterm', 'xterm-256color', 'linux', 'windows-ansi'])(
  'tparm() gives what blessed compiles, for %s',
  (name) => {
    const real = new Tput({ terminal: require.resolve(`blessed/usr/${name}`) });
    let compared = 0;
    for (const [key, text] of Object.entries(real.info.strings)) {
      if (typeof text !== 'string' || text === '' || odd.includes(key)) continue;
      for (const params of parameters) {
        const theirs = compiled(real, key, params);
        if (theirs === null) continue;
        expect([key, params, tparm(text, params)]).toEqual([key, params, theirs]);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(400);
  },
);

test.each([
  ['\u001b[%i%p1%d;%p2%dH', [4, 9], '\u001b[5;10H'],
  ['%p1%{8}%<%t3%p1%d%e%p1%{16}%<%t9%p1%{8}%-%d%e38;5;%p1%d%;m', [3], '33m'],
  ['%p1%{8}%<%t3%p1%d%e%p1%{16}%<%t9%p1%{8}%-%d%e38;5;%p1%d%;m', [12], '94m'],
  ['%p1%{8}%<%t3%p1%d%e%p1%{16}%<%t9%p1%{8}%-%d%e38;5;%p1%d%;m', [208], '38;5;208m'],
  ["%?%p1%tyes%'%'%c%eno%;!", [0], 'no!'],
  ["%?%p1%tyes%'%'%c%eno%;!", [1], 'yes%!'],
  ['%p1%03d|%p1%3d|%p1%:-3d|%p1%x|%p1%X|%p1%o', [10], '010| 10|10 |a|A|12'],
  ['%p1%Pa%ga%ga%+%d', [21], '42'],
  ['%p1%c', [0], '\u0080'],
  ['%p1%s%p1%l%d', ['abc'], 'abc3'],
  ['a$<5>b$<2.5*/>c%%', [], 'abc%'],
  ['%p1%{0}%/%d %p1%{0}%m%d %p1%~%d %p1%!%d', [5], '0 0 -6 0'],
  ['%?%p1%t%?%p2%tA%eB%;%eC%;', [1, 0], 'B'],
  ['%?%p1%t%?%p2%tA%eB%;%eC%;', [0, 1], 'C'],
  ['%p3%d;', [1], ';'],
  ['%', [], ''],
])('tparm(%j, %j) is %j', (text, params, result) => {
  expect(tparm(text, params)).toBe(result);
});
