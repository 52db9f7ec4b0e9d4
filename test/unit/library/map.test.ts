/** `map` of the library over a dispatcher in memory: templates, order, the window, a full queue, and what is left behind. */

import { describe, expect, test } from 'bun:test';
import { Octaskly } from '../../../src/library/octaskly.ts';
import { filled } from '../../../src/library/template.ts';
import { FakeDispatcher, problem } from '../cli/dispatcher.ts';

const open = (fake: FakeDispatcher): Octaskly =>
  new Octaskly({ url: 'http://dispatcher:3000', token: null, fetch: fake.fetch, sleep: async () => {} });

function ending(fake = new FakeDispatcher()): FakeDispatcher {
  fake.onSubmit = (id) => fake.end(id, { exit_code: 0, stdout_tail: '' });
  return fake;
}

const batchSizes = (fake: FakeDispatcher): number[] =>
  fake.requests
    .filter(({ path, method }) => path.endsWith('/batches') && method === 'POST')
    .map(({ body }) => (JSON.parse(String(body)) as { tasks: unknown[] }).tasks.length);

describe('filled()', () => {
  test.each([
    ['gzip {}', 'a b', "gzip 'a b'"],
    ['gzip', "it's", String.raw`gzip 'it'\''s'`],
    ['cp {} {}.bak', 'x', 'cp x x.bak'],
    ['echo {}', '$&', "echo '$&'"],
    ['echo {}', '', "echo ''"],
  ])('%s with %p', (command, input, expected) => expect(filled(command, input)).toBe(expected));

  test('takes arguments as they are', () => {
    expect(filled(['cp', '{}', '{}.bak'], 'a b')).toEqual(['cp', 'a b', 'a b.bak']);
    expect(filled(['cat'], '$x')).toEqual(['cat', '$x']);
  });
});

describe('map()', () => {
  test('names a file so that no command takes it for an option', async () => {
    const fake = ending();
    fake.intercept = ({ path }) => (path.endsWith('/blobs/missing') ? Response.json({ missing: [] }) : null);
    const results = await Array.fromAsync(open(fake).map('cat {}', [new File(['x'], '-n'), new File(['x'], 'a b')]));
    expect(results.map(({ output }) => output.task.command).toSorted()).toEqual(["cat 'a b'", 'cat ./-n']);
  });

  test('gives one result for each input, submitted by the batch', async () => {
    const fake = ending();
    const inputs = Array.from({ length: 120 }, (_, index) => index);
    const seen: number[] = [];
    for await (const { input, index, output } of open(fake).map('seq {}', inputs)) {
      expect([index, output.task.command]).toEqual([input, `seq ${input}`]);
      seen.push(input);
    }
    expect(seen.toSorted((a, b) => a - b)).toEqual(inputs);
    expect(batchSizes(fake).length).toBeLessThan(10);
    expect(fake.cancelled).toEqual([]);
  });

  test('keeps the order when asked to, and tells failures as results', async () => {
    const fake = new FakeDispatcher();
    const ids: string[] = [];
    fake.onSubmit = (id) => {
      ids.push(id);
      if (ids.length < 3) return;
      for (const [place, each] of ids.toReversed().entries())
        fake.end(each, place === 1 ? { status: 'failed', exit_code: 1 } : { exit_code: 0 });
    };
    const results = await Array.fromAsync(
      open(fake).map((input) => ['echo', input], ['a', 'b', 'c'], { keepOrder: true }),
    );
    expect(results.map(({ input, output }) => [input, output.ok])).toEqual([
      ['a', true],
      ['b', false],
      ['c', true],
    ]);
  });

  test('takes no more inputs than the window holds, and cancels the rest when the loop is left', async () => {
    const fake = new FakeDispatcher();
    let first = '';
    fake.onSubmit = (id) => {
      first ||= id;
      if (fake.tasks.size === 4) fake.end(first, { exit_code: 0 });
    };
    let taken = 0;
    let isClosed = false;
    const endless = (function* () {
      try {
        for (;;) yield ++taken;
      } finally {
        isClosed = true;
      }
    })();
    for await (const { input } of open(fake).map('x {}', endless, { concurrency: 4 })) {
      expect(input).toBe(1);
      break;
    }
    expect(taken).toBeLessThanOrEqual(5);
    expect(isClosed).toBe(true);
    expect([...fake.tasks.values()].filter(({ view }) => view.status === 'queued')).toEqual([]);
  });

  test('takes smaller bites while the queue is full', async () => {
    const fake = ending();
    fake.intercept = ({ path, body }) => {
      if (!path.endsWith('/batches')) return null;
      return (JSON.parse(String(body)) as { tasks: unknown[] }).tasks.length > 2
        ? problem(429, 'queue_full', 'Full.')
        : null;
    };
    const results = await Array.fromAsync(open(fake).map('x {}', [1, 2, 3, 4, 5, 6]));
    expect(results).toHaveLength(6);
    expect(batchSizes(fake)).toEqual([6, 3, 2, 2, 2]);
  });

  test('ends when the inputs fail, and when its signal aborts, also while inputs are waited for', async () => {
    const failing = (async function* () {
      yield 1;
      throw new Error('no more');
    })();
    const fake = new FakeDispatcher();
    expect(await Array.fromAsync(open(fake).map('x {}', failing)).catch(String)).toBe('Error: no more');
    expect([...fake.tasks.values()].filter(({ view }) => view.status === 'queued')).toEqual([]);
    const never: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<number>>(() => {}) }),
    };
    const signal = AbortSignal.timeout(20);
    const stopped = await Array.fromAsync(open(fake).map('x {}', never, { signal })).catch(
      (error: Error) => error.name,
    );
    expect(stopped).toBe('TimeoutError');
  });

  test('refuses a window that is none', () => {
    expect(() => open(ending()).map('x', [1], { concurrency: 0 })).toThrow('a whole number from 1 to 10000');
  });
});
