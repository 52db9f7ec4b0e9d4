/** The command line as a real process: pipes, signals and shells as people use them. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shellQuote } from '../../src/cli/map/placeholders.ts';
import { problem } from '../unit/cli/dispatcher.ts';
import { MemoryBlobs } from '../unit/cli/files.ts';
import { type FakeServer, startFakeServer } from './fake-server.ts';

const octaskly = `'${process.execPath}' '${join(import.meta.dir, 'cli-process.ts')}'`;
let server: FakeServer = await startFakeServer();
let folder = '';

beforeEach(async () => {
  await server.stop();
  server = await startFakeServer();
  folder = mkdtempSync(join(tmpdir(), 'octaskly-cli-'));
});

afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

function start(line: string) {
  const env = { PATH: process.env.PATH ?? '', HOME: folder, OCTASKLY_API: server.baseUrl };
  const command = ['/bin/bash', '-c', line.replaceAll('octaskly', octaskly)];
  return Bun.spawn(command, { env, stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
}

const textOf = (stream: ReadableStream<Uint8Array>): Promise<string> => new Response(stream).text();

async function run(line: string) {
  const child = start(line);
  const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  return { status: await child.exited, stdout, stderr };
}

describe('octaskly run', () => {
  test('passes a pipe on to its end, byte for byte', async () => {
    const { dispatcher } = server;
    let ended = false;
    dispatcher.intercept = ({ path, query }) => {
      if (path.endsWith('/stdin') && query.get('eof') === 'true' && !ended) {
        ended = true;
        queueMicrotask(() => {
          const id = path.split('/')[4] ?? '';
          dispatcher.write(id, 'stdout', `${dispatcher.find(id).stdin.length}`);
          dispatcher.end(id, { exit_code: 0 });
        });
      }
      return null;
    };
    expect(await run('head -c 1000000 /dev/zero | octaskly run wc -c')).toEqual({
      status: 0,
      stdout: '1000000',
      stderr: '',
    });
  }, 20_000);

  test('ends with its task while standard input stays open, is empty or is closed', async () => {
    const { dispatcher } = server;
    dispatcher.onSubmit = (id) => dispatcher.end(id, { status: 'failed', exit_code: 3 });
    for (const input of ['', '< /dev/null', '<&-']) {
      expect((await run(`octaskly run x ${input}`)).status, input).toBe(3);
    }
    const asked = [...dispatcher.tasks.values()].map((task) => task.request.stdin !== undefined);
    expect(asked).toEqual([true, false, false]);
  }, 20_000);

  test('ends quietly, and ends its task, when the reader leaves', async () => {
    const { dispatcher } = server;
    dispatcher.onSubmit = (id) => dispatcher.write(id, 'stdout', 'y\n'.repeat(100_000));
    expect(await run('octaskly run yes < /dev/null | head -1; echo $PIPESTATUS')).toEqual({
      ...{ status: 0, stdout: 'y\n141\n', stderr: '' },
    });
    expect(dispatcher.cancelled).toHaveLength(1);
  }, 20_000);

  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    test(`on ${signal} cancels its task and waits for the end`, async () => {
      const { dispatcher } = server;
      let child: ReturnType<typeof start> | null = null;
      dispatcher.intercept = ({ path }) => {
        if (path.endsWith('/output')) child?.kill(signal);
        return null;
      };
      child = start('exec octaskly run sleep 100');
      const stderr = textOf(child.stderr);
      expect(await child.exited).toBe(status);
      expect(dispatcher.cancelled.length).toBeGreaterThan(0);
      expect(await stderr).toContain('Cancelling task');
    }, 20_000);
  }
});

test('octaskly run brings files along and brings files back, whatever their names', async () => {
  const { dispatcher } = server;
  const blobs = new MemoryBlobs();
  dispatcher.intercept = blobs.answer;
  dispatcher.onSubmit = (id) => dispatcher.end(id, { exit_code: 0 });
  const large = 'x'.repeat(2_000_000);
  blobs.addOutput('out/-a b\nü', large, true);
  writeFileSync(join(folder, "it's"), large);
  const line = `cd "$HOME" && octaskly run --in "it's" --in ./-dash --out out true < /dev/null`;
  writeFileSync(join(folder, '-dash'), '');
  expect(await run(line)).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(blobs.uploads.map(({ bytes }) => bytes).sort((a, b) => a - b)).toEqual([0]);
  expect([...dispatcher.tasks.values()][0]?.view.inputs.map(({ path }) => path)).toEqual(["it's", '-dash']);
  expect(readFileSync(join(folder, 'out/-a b\nü'), 'utf8')).toBe(large);
  expect(statSync(join(folder, 'out/-a b\nü')).mode & 0o100).toBe(0o100);
}, 20_000);

describe('octaskly', () => {
  test('ends quietly in front of head', async () => {
    for (let i = 0; i < 900; i++) server.dispatcher.submit({ command: 'x'.repeat(500) });
    const { stdout, stderr } = await run('octaskly ps -l 1000 | head -1; echo $PIPESTATUS');
    expect([stdout.split('\n').slice(1), stderr]).toEqual([['0', ''], '']);
  }, 20_000);

  test('writes large output to a slow reader whole', async () => {
    const { dispatcher } = server;
    dispatcher.onSubmit = (id) => {
      dispatcher.write(id, 'stdout', 'x'.repeat(3_000_000));
      dispatcher.end(id, { exit_code: 0 });
    };
    const { stdout } = await run('octaskly run x < /dev/null | { sleep 0.3; wc -c; }');
    expect(stdout.trim()).toBe('3000000');
  }, 20_000);

  test('gives one line and no stack when no dispatcher answers', async () => {
    const { status, stdout, stderr } = await run('octaskly ps --api http://127.0.0.1:1');
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^octaskly: Cannot reach a dispatcher at http:\/\/127\.0\.0\.1:1: .*\n$/);
  }, 20_000);
});

test('shellQuote() puts arguments into a shell command as data, whatever they hold', () => {
  for (const arg of ['', '$(x)', '`x`', 'a;b', '*', '~', '-n', "'", '"', '\\', 'ä', '#', 'a\nb', '$&', '!x']) {
    const { stdout } = Bun.spawnSync(['/bin/sh', '-c', `printf '%s|' ${shellQuote(arg)}`]);
    expect(stdout.toString()).toBe(`${arg}|`);
  }
});

describe('an upload', () => {
  /** Answers a PUT before its body came, as the dispatcher does. `received`: how much is there at each question; null = all. */
  function serve(answer: Response, received: (number | null)[] = [0]) {
    const puts: string[] = [];
    const api = Bun.serve({
      ...{ port: 0, hostname: '127.0.0.1' },
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        if (request.method === 'PUT') {
          puts.push(request.headers.get('content-range') ?? '');
          return answer.clone();
        }
        if (!pathname.endsWith('/missing'))
          return Response.json({ id: '01hq3v5k0001', status: 'queued' }, { status: 201 });
        const { blobs } = (await request.json()) as { blobs: string[] };
        const next = received.length > 1 ? received.shift() : received[0];
        return Response.json({ missing: next === null ? [] : blobs.map((blob) => ({ blob, received: next })) });
      },
    });
    return { api, puts };
  }
  const big = (): string => {
    const file = join(folder, 'big');
    writeFileSync(file, new Uint8Array(20_000_000));
    return file;
  };

  test('that is refused in its middle fails with the words of the dispatcher and the name of the file', async () => {
    const file = big();
    const { api } = serve(problem(507, 'storage_unavailable', 'Cannot receive it: no space left on device.'));
    expect(await run(`octaskly submit --api ${api.url.origin} --in "$HOME/big" ls`)).toEqual({
      ...{ status: 1, stdout: '' },
      stderr: `octaskly: Cannot upload ${file}: Cannot receive it: no space left on device. Try again soon; 'octaskly status' says whether it takes work.\n`,
    });
    await api.stop(true);
  }, 20_000);

  test('waits while somebody else sends the same content', async () => {
    big();
    const { api, puts } = serve(problem(409, 'conflict', 'It is coming in already.'), [0, 1000, 2000, null]);
    const ended = await run(`octaskly submit --api ${api.url.origin} --in "$HOME/big" ls`);
    expect(ended).toEqual({ status: 0, stdout: '01hq3v5k0001\n', stderr: '' });
    expect(puts).toHaveLength(1);
    await api.stop(true);
  }, 20_000);
});
