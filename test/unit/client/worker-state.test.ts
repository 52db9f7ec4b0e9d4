import { expect, test } from 'bun:test';
import { workerState } from '../../../src/client/worker-state.ts';

const wake = { unasked: true, tries: 0, last_try_at: null };

test('workerState() tells a machine that sleeps from one that is off, and says that a worker rests', () => {
  expect(workerState({ status: 'online', resting: null, wake })).toBe('online');
  expect(workerState({ status: 'online', resting: 'it is hot', wake: null })).toBe('resting');
  expect(workerState({ status: 'draining', resting: 'it is hot', wake: null })).toBe('draining');
  expect(workerState({ status: 'offline', resting: null, wake: null })).toBe('offline');
  expect(workerState({ status: 'offline', resting: null, wake })).toBe('asleep');
  expect(workerState({ status: 'offline', resting: null, wake: { ...wake, unasked: false } })).toBe('offline');
  expect(workerState({ status: 'offline', resting: null, wake: { ...wake, tries: 2 } })).toBe('waking');
});
