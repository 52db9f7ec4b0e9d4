/**
 * Web pages of strangers against a dispatcher on the browser's own machine, with its defaults: they can do nothing and
 * see nothing. Needs Chromium; without it these tests are skipped, and say so.
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import type { WorkerView } from '../../src/api/schemas.ts';
import {
  attacks,
  chromiumPath,
  openBrowser,
  serveOpenly,
  serveStranger,
  type Target,
  type WebServer,
} from './browser.ts';
import { closeSites, openSite, type Site } from './site.ts';

if (chromiumPath === null) console.log('browser.test.ts: Chromium is not installed; pages of strangers are not tested');

/** In the name, the command and the output of the task that runs: what no page may see. */
const mark = 'only-for-the-operator';

let browser: Browser;
let stranger: WebServer;

describe.skipIf(chromiumPath === null)('a page in a browser on the same machine', () => {
  beforeAll(async () => {
    browser = await openBrowser();
    stranger = serveStranger();
  }, 60_000);
  afterEach(closeSites, 20_000);
  afterAll(async () => {
    await browser.close();
    await stranger.close();
  }, 20_000);

  test('the attacks work where nothing is protected', async () => {
    const open = serveOpenly(mark);
    try {
      const page = await pageAt(`http://evil.example:${stranger.port}/`);
      const seen = await attack(page, {
        url: `http://127.0.0.1:${open.port}`,
        bounce: bounce(),
        taskId: 'T',
        command: 'true',
      });
      for (const name of ['read', 'submit', 'change', 'connect']) expect(seen[name]?.join('\n')).toContain(mark);
      expect(seen.embed).toContain('<iframe> /api/v1/tasks: load closed');
      expect(await shownIn(page)).toContain(mark);
      const arrived = new Set(open.requests);
      for (const type of ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']) {
        expect(arrived).toContain(`POST /api/v1/tasks ${type}`);
        expect(arrived).toContain(`POST /api/v1/pause ${type}`);
      }
      const others = ['GET /api/v1/events', 'DELETE /api/v1/tasks/T application/json', 'WebSocket /api/v1/events'];
      for (const call of ['POST /api/v1/tasks application/json', ...others]) expect(arrived).toContain(call);
    } finally {
      await open.close();
    }
  }, 60_000);

  test.each([
    ['another port of this machine', (port: number) => `http://127.0.0.1:${port}/`],
    ['this machine under its name', (port: number) => `http://localhost:${port}/`],
    ['another site', (port: number) => `http://evil.example:${port}/`],
    ['nowhere (its origin is null)', () => 'data:text/html,<!doctype html><title>nowhere</title>'],
  ])(
    'of %s submits, cancels and reads nothing',
    async (_name, address) => {
      const { site, target, before } = await busySite();
      const page = await pageAt(address(stranger.port));
      const seen = await attack(page, target);
      expect(JSON.stringify(seen)).not.toContain(mark);
      expect(await shownIn(page)).not.toContain(mark);
      // Not even that there is something: no answer can be told from another.
      expect(
        Object.values(seen)
          .flat()
          .filter((line) => /: (?:basic|cors|default) /.test(line)),
      ).toEqual([]);
      await untouched(site, target, before);
    },
    60_000,
  );

  test('that is left by sending a form submits nothing', async () => {
    const { site, target, before } = await busySite();
    for (const enctype of ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']) {
      const page = await pageAt(`http://evil.example:${stranger.port}/`);
      const arrival = page.waitForResponse(`${target.url}/**`);
      await page.evaluate(
        ([action, enctype, command]) => {
          const form = document.createElement('form');
          Object.assign(form, { method: 'POST', action, enctype });
          const field = document.createElement('input');
          field.name = enctype === 'text/plain' ? `{"command":${JSON.stringify(command)},"name":"` : 'command';
          field.value = enctype === 'text/plain' ? '"}' : command;
          form.append(field);
          document.body.append(form);
          form.submit();
        },
        [`${target.url}/api/v1/tasks`, enctype, target.command] as const,
      );
      expect((await arrival).status()).toBe(403);
    }
    await untouched(site, target, before);
  }, 60_000);

  test.each(['rebind.example', 'localhost.rebind.example', '127.0.0.1.rebind.example'])(
    'whose name %s was pointed at this machine (DNS rebinding) submits, cancels and reads nothing',
    async (name) => {
      const { site, target, before } = await busySite();
      const url = `http://${name}:${site.apiPort}`;
      const page = await impostorAt(`${url}/`);
      const seen = await attack(page, { ...target, url });
      const answered = Object.values(seen)
        .flat()
        .filter((line) => / basic \d+ /.test(line));
      // To the browser the API is the page's own server: the answers can be read. All that is in them is the refusal.
      expect(answered.length).toBeGreaterThan(20);
      for (const line of answered) expect(line).toMatch(/ basic 403 .*does not answer for the host/);
      expect(JSON.stringify(seen)).not.toContain(mark);
      expect(await shownIn(page)).not.toContain(mark);
      await untouched(site, target, before);
    },
    60_000,
  );

  test('under a name the operator allowed is no stranger', async () => {
    const { site, target } = await busySite(['--allow-host', 'friend.example']);
    const url = `http://friend.example:${site.apiPort}`;
    const seen = await attack(await impostorAt(`${url}/`), { ...target, url }, ['read', 'change']);
    expect(seen.read?.join('\n')).toContain(mark);
    expect(seen.read?.filter((line) => line.includes('/api/v1/tasks no-cors: basic 200'))).toHaveLength(1);
    await site.reached(target.taskId, 'cancelled');
  }, 60_000);

  test('of an allowed origin reads, submits and cancels; of any other, also of the same host, it does not', async () => {
    const friend = `http://friend.example:${stranger.port}`;
    const { site, target } = await busySite(['--allow-origin', friend]);
    for (const origin of [
      `http://evil.example:${stranger.port}`,
      `http://friend.example.evil.example:${stranger.port}`,
    ]) {
      const seen = await attack(await pageAt(`${origin}/`), target, ['read', 'change']);
      expect(JSON.stringify(seen)).not.toContain(mark);
    }
    const other = serveStranger();
    try {
      const seen = await attack(await pageAt(`http://friend.example:${other.port}/`), target, ['read', 'change']);
      expect(JSON.stringify(seen)).not.toContain(mark);
    } finally {
      await other.close();
    }
    expect((await site.task(target.taskId)).status).toBe('running');

    const page = await pageAt(`${friend}/`);
    const read = (await attack(page, target, ['read'])).read?.join('\n');
    expect(read).toContain(`GET /api/v1/tasks cors: cors 200 {`);
    expect(read).toContain(mark);
    const statuses = await page.evaluate(async ({ url, taskId }) => {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ command: 'true', name: 'by-a-friend' });
      const submitted = await fetch(`${url}/api/v1/tasks`, { method: 'POST', headers, body });
      const cancelled = await fetch(`${url}/api/v1/tasks/${taskId}`, { method: 'DELETE' });
      const missing = await fetch(`${url}/api/v1/tasks/nothing-like-it`);
      return [submitted.status, cancelled.status, missing.status];
    }, target);
    expect(statuses).toEqual([201, 202, 404]);
    await site.reached(target.taskId, 'cancelled');
    expect((await site.allTasks()).map(({ name }) => name)).toContain('by-a-friend');
  }, 60_000);

  test('answers carry CORS headers for allowed origins alone', async () => {
    const { site } = await busySite();
    const plain = await corsHeaders(site, 'http://friend.example');
    expect(plain).toEqual([]);
    await closeSites();
    const { site: open } = await busySite(['--allow-origin', 'http://friend.example']);
    expect(await corsHeaders(open, 'http://evil.example')).toEqual([]);
    expect(await corsHeaders(open, 'null')).toEqual([]);
    const allowed = await corsHeaders(open, 'http://friend.example');
    expect(allowed).toContain('access-control-allow-origin: http://friend.example');
    expect(allowed.join('\n')).not.toContain('access-control-allow-credentials');
  }, 60_000);
});

/** An address that redirects to what follows it. */
function bounce(): string {
  return `http://evil.example:${stranger.port}/?to=`;
}

/** A page of the stranger's server, or of no server. */
async function pageAt(url: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(url);
  return page;
}

/** A page that came from its own server before its name was pointed at the API: what it asks for now goes there. */
async function impostorAt(url: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.route(url, (route) =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>x</title>' }),
  );
  await page.goto(url);
  await page.unroute(url);
  return page;
}

/** Tries everything, or what is named; what the page saw, by attack. */
async function attack(
  page: Page,
  target: Target,
  which: readonly string[] = Object.keys(attacks),
): Promise<Record<string, string[]>> {
  const seen: Record<string, string[]> = {};
  for (const [name, run] of Object.entries(attacks)) {
    if (which.includes(name)) seen[name] = await page.evaluate(run, target);
  }
  return seen;
}

/** The text in all frames of a page, which its user might see and the page itself cannot read. */
async function shownIn(page: Page): Promise<string> {
  const texts = page.frames().map((frame) => frame.evaluate('document.documentElement.textContent').catch(() => ''));
  return (await Promise.all(texts)).join('\n');
}

interface Facts {
  readonly tasks: readonly string[];
  readonly paused: boolean;
  readonly workers: readonly Pick<WorkerView, 'name' | 'status'>[];
}

async function factsOf(site: Site): Promise<Facts> {
  return {
    tasks: (await site.allTasks()).map(({ id, status }) => `${id} ${status}`),
    paused: (await site.stats()).paused,
    workers: (await site.workers()).map(({ name, status }) => ({ name, status })),
  };
}

/** A dispatcher and a worker that runs a task. */
async function busySite(args: readonly string[] = []): Promise<{ site: Site; target: Target; before: Facts }> {
  const site = openSite();
  await site.dispatcher(args);
  await site.worker('a');
  const taskId = await site.submit({ name: mark, command: `echo ${mark}; exec sleep 600` });
  await site.reached(taskId, 'running');
  const target = { url: site.url, bounce: bounce(), taskId, command: `touch ${site.path('harmed')}` };
  return { site, target, before: await factsOf(site) };
}

/** Asserts that the site is as it was: nothing came, nothing went, nothing is stopped. */
async function untouched(site: Site, target: Target, before: Facts): Promise<void> {
  expect(await factsOf(site)).toEqual(before);
  // A task of a page would have run before one that is submitted now.
  await site.text(['run', 'true']);
  expect(existsSync(site.path('harmed'))).toBe(false);
  expect((await site.task(target.taskId)).status).toBe('running');
}

/** CORS headers on a read, a refusal and a preflight of a page of `origin`. */
async function corsHeaders(site: Site, origin: string): Promise<string[]> {
  const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };
  const answers = await Promise.all([
    fetch(`${site.url}/api/v1/tasks`, { headers: { origin } }),
    fetch(`${site.url}/api/v1/tasks/nothing-like-it`, { headers: { origin } }),
    fetch(`${site.url}/api/v1/tasks`, { method: 'OPTIONS', headers: { origin, ...preflight } }),
  ]);
  return answers
    .flatMap(({ headers }) => [...headers].map(([name, value]) => `${name}: ${value}`))
    .filter((line) => line.startsWith('access-control-'));
}
