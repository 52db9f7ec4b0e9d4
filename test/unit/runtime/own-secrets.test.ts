import { expect, test } from 'bun:test';
import { variableOf } from '../../../src/cli/config.ts';
import { allTables, workerOptions } from '../../../src/cli/options.ts';
import { secretFlags, secretsInWords, secretVariables } from '../../../src/runtime/own-secrets.ts';

test('secretFlags and secretVariables are the secret options of the table, under all their names', () => {
  const options = allTables.flatMap((table) => Object.values(table)).filter(({ secret }) => secret);
  const names = [...new Set(options.flatMap(({ flag, aliases }) => [flag, ...aliases]))].sort();
  expect(secretVariables.toSorted()).toEqual(names.map(variableOf));
  // A join token is for one call: it has no variable.
  expect(secretFlags.toSorted()).toEqual([...names, workerOptions.join.flag].map((name) => `--${name}`).sort());
});

test('secretsInWords() finds values behind "=", in the next word, and tokens by how they begin', () => {
  const shown = (...words: string[]): string[] => {
    return secretsInWords(words).map(({ index, from }) => (words[index] ?? '').slice(from));
  };
  expect(shown('octaskly', 'worker', '--secret', 's1', '--name', 'pi')).toEqual(['s1']);
  expect(shown('octaskly', 'worker', '--secret-key=s2', '--secret-file', 'f')).toEqual(['s2']);
  expect(shown('octaskly', 'ps', '--token', 't1', '--token=t2', '--token-file', 'f')).toEqual(['t1', 't2']);
  expect(shown('octaskly', 'join', 'octa1AAAA')).toEqual(['octa1AAAA']);
  expect(shown('octaskly', 'join', 'octa2AAAA')).toEqual(['octa2AAAA']);
  expect(shown('octaskly', 'worker', '--join', 'octa1BBBB')).toEqual(['octa1BBBB']);
  expect(shown('octaskly', 'run', 'true')).toEqual([]);
});
