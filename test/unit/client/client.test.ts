import { describe, expect, test } from 'bun:test';
import { OctasklyError } from '../../../src/base/errors.ts';
import { createClient } from '../../../src/client/client.ts';
import type { FeedItem } from '../../../src/client/events.ts';
import type { Fetch } from '../../../src/client/http.ts';
import { FakeDispatcher, problem } from '../cli/dispatcher.ts';

const baseUrl = 'http://dispatcher:3000';
const noSleep = async (): Promise<void> => {};
const refused = (): Error =>
  new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }) });

const clientOf = (fetch: Fetch, onLost?: (reason: string) => void) =>
  createClient({ baseUrl, token: 'secret', fetch, sleep: noSleep, ...(onLost ? { onLost } : {}) });

async function errorOf(promise: Promise<unknown>): Promise<OctasklyError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof OctasklyError) return error;
  throw new Error(`expected an OctasklyError, got ${String(error)}`);
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
  return text;
}

describe('createClient()', () => {
  test('refuses an address that is none', () => {
    expect(() => createClient({ baseUrl: 'localhost:3000' })).toThrow('is not an address');
    expect(() => createClient({ baseUrl: 'http://user@host' })).toThrow('is not an address');
  });
});

describe('submitTask()', () => {
  test('repeats after a refused connection and a 503, with one idempotency key', async () => {
    const fake = new FakeDispatcher();
    let failures = 0;
    fake.intercept = () => {
      failures += 1;
      if (failures === 1) throw refused();
      if (failures === 2) return problem(503, 'shutting_down', 'going down');
      return failures === 3 ? problem(503, 'not_ready', 'coming up') : null;
    };
    const task = await clientOf(fake.fetch).submitTask({ command: 'true' });
    expect(task.status).toBe('queued');
    const keys = fake.requests.map((request) => request.headers.get('idempotency-key'));
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(fake.requests[0]?.headers.get('authorization')).toBe('Bearer secret');
  });

  test('gives up after a bounded number of tries and says what was tried', async () => {
    let tries = 0;
    const client = clientOf(async () => {
      tries += 1;
      throw refused();
    });
    const error = await errorOf(client.submitTask({ command: 'true' }));
    expect(error.code).toBe('unreachable');
    expect(error.message).toBe('Cannot reach a dispatcher at http://dispatcher:3000: the connection was refused.');
    expect(tries).toBe(6);
  });

  test('does not repeat what is refused for good', async () => {
    const fake = new FakeDispatcher();
    fake.intercept = () => problem(429, 'queue_full', 'The queue is full.');
    const error = await errorOf(clientOf(fake.fetch).submitTask({ command: 'true' }));
    expect([error.code, error.message, fake.requests.length]).toEqual(['queue_full', 'The queue is full.', 1]);
  });
});

describe('errors', () => {
  test('carry the code, the detail and the fields of the problem document', async () => {
    const body = { type: 'urn:octaskly:problem:invalid', title: 't', status: 422, detail: 'No.' };
    const errors = [{ path: 'timeout', message: 'too large' }];
    const client = clientOf(async () => Response.json({ ...body, errors }, { status: 422 }));
    const error = await errorOf(client.stats());
    expect([error.code, error.message, error.fields]).toEqual(['invalid', 'No.', errors]);
  });

  test('take the code from the status when the answer is no problem document or names an unknown one', async () => {
    const plain = await errorOf(clientOf(async () => new Response('<html>', { status: 404 })).stats());
    expect([plain.code, plain.message]).toEqual(['not_found', 'http://dispatcher:3000 answered with HTTP status 404.']);
    const unknown = await errorOf(clientOf(async () => problem(418, 'toString', 'Tea.')).stats());
    expect([unknown.code, unknown.message]).toEqual(['bad_request', 'Tea.']);
  });

  test('say so when something else answers', async () => {
    for (const answer of [new Response('hi'), new Response('{', { headers: { 'content-type': 'application/json' } })]) {
      expect((await errorOf(clientOf(async () => answer.clone()).stats())).message).toContain('no Octaskly dispatcher');
    }
  });

  test('ready() tells a dispatcher that is not ready from one that does not answer', async () => {
    const busy = clientOf(async () => problem(503, 'storage_unavailable', 'The disk is full.'));
    expect(await busy.ready()).toEqual({ ready: false, reason: 'The disk is full.' });
    const bare = clientOf(async () => Response.json({ status: 'not ready', reason: 'No disk.' }, { status: 503 }));
    expect(await bare.ready()).toEqual({ ready: false, reason: 'No disk.' });
    const gone = clientOf(async () => Promise.reject(refused()));
    expect((await errorOf(gone.ready())).code).toBe('unreachable');
    const stranger = clientOf(async () => Promise.reject(new OctasklyError('forbidden', 'Cannot trust it.')));
    expect((await errorOf(stranger.ready())).message).toBe('Cannot trust it.');
  });
});

describe('tasks()', () => {
  test('sends the filters, allTasks() goes through the pages', async () => {
    const paths: string[] = [];
    const fake = new FakeDispatcher();
    const one = fake.submit({ command: 'a' });
    const client = clientOf(async (url) => {
      paths.push(url.slice(baseUrl.length));
      return Response.json({ tasks: [one], next_cursor: paths.length === 1 ? 'x' : null });
    });
    const found = [];
    for await (const task of client.allTasks({ status: ['queued', 'running'], tag: 'a=b' })) found.push(task.id);
    expect(found).toEqual([one.id, one.id]);
    expect(paths).toEqual([
      '/api/v1/tasks?limit=1000&status=queued%2Crunning&tag=a%3Db',
      '/api/v1/tasks?limit=1000&status=queued%2Crunning&tag=a%3Db&cursor=x',
    ]);
  });
});

describe('output()', () => {
  test('with follow continues at the byte where a broken connection stopped', async () => {
    const fake = new FakeDispatcher();
    const { id } = fake.submit({ command: 'x' });
    fake.write(id, 'stdout', 'hello world');
    const lost: string[] = [];
    const froms: (string | null)[] = [];
    fake.intercept = ({ path, query }) => {
      if (!path.endsWith('/output')) return null;
      froms.push(query.get('from'));
      if (froms.length === 2) throw refused();
      if (froms.length > 2) {
        fake.end(id, { exit_code: 0 });
        return null;
      }
      let sent = false;
      const body = new ReadableStream<Uint8Array>({
        pull: (controller) => {
          if (sent) controller.error(new Error('reset'));
          else controller.enqueue(new TextEncoder().encode('hello'));
          sent = true;
        },
      });
      return new Response(body);
    };
    const client = clientOf(fake.fetch, (reason) => lost.push(reason));
    expect(await textOf(client.output(id, { follow: true }))).toBe('hello world');
    expect(froms).toEqual(['0', '5', '5']);
    expect(lost).toHaveLength(1);
  });

  test('with follow goes on when the stream ends in good order before the task does', async () => {
    const fake = new FakeDispatcher();
    const { id } = fake.submit({ command: 'x' });
    fake.write(id, 'stdout', 'ab');
    let opened = 0;
    fake.intercept = ({ path }) => {
      if (!path.endsWith('/output')) return null;
      opened += 1;
      if (opened === 1) return new Response('a');
      fake.end(id, { exit_code: 0 });
      return null;
    };
    expect(await textOf(clientOf(fake.fetch).output(id, { follow: true }))).toBe('ab');
    expect(opened).toBe(2);
  });

  test('without follow fails at once when the dispatcher is away', async () => {
    const client = clientOf(async () => Promise.reject(refused()));
    expect((await errorOf(textOf(client.output('x')))).code).toBe('unreachable');
  });
});

describe('events()', () => {
  test('gives a gap first, reconnects after the last id, and a gap again at a reset', async () => {
    const places: (string | null)[] = [];
    const event = '{"kind":"task","id":"t","status":"running","at":"","worker_id":null,"detail":null}';
    const answers = [
      `:\n\nid: 7\nevent: task\ndata: ${event}\n\n`,
      `:\n\nid: 8\ndata: ${event}\n\n`,
      `id: 1\nevent: reset\ndata: {}\n\nid: 2\ndata: ${event}\n\n`,
    ];
    const client = clientOf(async (_url, init) => {
      places.push(new Headers(init.headers).get('last-event-id'));
      if (places.length === 2) throw refused();
      return new Response(answers.shift(), { headers: { 'content-type': 'text/event-stream' } });
    });
    const items: FeedItem[] = [];
    for await (const item of client.events()) {
      items.push(item);
      if (items.length === 5) break;
    }
    expect(items.map((item) => (item.kind === 'gap' ? 'gap' : item.id))).toEqual(['gap', '7', '8', 'gap', '2']);
    expect(places).toEqual([null, '7', '7', '8']);
  });

  test('takes no page of a network that wants a login for a feed', async () => {
    const lost: string[] = [];
    const page = () => new Response('<html>', { headers: { 'content-type': 'text/html' } });
    const client = clientOf(
      async () => page(),
      (reason) => lost.push(reason),
    );
    expect((await errorOf(client.events()[Symbol.asyncIterator]().next())).message).toContain(
      'is no Octaskly dispatcher',
    );
    expect(lost).toEqual([]);
  });

  test('ends with a lasting error', async () => {
    const client = clientOf(async () => problem(401, 'unauthorized', 'No token.'));
    const reading = (async () => {
      for await (const item of client.events()) throw new Error(`unexpected ${item.kind}`);
    })();
    expect((await errorOf(reading)).code).toBe('unauthorized');
  });
});

describe('waitFor()', () => {
  test('resolves in the order asked for, whatever ended when', async () => {
    const fake = new FakeDispatcher();
    const ids = ['a', 'b', 'c'].map((command) => fake.submit({ command }).id);
    const [a = '', b = '', c = ''] = ids;
    fake.end(b, { exit_code: 0 });
    const client = clientOf(fake.fetch);
    const ended: string[] = [];
    const waiting = (async () => {
      for await (const task of client.ended(ids)) {
        ended.push(task.id);
        if (ended.length === 1) fake.end(c, { status: 'failed', exit_code: 1 });
        if (ended.length === 2) fake.end(a, { exit_code: 0 });
      }
    })();
    await waiting;
    expect(ended).toEqual([b, c, a]);
    expect((await client.waitFor(ids)).map((task) => task.id)).toEqual(ids);
  });

  test('reads again after the feed was lost, so an end in between is not missed', async () => {
    const fake = new FakeDispatcher();
    const { id } = fake.submit({ command: 'x' });
    let reads = 0;
    fake.intercept = ({ path }) => {
      if (path.endsWith(id) && ++reads === 1) {
        queueMicrotask(() => {
          // It ends, and nobody is told: the feed breaks before the event.
          fake.hangUp();
          fake.end(id, { exit_code: 3, status: 'failed' });
        });
      }
      return null;
    };
    const [task] = await clientOf(fake.fetch).waitFor([id]);
    expect(task?.exit_code).toBe(3);
    expect(reads).toBe(2);
  });

  test('ends with the signal, and leaves nothing behind', async () => {
    const fake = new FakeDispatcher();
    const { id } = fake.submit({ command: 'x' });
    const stop = new AbortController();
    const waiting = clientOf(fake.fetch).waitFor([id], { signal: stop.signal });
    stop.abort(new Error('enough'));
    expect(waiting).rejects.toThrow('enough');
  });
});
