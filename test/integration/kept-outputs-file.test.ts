import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeptAttempt } from '../../src/ports/files.ts';
import { keptOutputsFile } from '../../src/runtime/kept-outputs-file.ts';
import { silentLog } from '../unit/dispatcher/fakes.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-kept-'));
  file = join(directory, 'kept-outputs.json');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const blob = `sha256:${'a'.repeat(64)}`;
const kept: KeptAttempt = { taskId: '01hq3v5k0001', attempt: 2, files: [{ blob, bytes: 5 }] };

test('keptOutputsFile() finds what was saved, in a private file', () => {
  expect(keptOutputsFile(directory, silentLog).found).toEqual([]);
  keptOutputsFile(directory, silentLog).list.save([kept]);
  expect(keptOutputsFile(directory, silentLog).found).toEqual([kept]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('keptOutputsFile() takes nothing out of a damaged file that it could not have written', () => {
  keptOutputsFile(directory, silentLog).list.save([kept]);
  const wrong = [
    { ...kept, taskId: '../x' },
    { ...kept, files: [{ blob: '../../etc/passwd', bytes: 5 }] },
    { ...kept, attempt: 'x' },
    { ...kept, files: null },
    null,
  ];
  writeFileSync(file, JSON.stringify({ version: 1, attempts: [...wrong, kept] }));
  expect(keptOutputsFile(directory, silentLog).found).toEqual([kept]);
  for (const text of ['', '{', '[]', '{"attempts": 1}']) {
    writeFileSync(file, text);
    expect([text, keptOutputsFile(directory, silentLog).found]).toEqual([text, []]);
  }
});
