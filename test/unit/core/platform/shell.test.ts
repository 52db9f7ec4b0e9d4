import { expect, test } from 'bun:test';
import { cmdLengthMax, shellFor as shellIn, startOptionsOn } from '../../../../src/core/platform/shell.ts';

const shellFor = (platform: string, command: string, own: Readonly<Record<string, string>>) =>
  shellIn(platform, command, { own, directory: platform === 'win32' ? 'C:\\t' : '/t' });

test('shellFor() is /bin/sh where there is one, and on Android the one of Termux', () => {
  for (const platform of ['linux', 'darwin'])
    expect(shellFor(platform, 'a "b"', {})).toEqual({ argv: ['/bin/sh', '-c', 'a "b"'], isVerbatim: false });
  const termux = { PREFIX: '/data/data/com.termux/files/usr' };
  expect(shellFor('android', 'a', termux)).toMatchObject({ argv: [`${termux.PREFIX}/bin/sh`, '-c', 'a'] });
  expect(shellFor('android', 'a', {})).toMatchObject({ argv: ['/system/bin/sh', '-c', 'a'] });
});

test('shellFor() ignores a PREFIX outside Termux', () => {
  expect(shellFor('linux', 'a', { PREFIX: '/opt' })).toMatchObject({ argv: ['/bin/sh', '-c', 'a'] });
});

test('shellFor() gives cmd.exe its line within one pair of marks, untouched', () => {
  const own = { SystemRoot: 'D:\\WIN' };
  for (const line of ['echo "a b" & c', 'x', '"C:\\a b\\c.exe" "d"', 'echo %PATH% ^& \\"'])
    expect(shellFor('win32', line, own)).toEqual({
      argv: ['D:\\WIN\\System32\\cmd.exe', '/d', '/s', '/c', `"${line}"`],
      isVerbatim: true,
    });
  expect(shellFor('win32', 'x', {})).toMatchObject({
    argv: ['C:\\Windows\\System32\\cmd.exe', '/d', '/s', '/c', '"x"'],
  });
});

test('shellFor() says what cmd.exe cannot take: several lines, and long ones', () => {
  expect(shellFor('win32', 'a\r\n', {})).toMatchObject({ isVerbatim: true });
  expect(shellFor('win32', 'a\nb', {})).toContain('one line alone');
  expect(shellFor('win32', 'a'.repeat(cmdLengthMax), {})).toMatchObject({ isVerbatim: true });
  expect(shellFor('win32', 'a'.repeat(cmdLengthMax + 1), {})).toContain('8191');
});

test('shellFor() runs no line in a directory where cmd.exe would go to another one: its own', () => {
  for (const directory of ['\\\\host\\share\\t', '//host/share/t', '\\\\?\\UNC\\host\\share'])
    expect(shellIn('win32', 'cd', { own: {}, directory })).toContain(`as ${directory} is`);
  for (const directory of ['C:\\t', 'd:/t', '\\t'])
    expect(shellIn('win32', 'cd', { own: {}, directory })).toMatchObject({ isVerbatim: true });
  expect(shellIn('linux', 'pwd', { own: {}, directory: '//t' })).toMatchObject({ isVerbatim: false });
});

test('startOptionsOn() makes a leader of a session, or gives a console that nobody sees', () => {
  for (const platform of ['linux', 'android', 'darwin'])
    expect(startOptionsOn(platform, false)).toEqual({ detached: true });
  expect(startOptionsOn('win32', true)).toEqual({ windowsHide: true, windowsVerbatimArguments: true });
  expect(startOptionsOn('win32', false)).toEqual({ windowsHide: true, windowsVerbatimArguments: false });
});
