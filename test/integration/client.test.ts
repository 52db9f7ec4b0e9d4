/** The client library against a real HTTP server, on Bun and, bundled, on Node. */

import { afterAll, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FakeServer, startFakeServer } from './fake-server.ts';

const script = join(import.meta.dir, 'client-script.ts');
const folder = mkdtempSync(join(tmpdir(), 'octaskly-client-'));
const node = Bun.which('node');
let server: FakeServer | null = null;
/** Where nobody listens any more. */
const closed = await startFakeServer();
const closedUrl = closed.baseUrl;
await closed.stop();

async function restart(): Promise<FakeServer> {
  const fresh = await startFakeServer();
  const { dispatcher } = fresh;
  let opened = 0;
  dispatcher.onSubmit = (id) => {
    const { command } = dispatcher.find(id).request;
    if (command === 'broken') dispatcher.write(id, 'stdout', 'one, two');
    else if (command !== 'cat') dispatcher.end(id, { exit_code: 0 });
  };
  dispatcher.intercept = ({ path, query }) => {
    const id = path.split('/')[4] ?? '';
    if (path.endsWith('/explain')) return new Response(new ReadableStream({ start: () => {} }));
    if (query.get('eof') === 'true')
      queueMicrotask(() => dispatcher.end(id, { exit_code: dispatcher.find(id).stdin.length }));
    if (!path.endsWith('/output')) return null;
    opened += 1;
    if (opened > 1) {
      dispatcher.end(id, { exit_code: 4, status: 'failed' });
      return null;
    }
    // The first connection breaks in the middle of the output.
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('one,')),
      // Asked for more only when the first bytes were taken.
      pull: (controller) => controller.error(new Error('broken')),
    });
    return new Response(body);
  };
  return fresh;
}

beforeEach(async () => {
  await server?.stop();
  server = await restart();
});

afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

async function findingsOf(command: readonly string[]): Promise<unknown> {
  const child = Bun.spawn([...command, server?.baseUrl ?? '', closedUrl], {
    stdout: 'pipe',
    stderr: 'inherit',
    stdin: 'ignore',
  });
  const text = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return JSON.parse(text);
}

const expected = {
  submitted: ['ä', 'queued'],
  output: 'one, two',
  ended: [4],
  batch: ['a', 'b'],
  stdin: 2,
  listed: ['cat', 'b', 'a'],
  missing: 'not_found',
  refused: `Cannot reach a dispatcher at ${closedUrl}: the connection was refused.`,
  timeout: 'timeout',
  events: 'gap',
};

test('createClient() works on Bun', async () => {
  expect(await findingsOf([process.execPath, script])).toEqual(expected);
}, 20_000);

test.skipIf(node === null)(
  'createClient() works on Node (skipped without node)',
  async () => {
    const built = await Bun.build({ entrypoints: [script], target: 'node', outdir: folder, naming: 'client.mjs' });
    expect(built.success).toBe(true);
    expect(await findingsOf([node ?? '', join(folder, 'client.mjs')])).toEqual(expected);
  },
  20_000,
);

test('client.ts names nothing of a runtime', async () => {
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, '../../src/client/client.ts')],
    target: 'browser',
  });
  const code = await built.outputs[0]?.text();
  expect(code).toContain('createClient');
  expect(code).not.toMatch(/\bBun\b|\bprocess\b|node:|\brequire\(|zod/);
});
