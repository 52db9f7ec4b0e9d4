import { expect, test } from 'bun:test';
import { privateWords } from '../../../src/runtime/windows-rights.ts';

test('privateWords() takes away what is inherited, and leaves the owner, the system and the administrators', () => {
  expect(privateWords('D:\\a b', 'PC\\ada').join(' ')).toBe(
    'D:\\a b /inheritance:r /grant:r PC\\ada:(OI)(CI)F /grant:r *S-1-5-18:(OI)(CI)F /grant:r *S-1-5-32-544:(OI)(CI)F /q',
  );
});
