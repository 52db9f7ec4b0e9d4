/**
 * `bun:test` for Node, as far as the contracts use it: tests are `node:test`'s, expectations Jest's, which Bun's are made
 * after.
 */

import nodeTest from 'node:test';
import { expect as expectations } from 'expect';

export const { after: afterAll, afterEach, before: beforeAll, beforeEach } = nodeTest;

/** With a remark, which Jest's do not take. */
export const expect = Object.assign((given: unknown, _remark?: string) => expectations(given), expectations);
expectations.extend({
  toStartWith: (given: unknown, start: unknown) => ({
    pass: String(given).startsWith(String(start)),
    message: () => `${String(given)} should begin with ${String(start)}`,
  }),
});

type Body = (...values: readonly unknown[]) => unknown;
type Declare = (name: string, body: () => unknown, timeoutMs?: number) => void;

/** With the ways Bun has to leave out a test, and to repeat it. */
function withWays(declare: Declare, skip: Declare) {
  const each = (table: readonly unknown[]) => (name: string, body: Body) => {
    for (const row of table) {
      const values: readonly unknown[] = Array.isArray(row) ? row : [row];
      let next = 0;
      const title = name.replace(/%[sdj]/g, () => String(values[next++]));
      declare(title, async () => await body(...values));
    }
  };
  return Object.assign(declare, { each, skip, skipIf: (leaves: boolean) => (leaves ? skip : declare) });
}

export const test = withWays(
  (name, body) => void nodeTest(name, async () => void (await body())),
  (name) => void nodeTest.skip(name),
);

export const describe = Object.assign((name: string, body: () => void) => void nodeTest.describe(name, body), {
  each: (table: readonly unknown[]) => (name: string, body: (...values: readonly unknown[]) => void) => {
    for (const row of table) {
      const values: readonly unknown[] = Array.isArray(row) ? row : [row];
      nodeTest.describe(name.replace(/%[sdj]/, String(values[0])), () => body(...values));
    }
  },
  skipIf: (leaves: boolean) => (leaves ? nodeTest.describe.skip : nodeTest.describe),
});
