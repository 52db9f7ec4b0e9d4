/** The short form of the bench: every figure is measured and printed. How large they are is not judged here. */

import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { executable } from './executable.ts';

test('bench prints every figure, and the machine', async () => {
  const file = await executable();
  const script = join(import.meta.dir, '../bench/main.ts');
  const child = Bun.spawn([process.execPath, script, '--short'], {
    env: { ...process.env, OCTASKLY_TEST_EXECUTABLE: file },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [text, errors, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect({ status, errors }).toEqual({ status: 0, errors: '' });
  expect(text).toMatch(/\d+ cores, \d+ GB, Linux .*, Bun \d/);
  const figures = text.split('\n').filter((line) => /^[a-z] {2}/.test(line));
  expect(figures.map((line) => line[0]).join('')).toMatch(/^a{2}b{6}c{5}n{8}(n{6})?d{6}e{3,}ffgghhuu$/);
  for (const line of figures) expect(line.slice(60)).toMatch(/\d/);
  expect(text).not.toContain('NaN');
}, 120_000);
