/**
 * The dashboard of the compiled file in a browser: signing in and out, every part of the page, a task from the form to
 * its live output and its end, a device let in; what axe finds, in light, dark and on a phone; what is loaded and from
 * where; many tasks. Needs Chromium; without it these tests are skipped, and say so.
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { chromiumPath, openBrowser } from './browser.ts';
import { closeSites, openSite, type Site } from './site.ts';
import { go, openPage, patience } from './watched-page.ts';

if (chromiumPath === null) console.warn('not tested: the dashboard in a browser, as Chromium is not installed');

const parts = ['overview', 'timeline', 'workers', 'tasks', 'batches', 'devices', 'submit', 'audit'];

let browser: Browser;

/** What axe finds that is serious, as `rule: element`. Run by the debugger, which the policy of the page does not bind. */
async function findings(page: Page): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe.source);
  const { violations } = await page.evaluate<import('axe-core').AxeResults>(
    "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })",
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 120)}`));
}

async function token(site: Site, name: string, role: string): Promise<string> {
  return site.text(['token', 'create', '--name', name, '--role', role, '-o', 'quiet']);
}

async function signIn(page: Page, secret: string): Promise<void> {
  await page.getByLabel('Token').fill(secret, patience);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

describe.skipIf(chromiumPath === null)('the dashboard', () => {
  beforeAll(async () => {
    browser = await openBrowser();
  }, 60_000);
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await closeSites();
  }, 20_000);
  afterAll(() => browser.close(), 20_000);

  test('takes a token, keeps it where no script reads it, and forgets it', async () => {
    const site = openSite();
    await site.dispatcher(['--require-auth', 'true', '--api-bind', '127.0.0.1']);
    const [mine, others] = [await token(site, 'ann', 'client'), await token(site, 'ops', 'admin')];
    await site.call(
      'POST',
      '/api/v1/tasks',
      { command: 'true', name: 'not for ann' },
      { authorization: `Bearer ${others}` },
    );
    const { page } = await openPage(browser, site.url);
    await signIn(page, 'nonsense');
    await page.getByRole('alert').getByText('not valid').waitFor(patience);
    await signIn(page, mine);
    await page.getByRole('link', { name: 'Tasks' }).click(patience);
    expect(await page.getByRole('navigation').getByRole('link').allTextContents()).toEqual([
      ...['Timeline', 'Tasks', 'Batches', 'Submit'],
    ]);
    await page.getByText('No task fits.').waitFor(patience);
    await site.worker('attic-pi');
    await site.call('POST', '/api/v1/tasks', { command: 'true' }, { authorization: `Bearer ${mine}` });
    await page.getByRole('row').getByText('attic-pi').waitFor(patience);
    await page.getByRole('link', { name: 'Timeline' }).click();
    await page.getByText('The last 1 as a table').click(patience);
    await page.getByRole('cell', { name: 'attic-pi' }).waitFor(patience);
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', value: mine, path: '/' });
    expect(await page.evaluate(() => document.cookie + JSON.stringify(localStorage))).toBe('{}');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor(patience);
    expect(await page.context().cookies()).toEqual([]);
  }, 60_000);

  test('submits a task, follows its output as text, cancels it, and says what is wrong at its field', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('w1');
    const { page, complaints } = await openPage(browser, site.url);
    await go(page, 'submit');
    await page.getByLabel('Command').fill('cat note.txt; printf "\\033[31m<i>red</i>\\033[0m\\n"; sleep 600', patience);
    await page.getByLabel('Time limit').fill('-1');
    await page.getByLabel('Files to send along').setInputFiles({
      ...{ name: 'note.txt', mimeType: 'text/plain', buffer: Buffer.from('from the form\n') },
    });
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.locator('#h-timeout[role=alert]').waitFor(patience);
    // The answer of the API that it was wrong is a line in the console of every browser.
    expect(complaints.splice(0).filter((text) => !text.includes('422'))).toEqual([]);
    await page.getByLabel('Time limit').fill('900');
    await page.getByRole('button', { name: 'Submit' }).click();
    const output = page.getByLabel('stdout of the task');
    await output.getByText('from the form').waitFor(patience);
    await output.locator('.ansi-red', { hasText: '<i>red</i>' }).waitFor(patience);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Submit again' }).waitFor(patience);
    expect(await page.locator('.bar .status').first().textContent()).toBe('cancelled');
    expect(complaints).toEqual([]);
  }, 60_000);

  test('lets a device in by its code, and makes an invite with a code to scan', async () => {
    const site = openSite();
    await site.dispatcher();
    const own = ['--data-dir', site.path('other'), '--port', `${site.port}`];
    const device = await site.start(['worker', '--name', 'new-pi', ...own]);
    const { page, complaints } = await openPage(browser, site.url);
    await go(page, 'devices');
    const code = (await page.locator('.code').textContent(patience)) ?? '';
    await site.until('the device shows the code', () => device.log().replaceAll(' ', '').includes(code));
    await page.getByRole('button', { name: 'Approve new-pi' }).click();
    await site.until('the device has joined', () => device.log().includes('Joined the dispatcher'));
    await page.getByText('No device waits').waitFor(patience);
    await page.getByRole('button', { name: 'Make an invite' }).click();
    await page.getByRole('img', { name: 'QR code' }).waitFor(patience);
    expect(await page.locator('.invited .command').textContent()).toMatch(/octa\d/);
    expect(complaints).toEqual([]);
  }, 60_000);

  test('has nothing serious for axe in any part, light, dark and on a phone, and asks nobody else', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('w1', ['--label', 'room=attic']);
    const { body: batch } = await site.call<{ id: string; task_ids: string[] }>('POST', '/api/v1/batches', {
      name: 'mixed',
      tasks: ['echo one', 'exit 3', 'sleep 600', 'true'].map((command) => ({ command })),
    });
    const [one = ''] = batch.task_ids;
    const all = [...parts, `tasks/${one}`];
    const dark = ['overview', `tasks/${one}`];
    const looks: [BrowserContextOptions, visited: string[], searched: string[]][] = [
      [{ colorScheme: 'light' }, all, all],
      [{ colorScheme: 'dark' }, dark, dark],
      [{ colorScheme: 'light', viewport: { width: 360, height: 740 } }, all, ['tasks']],
    ];
    for (const [look, visited, searched] of looks) {
      const { page, complaints } = await openPage(browser, site.url, look);
      for (const part of visited) {
        await go(page, part);
        await page
          .locator('main h1')
          .first()
          .waitFor({ ...patience, state: 'attached' });
        await page.waitForFunction(() => !document.body.textContent?.includes('Reading …'));
        if (searched.includes(part)) expect([look, part, await findings(page)]).toEqual([look, part, []]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
      }
      expect(complaints).toEqual([]);
    }
    await site.call('DELETE', `/api/v1/batches/${batch.id}`);
  }, 90_000);

  test('is small and soon there, says that the dispatcher went, and finds it again', async () => {
    const site = openSite();
    const dispatcher = await site.dispatcher();
    let transferred = 0;
    const html = await (await fetch(`${site.url}/`)).text();
    expect(html).not.toMatch(/<script(?![^>]*src=)|<style|\sstyle=|\son\w+=/);
    for (const [, path = ''] of [...html.matchAll(/(?:src|href)="\.?(\/[^"]+)"/g), ['', '/']]) {
      const answer = await fetch(site.url + path, { headers: { 'accept-encoding': 'gzip' }, decompress: false });
      transferred += (await answer.arrayBuffer()).byteLength;
      expect([path, answer.headers.get('content-encoding')]).toEqual([path, 'gzip']);
    }
    expect(transferred).toBeLessThan(150_000);
    const { page } = await openPage(browser, site.url);
    await page.getByText('slots in use').waitFor(patience);
    const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
    expect(paint).toBeLessThan(1000);
    dispatcher.kill('SIGKILL');
    await dispatcher.ended;
    await page.getByRole('alert').getByText('does not answer').waitFor(patience);
    await site.dispatcher();
    await page.getByRole('alert').waitFor({ ...patience, state: 'detached' });
  }, 60_000);

  test('shows ten thousand tasks with few elements, and without long pauses', async () => {
    const site = openSite();
    await site.dispatcher();
    const tasks = Array.from({ length: 10_000 }, (_, at) => ({ command: 'true', name: `task ${at}` }));
    await site.call('POST', '/api/v1/batches', { tasks });
    const { page, complaints } = await openPage(browser, site.url);
    await go(page, 'tasks');
    await page.getByText('task 9999', { exact: true }).waitFor(patience);
    const longest = await page.evaluate(async () => {
      let pause = 0;
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) pause = Math.max(pause, duration);
      }).observe({ type: 'longtask' });
      const list = document.querySelector('.rows');
      const deadline = performance.now() + 20_000;
      const isRead = () => document.body.textContent?.includes('10,000 in all') === true;
      while (list !== null && !isRead() && performance.now() < deadline) {
        list.scrollTop = list.scrollHeight;
        await new Promise(requestAnimationFrame);
      }
      for (let at = 0; at < 60 && list !== null; at++) {
        list.scrollTop = (list.scrollHeight / 60) * at;
        await new Promise(requestAnimationFrame);
      }
      return pause;
    });
    // A busy machine of tests; a person notices from about 100 ms on.
    expect(longest).toBeLessThan(400);
    expect(await page.locator('.rows [role=row]').count()).toBeLessThan(80);
    expect(await page.getByRole('table').getAttribute('aria-rowcount')).toBe('10001');
    expect(complaints).toEqual([]);
  }, 60_000);
});
