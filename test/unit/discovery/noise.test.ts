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
