/**
 * The dashboard of the compiled file as people use it all day: in many windows at once, with output that comes faster than a
 * page draws, by keyboard, with files of odd names, in places that are not there. Needs Chromium, as `dashboard.test.ts` does.
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import type { Browser, Page } from 'playwright-core';
import { chromiumPath, openBrowser } from './browser.ts';
import { closeSites, openSite, type Site } from './site.ts';
import { go, openPage, patience } from './watched-page.ts';

if (chromiumPath === null) console.warn('not tested: the dashboard in use, as Chromium is not installed');

let browser: Browser;

async function submit(site: Site, command: string, more: object = {}): Promise<string> {
  const { body } = await site.call<{ id: string }>('POST', '/api/v1/tasks', { command, ...more });
  return body.id;
}

/** The longest time in ms for which the page drew nothing while `action` went on. */
async function longestPause(page: Page, action: () => Promise<void>): Promise<number> {
  await page.evaluate(() => {
    const seen = { longest: 0 };
    Object.assign(window, { seen });
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) seen.longest = Math.max(seen.longest, duration);
    }).observe({ type: 'longtask' });
  });
  await action();
  return page.evaluate(() => (window as unknown as { seen: { longest: number } }).seen.longest);
}

const focused = (page: Page): Promise<string> =>
  page.evaluate(() => document.activeElement?.textContent?.trim() || document.activeElement?.id || 'nothing');

describe.skipIf(chromiumPath === null)('the dashboard in use', () => {
  beforeAll(async () => {
    browser = await openBrowser();
  }, 60_000);
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await closeSites();
  }, 20_000);
  afterAll(() => browser.close(), 20_000);

  test('shows live output in eight windows of one browser at once, and looks close at its time line by keyboard', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('w1');
    const id = await submit(site, 'i=0; while sleep 0.2; do i=$((i+1)); echo "line $i"; done');
    const { page } = await openPage(browser, site.url);
    const pages = [page];
    for (let at = 0; at < 7; at++) pages.push(await page.context().newPage());
    await Promise.all(pages.map((each) => each.goto(`${site.url}/#/tasks/${id}`)));
    for (const each of pages) await each.getByLabel('stdout of the task').getByText('line 3').waitFor(patience);
    await page.bringToFront();
    await go(page, 'timeline');
    const picture = page.locator('canvas');
    await picture.focus(patience);
    await page.waitForFunction(() => document.querySelector('canvas')?.ariaLabel?.startsWith('1 attempts'));
    await page.keyboard.press('+');
    await page.getByRole('button', { name: 'Back to now' }).waitFor(patience);
    await page.keyboard.press('Escape');
    await page.keyboard.press('End');
    await page.locator('.picked').getByText('running on w1').waitFor(patience);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Cancel' }).click(patience);
    await page.getByRole('button', { name: 'Submit again' }).waitFor(patience);
    await page.getByText('all of it').waitFor(patience);
  }, 60_000);

  test('draws on while a task writes more than anybody reads, and says what was discarded', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('w1');
    const { page, complaints } = await openPage(browser, site.url);
    const write =
      'sleep 1; seq 1000000; head -c 3000000 /dev/zero | tr "\\0" x; echo; printf "\\033[38;5;208mthe end\\033[0m\\n"';
    await go(page, `tasks/${await submit(site, write, { max_output: 20_000_000 })}`);
    const output = page.getByLabel('stdout of the task');
    const pause = await longestPause(page, () => output.getByText('the end').waitFor(patience));
    expect(pause).toBeLessThan(400);
    expect(await output.getByText('the end').evaluate((element) => getComputedStyle(element).color)).toBe(
      'rgb(255, 135, 0)',
    );
    expect((await output.textContent())?.length).toBeLessThan(700_000);
    await page.getByText('The end of').waitFor(patience);
    await go(page, `tasks/${await submit(site, 'seq 1000', { max_output: 100 })}`);
    await page.getByText('3,793 bytes beyond the limit of 100 B').waitFor(patience);
    expect(complaints).toEqual([]);
  }, 60_000);

  test('says that its session has ended, once and at once, also beside others that guess', async () => {
    const site = openSite();
    await site.dispatcher(['--require-auth', 'true', '--api-bind', '127.0.0.1']);
    const secret = await site.text(['token', 'create', '--name', 'ops', '--role', 'dispatcher', '-o', 'quiet']);
    const { page } = await openPage(browser, site.url);
    await page.getByLabel('Token').fill(secret, patience);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('slots in use').waitFor(patience);
    const refused: string[] = [];
    page.on('response', (response) => {
      if (response.status() >= 400) refused.push(new URL(response.url()).pathname);
    });
    await site.text(['token', 'revoke', 'ops']);
    const guess = { authorization: 'Bearer guess' };
    for (let n = 0; n < 20; n++) await site.call('GET', '/api/v1/whoami', undefined, guess);
    const reason = page.getByText('The session has ended: sign in again.');
    await reason.waitFor(patience);
    await Bun.sleep(1500);
    expect(await reason.isVisible()).toBe(true);
    // Nothing but what was under way when it was noticed, and then one question every two seconds.
    expect(refused.filter((path) => path !== '/api/v1/session').length).toBeLessThan(5);
  }, 60_000);

  test('goes by the clock of the dispatcher, and shows a command of several lines, to be reached by keyboard', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('a-worker-whose-name-is-longer-than-its-place-in-the-time-line');
    const id = await submit(site, `sleep 300 &\nwait # ${'x'.repeat(5000)}`);
    const { page, complaints } = await openPage(browser, site.url);
    await page.context().addInitScript(() => {
      const { now } = Date;
      Date.now = () => now() + 7_200_000;
    });
    await page.reload();
    await page.getByText('slots in use').waitFor(patience);
    await go(page, 'workers');
    await page.getByText(/seen (now|\d+ s ago)/).waitFor(patience);
    await go(page, 'timeline');
    await page.getByText('The last 1 as a table').waitFor(patience);
    await go(page, `tasks/${id}`);
    const command = page.locator('pre.command');
    await command.waitFor(patience);
    expect(await command.textContent()).toStartWith('sleep 300 &\nwait');
    await command.focus();
    expect(await command.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.getByText('Submitted').waitFor(patience);
    expect(await page.getByText(/2 h ago/).count()).toBe(0);
    expect(complaints).toEqual([]);
    await site.call('DELETE', `/api/v1/tasks/${id}`);
  }, 60_000);

  test('keeps the focus where one works, and asks before it shuts a worker out', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('w1');
    const { page } = await openPage(browser, site.url);
    const pressed = page.getByRole('button', { name: 'Pause dispatching' });
    await pressed.focus(patience);
    await page.keyboard.press('Enter');
    await page.getByText('until “Resume dispatching” is pressed').waitFor(patience);
    expect(await focused(page)).toBe('Resume dispatching');
    await go(page, 'workers');
    await page.getByRole('button', { name: 'Kick' }).focus(patience);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'No', exact: true }).waitFor(patience);
    expect(await focused(page)).toBe('No');
    await page.keyboard.press('Escape');
    expect(await focused(page)).toBe('Kick … w1');
    await go(page, 'submit');
    await page.getByRole('button', { name: 'Submit' }).focus(patience);
    await page.keyboard.press('Enter');
    await page.getByText('must not be empty').waitFor(patience);
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('f-command');
    for (const [place, text] of [
      ['nowhere', 'There is no page “#/nowhere”.'],
      ['tasks?status=bogus', 'There is no state “bogus”'],
    ] as const) {
      await go(page, place);
      await page.getByText(text).waitFor(patience);
    }
    await page.getByLabel('Beginning of the id').pressSequentially('zz');
    await page.waitForFunction(() => location.hash.includes('id=zz'));
    await submit(site, 'true', { name: 'film & ü +1' });
    await submit(site, 'true', { name: 'film & ü' });
    await go(page, 'tasks');
    await page.getByText('2 in all').waitFor(patience);
    await page.getByLabel('Words of name or command').pressSequentially('+1 & FILM');
    await page.getByText('1 in all').waitFor(patience);
    await page.reload();
    await page.getByText('1 in all').waitFor(patience);
    await page.getByText('film & ü +1').waitFor(patience);
  }, 60_000);

  test('sends a file whatever its name, and tells how far it has come', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('w1');
    const { page } = await openPage(browser, site.url);
    await go(page, 'submit');
    await page.getByLabel('Command').fill('cat ./*', patience);
    // From the disk: what a test hands over goes through the debugger, which takes longer than the sending.
    const [odd, large] = [site.path('say "%22".txt'), site.path('large')];
    await Promise.all([Bun.write(odd, 'odd\n'), Bun.write(large, new Uint8Array(30 * 1024 * 1024))]);
    await page.getByLabel('Files to send along').setInputFiles([odd, large]);
    const device = await page.context().newCDPSession(page);
    const speed = { offline: false, latency: 0, downloadThroughput: -1 };
    await device.send('Network.enable');
    await device.send('Network.emulateNetworkConditions', { ...speed, uploadThroughput: 4 * 1024 * 1024 });
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByRole('button', { name: /Sending [1-9]/ }).waitFor(patience);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Not sent: it was cancelled.').waitFor(patience);
    await page.getByLabel('Files to send along').setInputFiles([odd]);
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByLabel('stdout of the task').getByText('odd').waitFor(patience);
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('content');
  }, 60_000);
});
