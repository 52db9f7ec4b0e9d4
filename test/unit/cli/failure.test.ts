import { expect, test } from 'bun:test';
import { OctasklyError } from '../../../src/base/errors.ts';
import { commands } from '../../../src/cli/commands.ts';
import { explainFailure } from '../../../src/cli/failure.ts';
import { Shell } from './terminal.ts';

const caused = (code: string) => ({ cause: Object.assign(new Error('it failed'), { code }) });

test.each([
  ['ENOENT', 'mkdir -p'],
  ['ENOTDIR', 'a file, where a directory should be'],
  ['EROFS', 'can only be read'],
  ['ENOSPC', 'Make room'],
])('explainFailure() says what to do about %s', (code, advice) => {
  expect(explainFailure(new OctasklyError('io', 'Cannot read "x".', caused(code)), null)).toContain(advice);
});

test('explainFailure() tells a dispatcher whose database has no room to make some', () => {
  const dispatcher = commands.find(({ name }) => name === 'dispatcher') ?? null;
  const full = new OctasklyError('storage_unavailable', 'Cannot use the database "x".', caused('SQLITE_FULL'));
  expect(explainFailure(full, dispatcher)).toContain('Make room');
  const other = new OctasklyError('storage_unavailable', 'Cannot use the database "x".', caused('SQLITE_IOERR'));
  expect(explainFailure(other, dispatcher)).toContain('octaskly doctor');
});

test('note() tells a terminal what went wrong without what strange names say to terminals', async () => {
  const shell = new Shell({ errorColumns: 80 });
  expect(await shell.run('no\u001b]0;such\u0007')).toBe(2);
  expect(shell.stderr.text).toContain('no\\x1b]0;such\\x07');
});
