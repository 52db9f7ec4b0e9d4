/** What init systems say of a service. */

import { expect, test } from 'bun:test';
import { stateFrom } from '../../../../src/core/service/state.ts';

const show = (fields: Readonly<Record<string, string>>): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');

test('stateFrom() reads a unit that runs', () => {
  const text = show({
    ...{ ActiveState: 'active', SubState: 'running', UnitFileState: 'enabled', MainPID: '42', NRestarts: '3' },
    ...{ ActiveEnterTimestamp: 'Sat 2026-11-21 17:10:39 UTC', ExecMainStatus: '0' },
  });
  expect(stateFrom('systemd', { status: 0, text })).toEqual({
    ...{ condition: 'running', pid: 42, sinceMs: Date.UTC(2026, 10, 21, 17, 10, 39), enabled: true },
    ...{ restarts: 3, exitStatus: null },
  });
});

test('stateFrom() calls a unit failed that is waiting for its next try', () => {
  const text = show({ ActiveState: 'activating', SubState: 'auto-restart', MainPID: '0', ExecMainStatus: '2' });
  expect(stateFrom('systemd', { status: 0, text })).toMatchObject({ condition: 'failed', pid: null, exitStatus: 2 });
});

test.each([
  [0, 'running'],
  [3, 'stopped'],
  [32, 'failed'],
  [null, 'unknown'],
  [77, 'unknown'],
] as const)('stateFrom() reads status %p of OpenRC', (status, condition) => {
  expect(stateFrom('openrc', { status, text: '' }).condition).toBe(condition);
});

test('stateFrom() reads launchd, the Task Scheduler and a pid', () => {
  const running = { status: 0, text: 'io.octaskly.worker = {\n\tstate = running\n\tpid = 77\n}\n' };
  expect(stateFrom('launchd', running)).toMatchObject({ condition: 'running', pid: 77 });
  const ended = { status: 0, text: '\tstate = waiting\n\tlast exit code = 1\n' };
  expect(stateFrom('launchd', ended)).toMatchObject({ condition: 'failed', exitStatus: 1 });
  expect(stateFrom('launchd', { status: 113, text: 'Could not find service' }).condition).toBe('stopped');
  expect(stateFrom('task', { status: 0, text: '"PC","\\Octaskly\\x","N/A","Wird","267009"' }).condition).toBe(
    'running',
  );
  expect(stateFrom('termux', { status: 0, text: 'pid 9\n' })).toMatchObject({ condition: 'running', pid: 9 });
  expect(stateFrom('termux', { status: 1, text: '' }).condition).toBe('stopped');
});

test('stateFrom() makes nothing of what it does not know', () => {
  for (const init of ['systemd', 'openrc'] as const)
    expect(stateFrom(init, { status: null, text: '\u0000=\n===' }).condition).toBe('unknown');
});
