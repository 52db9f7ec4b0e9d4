/** A page of the dashboard in a browser, and what it complained of. */

import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

const wide = { width: 1280, height: 800 };
/** For what comes within moments, on a machine that is busy with other tests. */
export const patience = { timeout: 15_000 };

/** A page, and what it complained of: errors, refusals of its policy, requests to anywhere else. */
export interface Watched {
  readonly page: Page;
  readonly complaints: string[];
}

/** The page at `url` in a context of its own. */
export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ viewport: wide, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    const asked = request.url();
    if (!asked.startsWith(`${url}/`) && !asked.startsWith('data:')) complaints.push(`asked for ${asked}`);
  });
  await page.goto(`${url}/`);
  return { page, complaints };
}

/** Shows another part of the page. */
export async function go(page: Page, part: string): Promise<void> {
  await page.evaluate((fragment) => {
    location.hash = fragment;
  }, `#/${part}`);
}
