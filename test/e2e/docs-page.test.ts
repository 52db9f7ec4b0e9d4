/**
 * `/docs` of the compiled file in a browser: it shows the description, loads nothing from elsewhere, keeps to the policy of
 * pages, and tries calls with a token typed in. Needs Chromium; without it these tests are skipped, and say so.
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import type { Browser, Page } from 'playwright-core';
import { chromiumPath, openBrowser } from './browser.ts';
import { closeSites, openSite, type Site } from './site.ts';

if (chromiumPath === null) console.warn('not tested: /docs in a browser, as Chromium is not installed');

const patience = { timeout: 15_000 };
let site: Site;
let browser: Browser;
let page: Page;
let complaints: string[];

/** Opens the page, and notes what it complains of: errors, refusals of its policy, requests to anywhere else. */
async function open(): Promise<void> {
  page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
  complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    const isOwn = request.url().startsWith(`${site.url}/`) || /^(data:|blob:)/.test(request.url());
    if (!isOwn) complaints.push(`asked for ${request.url()}`);
  });
  await page.goto(`${site.url}/docs`);
  await page.waitForSelector('.opblock-summary', patience);
}

/** Tries the operation as it stands on the page; the text of what it shows of the answer. */
async function tried(id: string): Promise<string> {
  const operation = page.locator(`#operations-${id}`);
  await operation.locator('.opblock-summary-control').click();
  await operation.locator('.execute').click(patience);
  const answer = operation.locator('.live-responses-table .response').last();
  await answer.waitFor(patience);
  return (await answer.textContent()) ?? '';
}

function token(name: string): Promise<string> {
  return site.text(['token', 'create', '--role', 'client', '--name', name, '--data-dir', site.dataDir]);
}

describe.skipIf(chromiumPath === null)('/docs', () => {
  beforeAll(async () => {
    site = openSite();
    await site.dispatcher(['--require-auth', 'true']);
    browser = await openBrowser();
    await open();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await closeSites();
  }, 30_000);

  afterEach(() => expect(complaints).toEqual([]));

  test('shows every operation, from here alone and within the policy', async () => {
    const { paths } = await site.get<{ paths: Record<string, object> }>('/openapi.json');
    const operations = Object.values(paths).flatMap((methods) => Object.keys(methods));
    expect(await page.locator('.opblock-summary').count()).toBe(operations.length);
  });

  test('tries a call as who is signed in to the dashboard', async () => {
    await page.evaluate(
      async (shown) => {
        const headers = { 'content-type': 'application/json' };
        await fetch('/api/v1/session', { method: 'POST', headers, body: JSON.stringify({ token: shown }) });
      },
      await token('guest'),
    );
    expect(await tried('access-showSession')).toContain('"by": "cookie"');
  }, 30_000);

  test('tries a call with a token typed in, as whom it is for', async () => {
    await page.click('.btn.authorize');
    await page
      .locator('.auth-container input')
      .first()
      .fill(await token('reader'));
    await page.locator('.auth-btn-wrapper .authorize').first().click();
    await page.locator('.auth-btn-wrapper .btn-done').first().click();
    expect(await tried('tasks-createTask')).toMatch(/^201.*"owner": "reader"/s);
  }, 30_000);
});
