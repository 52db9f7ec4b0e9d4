/** The library over a dispatcher in memory: what it asks, when it asks again, and what it leaves behind. */

import { describe, expect, test } from 'bun:test';
import type { OctasklyError } from '../../../src/base/errors.ts';
import { Octaskly } from '../../../src/library/octaskly.ts';
import { TaskFailed } from '../../../src/library/output.ts';
import { FakeDispatcher, problem } from '../cli/dispatcher.ts';

const open = (fake: FakeDispatcher): Octaskly =>
  new Octaskly({ url: 'http://dispatcher:3000', token: null, fetch: fake.fetch, sleep: async () => {} });

/** Ends every task as it comes, echoing its command. */
function echoing(fake = new FakeDispatcher()): FakeDispatcher {
  fake.onSubmit = (id) => {
    const { request } = fake.find(id);
    const text = request.command ?? request.argv?.join(' ') ?? '';
    fake.write(id, 'stdout', text);
    fake.end(id, { exit_code: 0, stdout_tail: text });
  };
  return fake;
}

const asked = (fake: FakeDispatcher, method: string, path: RegExp): number =>
  fake.requests.filter((request) => request.method === method && path.test(request.path)).length;

describe('run()', () => {
  test('gives the output of a task that ended before it was asked for', async () => {
    const fake = echoing();
    const { stdout, exitCode, ok } = await open(fake).run(['echo', 'a b']);
    expect([stdout, exitCode, ok]).toEqual(['echo a b', 0, true]);
    expect(fake.requests[0]?.body).toBe('{"argv":["echo","a b"]}');
    expect(asked(fake, 'GET', /output/)).toBe(0);
  });

  test('throws TaskFailed, which shows the end and the last words', async () => {
    const fake = new FakeDispatcher();
    fake.onSubmit = (id) => {
      fake.write(id, 'stderr', 'first\nno such file\n');
      fake.end(id, { status: 'failed', exit_code: 2, reason: 'exited with 2', stderr_tail: 'cut' });
    };
    const error = await open(fake)
      .run('x')
      .catch((reason: unknown) => reason);
    if (!(error instanceof TaskFailed)) throw new Error(`expected TaskFailed, got ${error}`);
    expect(error.message).toBe(`Task ${error.task.id} failed: exited with 2; no such file`);
    expect(error.output.stderr).toBe('first\nno such file\n');
  });

  test('cancels the task when its signal aborts', async () => {
    const fake = new FakeDispatcher();
    const giveUp = new AbortController();
    fake.onSubmit = () => giveUp.abort(new Error('enough'));
    expect(await open(fake).run('sleep 9', { signal: giveUp.signal }).catch(String)).toBe('Error: enough');
    expect(fake.cancelled).toHaveLength(1);
  });

  test('rejects when its signal aborts while the dispatcher stays away', async () => {
    const fake = new FakeDispatcher();
    const giveUp = new AbortController();
    const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
    const octaskly = new Octaskly({ url: 'http://dispatcher:3000', fetch: fake.fetch, sleep: pause, patienceMs: 0 });
    fake.onSubmit = () => {
      fake.intercept = () => problem(503, 'shutting_down', 'Going down.');
    };
    const running = octaskly.run('sleep 9', { signal: giveUp.signal }).catch(String);
    await pause();
    giveUp.abort(new Error('enough'));
    expect(await running).toBe('Error: enough');
  });

  test('cancels the task when its standard input fails', async () => {
    const fake = new FakeDispatcher();
    const stdin = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error('broken')) });
    expect(await open(fake).run('cat', { stdin }).catch(String)).toBe('Error: broken');
    expect(fake.cancelled).toHaveLength(1);
  });

  test('goes on after the feed broke off and the end was missed', async () => {
    const fake = new FakeDispatcher();
    const running = open(fake).run('x');
    while (asked(fake, 'GET', /tasks/) === 0) await Promise.resolve();
    const [id = ''] = fake.tasks.keys();
    fake.hangUp();
    fake.end(id, { exit_code: 0 });
    expect((await running).ok).toBe(true);
  });
});

describe('submit()', () => {
  test('fails at once when there never was a dispatcher, and waits for one that was there', async () => {
    const fake = echoing();
    const octaskly = open(fake);
    let failures = 7;
    const away = () => {
      failures -= 1;
      return failures >= 0 ? problem(503, 'shutting_down', 'Going down.') : null;
    };
    fake.intercept = away;
    expect(await octaskly.submit('x').catch((error: OctasklyError) => error.code)).toBe('shutting_down');
    fake.intercept = () => null;
    await octaskly.submit('x');
    failures = 7;
    fake.intercept = away;
    await octaskly.submit('x');
    const keys = fake.requests.slice(-8).map(({ headers }) => headers.get('idempotency-key'));
    expect(new Set(keys).size).toBe(1);
  });

  test('uploads what the dispatcher lacks, once, and names it', async () => {
    const fake = echoing();
    const stored = new Map<string, string>();
    fake.intercept = ({ method, path, body }) => {
      if (method === 'PUT') {
        const blob = decodeURIComponent(path.split('/').at(-1) ?? '');
        stored.set(blob, new TextDecoder().decode(body as Uint8Array));
        return Response.json({ received: 5, stored: true });
      }
      if (!path.endsWith('/missing')) return null;
      const { blobs } = JSON.parse(String(body)) as { blobs: string[] };
      return Response.json({
        missing: blobs.filter((blob) => !stored.has(blob)).map((blob) => ({ blob, received: 0 })),
      });
    };
    const octaskly = open(fake);
    const inputs = { 'a.txt': 'hello', 'b/c': new TextEncoder().encode('hello') };
    await octaskly.submit('wc *', { inputs, after: ['01hq3v5k0000'] });
    // echo -n hello | sha256sum
    const blob = 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
    expect([...stored]).toEqual([[blob, 'hello']]);
    expect(JSON.parse(String(fake.requests.at(-1)?.body))).toEqual({
      command: 'wc *',
      depends_on: ['01hq3v5k0000'],
      inputs: [
        { path: 'a.txt', blob, executable: false },
        { path: 'b/c', blob, executable: false },
      ],
    });
  });

  test('feeds bytes to standard input while the task runs', async () => {
    const fake = new FakeDispatcher();
    const task = await open(fake).submit('cat', { stdin: new Blob(['one ', 'two']) });
    while (fake.find(task.id).stdinOpen) await new Promise((resolve) => setImmediate(resolve));
    expect(fake.find(task.id).stdin).toBe('one two');
    fake.end(task.id, { exit_code: 0 });
    expect((await task.wait()).status).toBe('completed');
  });
});

describe('stream()', () => {
  test('gives both streams, and cancels the task when the loop is left', async () => {
    const fake = new FakeDispatcher();
    fake.onSubmit = (id) => fake.write(id, 'stderr', 'careful');
    for await (const { from, bytes } of open(fake).stream('x')) {
      expect([from, new TextDecoder().decode(bytes)]).toEqual(['stderr', 'careful']);
      break;
    }
    expect(fake.cancelled).toHaveLength(1);
  });

  test('lines() puts lines together that came in pieces', async () => {
    const fake = new FakeDispatcher();
    fake.onSubmit = (id) => {
      for (const piece of ['o', 'ne\r\ntw', 'o\n\nthree']) fake.write(id, 'stdout', piece);
      fake.end(id, { exit_code: 0 });
    };
    const task = await open(fake).submit('x');
    expect(await Array.fromAsync(task.stdout.lines())).toEqual(['one', 'two', '', 'three']);
  });
});

test('batch() and map() refuse bytes for standard input, which nobody would feed, before anything is submitted', async () => {
  const fake = echoing();
  const plan = { command: 'cat', stdin: new Uint8Array(3) as unknown as string };
  const errors = await Promise.all([
    open(fake).batch([plan]).catch(String),
    open(fake)
      .map(() => plan, [1])
      .next()
      .catch(String),
  ]);
  for (const error of errors) expect(error).toContain('"stdin" of tasks of a batch or map should be a text');
  expect(fake.tasks.size).toBe(0);
});
