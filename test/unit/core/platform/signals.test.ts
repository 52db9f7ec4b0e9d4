import { expect, test } from 'bun:test';
import { canSuspendOn, stopSignalsOn, windowsStatusMeans } from '../../../../src/core/platform/signals.ts';

test('stopSignalsOn() has Ctrl-Break where there are consoles that send it', () => {
  expect(stopSignalsOn('win32')).toEqual(['SIGINT', 'SIGTERM', 'SIGBREAK']);
  expect(stopSignalsOn('linux')).toEqual(['SIGINT', 'SIGTERM']);
});

test('windowsStatusMeans() knows what the system itself ends programs with, however its sign is read', () => {
  expect(windowsStatusMeans(0xc0000005)).toBe('access violation');
  expect(windowsStatusMeans(-1073741819)).toBe('access violation');
  expect(windowsStatusMeans(0xc000013a)).toContain('Ctrl-C');
  expect(windowsStatusMeans(9009)).toContain('no such command');
});

test('windowsStatusMeans() says nothing about a program\u2019s own status', () => {
  for (const status of [0, 1, 137, 255, 300]) expect(windowsStatusMeans(status)).toBeNull();
});

test('canSuspendOn() is where a signal does so', () => {
  expect(['linux', 'android', 'darwin', 'win32'].map(canSuspendOn)).toEqual([true, true, true, false]);
});
