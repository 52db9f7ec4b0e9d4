import { expect, test } from 'bun:test';
import { NoiseReport } from '../../../src/discovery/noise.ts';

test('look() says nothing of a quiet network, and of ordinary noise at once, then at most once a minute', () => {
  const report = new NoiseReport(32);
  expect(report.look({ received: 9, malformed: 0 }, 1, 0)).toBeNull();
  expect(report.look({ received: 10, malformed: 2 }, 1, 1)).toMatchObject({
    level: 'debug',
    fields: { received: 10, malformed: 2, ignored: 0, offLink: 0, limited: 0, dropped: 0 },
  });
  expect(report.look({ received: 11, malformed: 3 }, 1, 60_000)).toBeNull();
  expect(report.look({ received: 11, malformed: 3 }, 1, 60_001)?.fields.malformed).toBe(3);
  expect(report.look({ received: 99, malformed: 3 }, 1, 600_000)).toBeNull();
});

test('look() warns of a flood, and of more dispatchers than are listed', () => {
  expect(new NoiseReport(32).look({ limited: 1 }, 1, 0)?.level).toBe('warn');
  expect(new NoiseReport(32).look({ dropped: 1 }, 1, 0)?.level).toBe('warn');
  expect(new NoiseReport(32).look({ malformed: 1 }, 33, 0)).toMatchObject({ level: 'warn', fields: { announced: 33 } });
  expect(new NoiseReport(32).look({}, 32, 0)).toBeNull();
});

test('look() warns once of a machine where no socket can be opened, and again when it was possible in between', () => {
  const report = new NoiseReport(32);
  let openFailed = 0;
  const looks = (count: number, interfaces: number) =>
    Array.from({ length: count }, (_, at) => {
      openFailed += 2;
      return report.look({ interfaces, openFailed }, 0, at)?.level;
    });
  expect(looks(2, 0)).toEqual([undefined, undefined]);
  expect(looks(3, 0)).toEqual(['warn', undefined, undefined]);
  expect(looks(5, 1).filter(Boolean)).toEqual([]);
  expect(looks(4, 0).filter(Boolean)).toEqual(['warn']);
  const quiet = new NoiseReport(32);
  for (let at = 0; at < 9; at += 1) expect(quiet.look({ interfaces: 0, openFailed: 1 }, 0, at)).toBeNull();
});
