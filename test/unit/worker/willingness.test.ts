import { describe, expect, test } from 'bun:test';
import type { Condition } from '../../../src/core/conditions.ts';
import type { WorkerVitals } from '../../../src/core/worker.ts';
import { Willingness } from '../../../src/worker/willingness.ts';
import { ManualClock } from '../manual-clock.ts';

const vitals: WorkerVitals = {
  ...{ load1: 0, memoryFreeMb: 1, running: 0, batteryPercent: null, charging: false, temperatureC: null },
};

function start(...conditions: readonly Condition[]) {
  const clock = new ManualClock();
  return new Willingness({ clock, cpuCores: 4, conditions, untouchedS: () => null });
}

describe('Willingness', () => {
  test('says so when work is not wanted any more, when something else is in the way, and when it is wanted again', () => {
    const willingness = start({ kind: 'battery', above: 30 });
    const look = (batteryPercent: number): [boolean, string | null] => [
      willingness.look({ ...vitals, batteryPercent }),
      willingness.why,
    ];
    expect(look(40)).toEqual([false, null]);
    expect(look(30)).toEqual([true, 'its battery is at 30 %, and it works above 30 %']);
    expect(look(12)).toEqual([false, 'its battery is at 12 %, and it works above 35 %']);
    expect(look(36)).toEqual([true, null]);
    expect(look(37)).toEqual([false, null]);
  });

  test('asks for nothing that no condition looks at', () => {
    const asked: string[] = [];
    const ask = <T>(what: string, answer: T) => {
      return (): T => {
        asked.push(what);
        return answer;
      };
    };
    const willingness = new Willingness({
      ...{ clock: new ManualClock(), cpuCores: 4, conditions: [{ kind: 'unmetered' }, { kind: 'charging' }] },
      ...{ untouchedS: ask('untouched', 1), metered: ask('metered', true), slowdown: ask('slowdown', 'x') },
    });
    willingness.look({ ...vitals, charging: true });
    expect([asked, willingness.why]).toEqual([['metered'], 'its network is paid for by volume']);
  });

  test('forget() has it said to whoever listens next, unless there is nothing in the way', () => {
    const willingness = start({ kind: 'charging' });
    expect(willingness.look(vitals)).toBe(true);
    willingness.forget();
    expect(willingness.look(vitals)).toBe(true);
    expect(willingness.look({ ...vitals, charging: true })).toBe(true);
    willingness.forget();
    expect(willingness.look({ ...vitals, charging: true })).toBe(false);
  });
});
