/** The REST API of the compiled file under a few thousand requests made from its own document; `test/fuzz/rest.ts` makes more. */

import { expect, test } from 'bun:test';
import { routes } from '../../src/api/routes.ts';
import { fuzzRest } from '../fuzz/rest.ts';

test('whatever is sent, the API answers, and tells nothing of the machine', async () => {
  const seed = Number(process.env.OCTASKLY_TEST_SEED ?? '1');
  const report = await fuzzRest({ requests: 3000, seed });
  if (report.failures.length > 0) {
    const again = `bun test/fuzz/rest.ts --requests 3000 --seed ${seed}`;
    throw new Error(`${report.failures.join('\n')}\nagain: ${again}`);
  }
  // It gets somewhere: most operations did what they are for at least once, and all of them refused something.
  const operations = (kind: string) => [...report.reached].filter((each) => each.endsWith(kind)).length;
  expect(operations('2xx')).toBeGreaterThan(0.6 * routes.length);
  expect(operations('4xx')).toBeGreaterThan(0.8 * routes.length);
  expect(report.counts[201]).toBeGreaterThan(50);
}, 60_000);
