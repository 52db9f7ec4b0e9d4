import { describe, expect, test } from 'bun:test';
import { Conditions, type Feeling, readConditions } from '../../../src/core/conditions.ts';

const well: Feeling = {
  ...{ load1: 0, running: 0, cpuCores: 4, batteryPercent: null, charging: null, temperatureC: null, untouchedS: null },
};

/** What each feeling in turn, 5 s apart, says. */
function looks(text: string, feelings: readonly Partial<Feeling>[]): (string | null)[] {
  const conditions = new Conditions(readConditions(text) ?? []);
  return feelings.map((feeling, i) => conditions.look({ ...well, ...feeling }, 5000 * i));
}

describe('readConditions()', () => {
  test('reads what --when takes', () => {
    expect(readConditions('always')).toEqual([]);
    expect(readConditions('idle, battery>30,cool')).toEqual([
      { kind: 'idle' },
      { kind: 'battery', above: 30 },
      { kind: 'cool' },
    ]);
  });

  test.each(['', 'idle,', 'battery', 'battery>100', 'battery<30', 'never', 'always,idle'])('refuses %p', (text) => {
    expect(readConditions(text)).toBeNull();
  });
});

describe('Conditions.look()', () => {
  test('has nothing against a device that cannot tell how it is', () => {
    expect(looks('idle,charging,battery>30,cool', [{}, { load1: null }])).toEqual([null, null]);
  });

  test('battery: rests at the threshold, works again clearly above it, or at once above it when charging', () => {
    const at = (batteryPercent: number, charging = false): Partial<Feeling> => ({ batteryPercent, charging });
    const said = looks('battery>30', [at(31), at(30), at(33), at(35), at(36), at(30), at(31, true)]);
    expect(said.map((why) => why === null)).toEqual([true, false, false, false, true, false, true]);
    expect(said[1]).toBe('its battery is at 30 %, and it works above 30 %');
  });

  test('battery: a threshold near the top can be reached again without charging', () => {
    const said = looks('battery>97', [{ batteryPercent: 97 }, { batteryPercent: 99 }, { batteryPercent: 100 }]);
    expect(said).toEqual([
      'its battery is at 97 %, and it works above 97 %',
      'its battery is at 99 %, and it works above 99 %',
      null,
    ]);
  });

  test('cool: rests when hot, until it has cooled down', () => {
    const said = looks('cool', [
      { temperatureC: 84 },
      { temperatureC: 86 },
      { temperatureC: 80 },
      { temperatureC: 74 },
    ]);
    expect(said).toEqual([null, 'it is 86 °C hot', 'it is 80 °C hot', null]);
  });

  test('cool: rests while it is slowed down, and says what of', () => {
    const said = looks('cool', [{ slowdown: 'it is throttled', temperatureC: 60 }, { slowdown: null }]);
    expect(said).toEqual(['it is throttled', null]);
  });

  test('unmetered: rests where volume costs, not where nobody knows', () => {
    const said = looks('unmetered', [{ metered: true }, { metered: null }, { metered: false }, {}]);
    expect(said).toEqual(['its network is paid for by volume', null, null, null]);
  });

  test('charging: rests on battery', () => {
    expect(looks('charging', [{ charging: false }, { charging: true }])).toEqual(['it runs on battery', null]);
  });

  test('idle: rests while somebody types, and for five minutes after', () => {
    const said = looks('idle', [{ untouchedS: 40 }, { untouchedS: 2 }, { untouchedS: 200 }, { untouchedS: 301 }]);
    expect(said).toEqual([null, 'it is in use', 'it is in use', null]);
  });

  test('idle: the load of others counts, that of its own tasks does not, nor what is left of it', () => {
    expect(looks('idle', [{ load1: 3 }, { load1: 2 }, { load1: 1 }])).toEqual(['it is in use', 'it is in use', null]);
    const decay = Math.exp(-5 / 60);
    let load1 = 0;
    const work = Array.from({ length: 60 }, (_, i): Partial<Feeling> => {
      const running = i > 0 && i < 30 ? 4 : 0;
      load1 = load1 * decay + running * (1 - decay);
      return { load1, running };
    });
    expect(new Set(looks('idle', work))).toEqual(new Set([null]));
  });

  test('names all that is in the way', () => {
    expect(looks('charging,cool', [{ charging: false, temperatureC: 90 }])).toEqual([
      'it runs on battery, it is 90 °C hot',
    ]);
  });
});
