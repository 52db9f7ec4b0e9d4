import { describe, expect, test } from 'bun:test';
import { Attendance, absenceMsMax, holdMs } from '../../../src/dispatcher/attendance.ts';
import { ManualClock } from '../manual-clock.ts';

function start() {
  const clock = new ManualClock();
  const given: string[] = [];
  const attendance = new Attendance(clock, (taskIds) => given.push(...taskIds));
  return { clock, given, attendance };
}

describe('Attendance', () => {
  test('gives a task up that nobody holds on to in time, and only that one', async () => {
    const { clock, given, attendance } = start();
    attendance.expect('held');
    attendance.expect('alone');
    clock.advance(absenceMsMax - 1);
    const holding = attendance.hold('held', new AbortController().signal);
    expect(given).toEqual([]);
    clock.advance(1);
    expect(given).toEqual(['alone']);
    clock.advance(holdMs);
    expect(await holding).toBe(true);
    clock.advance(absenceMsMax - 2);
    expect(given).toEqual(['alone']);
    clock.advance(2);
    expect(given).toEqual(['alone', 'held']);
  });

  test('counts from when the last holder went away', async () => {
    const { clock, given, attendance } = start();
    attendance.expect('t');
    const [one, other] = [new AbortController(), new AbortController()];
    const holding = [attendance.hold('t', one.signal), attendance.hold('t', other.signal)];
    one.abort();
    clock.advance(holdMs - 1);
    other.abort();
    expect(await Promise.all(holding)).toEqual([true, true]);
    clock.advance(absenceMsMax - 1);
    expect(given).toEqual([]);
    clock.advance(1);
    expect(given).toEqual(['t']);
  });

  test('renew holds a whole group with one call, and gives it up whole', () => {
    const { clock, given, attendance } = start();
    for (const task of ['a', 'b', 'c']) attendance.expect(task, 'batch');
    clock.advance(absenceMsMax - 1);
    expect(attendance.renew('batch', 0)).toBe(true);
    clock.advance(absenceMsMax - 1);
    expect(given).toEqual([]);
    attendance.ended('b');
    clock.advance(1);
    expect(given).toEqual(['a', 'c']);
    attendance.ended('a');
    attendance.ended('c');
    expect(attendance.renew('batch', 0)).toBe(false);
  });

  test('renew for a day outlasts who holds on at that moment, until somebody is back', async () => {
    const { clock, given, attendance } = start();
    attendance.expect('t');
    const holding = attendance.hold('t', new AbortController().signal);
    attendance.renew('t', 100 * absenceMsMax);
    clock.advance(holdMs);
    expect(await holding).toBe(true);
    clock.advance(90 * absenceMsMax);
    expect(given).toEqual([]);
    const late = new AbortController();
    const onItsWay = attendance.hold('t', late.signal);
    late.abort();
    expect(await onItsWay).toBe(true);
    clock.advance(2 * absenceMsMax);
    expect(given).toEqual([]);
    const again = attendance.hold('t', new AbortController().signal);
    clock.advance(holdMs);
    expect(await again).toBe(true);
    clock.advance(absenceMsMax);
    expect(given).toEqual(['t']);
  });

  test('renew for less takes the patience back', () => {
    const { clock, given, attendance } = start();
    attendance.expect('t');
    attendance.renew('t', 100 * absenceMsMax);
    attendance.renew('t', 0);
    clock.advance(absenceMsMax);
    expect(given).toEqual(['t']);
  });

  test('lets holders go when the task ends, and has nothing to do with others', async () => {
    const { clock, given, attendance } = start();
    attendance.expect('t');
    const holding = attendance.hold('t', new AbortController().signal);
    attendance.ended('t');
    expect(await holding).toBe(false);
    expect(await attendance.hold('other', new AbortController().signal)).toBe(false);
    clock.advance(10 * absenceMsMax);
    expect(given).toEqual([]);
  });
});
