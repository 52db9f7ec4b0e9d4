/**
 * The dashboard of the compiled file in a real terminal emulator: tmux, which is told which keys to press and asked what
 * stands on its screen. Without tmux these tests are skipped, and say so.
 */

import { afterEach, describe, expect, test } from 'bun:test';
import { executable } from './executable.ts';
import { closePanes, Pane, startUi, tmux } from './pane.ts';
import { closeSites, openSite, until } from './site.ts';

if (tmux === null) console.log('tui.test.ts: tmux is not installed; the dashboard is not tested in a terminal');

afterEach(async () => {
  await closePanes();
  await closeSites();
});

/** From the list of tasks: narrows it to the cancelled one, goes elsewhere and back by mouse, opens the failed one. */
async function filterAndClick(pane: Pane, { failed, endless }: { failed: string; endless: string }): Promise<void> {
  pane.press('/');
  pane.type('cancelled');
  await pane.shows('Filter: cancelled');
  pane.press('Enter');
  await pane.shows(endless);
  await until('only the cancelled one is left', () => !pane.text().includes('broken'));

  pane.click(pane.lines()[1]?.indexOf('Workers') ?? 0, 1);
  await pane.shows('1 of 1');
  pane.press('3');
  await pane.shows('Filter: cancelled');
  pane.press('Escape');
  await pane.shows('broken');
  const row = pane.lines().findIndex((line) => line.includes(failed));
  pane.click(20, row, 2);
  await pane.shows(`Task ${failed}  failed`);
  await pane.shows(/^ err$/m);
}

/** Makes the window larger while a task is open, and goes back to the list. */
async function resize(pane: Pane): Promise<void> {
  pane.resize(132, 43);
  await until('the rule is as wide as the window', () => pane.lines()[2] === '─'.repeat(132));
  pane.press('Escape');
  await pane.shows(/PRIO +WORKER +NAME +COMMAND/);
}

describe.skipIf(tmux === null)('octaskly ui in a terminal', () => {
  test('shows workers and tasks as they change, and obeys keys, mouse and window', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('attic-pi', ['--max-jobs', '2']);
    const pane = new Pane(site);
    await startUi(pane);
    await pane.shows(/there +1 online/);
    expect(pane.lines()[0]).toMatch(new RegExp(`^ octaskly  ${site.url} +up \\d+s  v\\d`));
    expect(pane.lines()[1]).toBe(' 1 Overview  2 Workers  3 Tasks  4 Logs  5 Approvals');

    const failed = await site.submit({ command: 'echo out; echo err >&2; exit 3', name: 'broken' });
    await pane.shows(/failed +1 /);
    const endless = await site.submit({ command: 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.1; done' });
    await pane.shows(/running +1 /);
    await pane.shows('1 of 2 used');

    pane.press('2');
    await pane.shows(/attic-pi +online +██░░ 1\/2/);
    pane.press('Tab');
    await pane.shows(new RegExp(`failed +${failed} +3 .* attic-pi +broken: echo out`));

    // The newest is selected; Enter opens it, and its output comes as it is written.
    pane.press('Enter');
    await pane.shows(`Task ${endless}  running  attempt 1`);
    await pane.shows(/line 20$/m);
    pane.press('Escape');
    await pane.shows('All tasks, newest first');

    pane.press('c');
    await pane.shows(`Cancel task ${endless}? y/n`);
    pane.press('n');
    pane.press('c', 'y');
    await pane.shows(new RegExp(`cancelled +${endless}`));
    await site.reached(endless, 'cancelled');

    pane.press('j', 'e');
    await pane.shows(`Task ${failed} is failed`);
    // A key right behind an Escape would be taken for the same key with Alt.
    pane.press('Escape');
    await pane.shows('All tasks, newest first');
    pane.press('r');
    await pane.shows(/Submitted again as task \w+/);
    await site.until('the task ran again', async () => (await site.stats()).tasks.failed === 2);

    await filterAndClick(pane, { failed, endless });
    await resize(pane);
    pane.press('?');
    await pane.shows('Ctrl-C');
    pane.press('x', 'q');
    await pane.shows('status=0');
  }, 90_000);

  test('sorts, marks and retries several tasks, drains a worker, and tells what happened', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.worker('attic-pi', ['--max-jobs', '2']);
    const pane = new Pane(site, { columns: 120, rows: 40 });
    await startUi(pane);
    for (const name of ['beta', 'alpha', 'gamma']) await site.submit({ command: 'false', name });
    await pane.shows(/failed +3 /);
    const names = () => pane.lines().flatMap((line) => /(alpha|beta|gamma)/.exec(line)?.[0] ?? []);
    pane.press('3');
    await until('newest first', () => names().join() === 'gamma,alpha,beta', { details: () => pane.text() });
    pane.press('s', 's', 's', 's', 's', 's');
    await pane.shows('All tasks, by name  1 of 3');
    await until('by name', () => names().join() === 'alpha,beta,gamma', { details: () => pane.text() });
    pane.press('Space', 'Space');
    await pane.shows('2 marked');
    pane.press('r');
    await pane.shows('Submit 2 marked tasks again? y/n');
    pane.press('y');
    await site.until('two ran again', async () => (await site.stats()).tasks.failed === 5);

    pane.press('2', 'd');
    await pane.shows('Drain attic-pi:');
    pane.press('y');
    await pane.shows(/attic-pi +draining/);
    pane.press('Enter');
    await pane.shows('Worker attic-pi  draining');
    pane.press('d', 'y');
    await pane.shows('Worker attic-pi  online');
    pane.press('4');
    await pane.shows(/error task \w+ failed on attic-pi/);
    await pane.shows(/info {2}worker attic-pi draining/);
    pane.press('/');
    pane.type('draining');
    pane.press('Enter');
    await until('only that is left', () => !pane.text().includes('failed on'));
    pane.press('q');
    await pane.shows('status=0');
  }, 60_000);

  test('is the face of dispatcher --ui: shows its log, lets a device in, and ends with it', async () => {
    const site = openSite();
    const pane = new Pane(site);
    const before = await pane.state();
    const ports = `--bind 127.0.0.1 --port ${site.port} --api-port ${site.apiPort}`;
    pane.type(`clear; OCTASKLY_DISCOVERY=false ${await executable()} dispatcher --ui ${ports}; echo "status=$?"\n`);
    await pane.shows('1 Overview');
    pane.press('4');
    await pane.shows('dispatcher ready');
    expect(pane.lines()[0]).toStartWith(' octaskly');
    const elsewhere = { env: { HOME: site.path('elsewhere') } };
    const phone = await site.start(['worker', '--port', `${site.port}`, '--name', 'phone'], elsewhere);
    await pane.shows('5 Approvals (1)');
    pane.press('5');
    await pane.shows(/\d{3} \d{3} phone/);
    const code = /(\d{3} \d{3}) phone/.exec(pane.text())?.[1] ?? '';
    expect(phone.log()).toContain(code);
    pane.press('a');
    await pane.shows(`Does phone show ${code}? Let it in? y/n`);
    pane.press('y');
    await pane.shows('phone may join now.');
    await site.until('it joined', () => phone.log().includes('Joined the dispatcher'));
    pane.press('2');
    await pane.shows(/phone +online/);
    pane.press('4');
    await pane.shows('device phone was let in');
    pane.press('q');
    await pane.shows('Stop the dispatcher? Tasks that run go on at their workers. y/n');
    pane.press('n', 'q', 'y');
    await pane.shows('status=0');
    expect(await pane.state()).toEqual(before);
  }, 60_000);

  test('shows a client its own tasks, and says why there is no more', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.submit({ command: 'true', name: 'of-the-owner' });
    const token = await site.text(['token', 'create', '--name', 'ann', '--role', 'client', '-o', 'json']);
    const { token: secret } = JSON.parse(token) as { token: string };
    const pane = new Pane(site, { env: { OCTASKLY_TOKEN: secret } });
    await startUi(pane);
    await pane.shows('Your token has the role client');
    await site.run(['submit', 'true', '--name', 'of-ann'], { env: { OCTASKLY_TOKEN: secret } });
    await pane.shows(/queued +1$/m);
    pane.press('3');
    await pane.shows('of-ann');
    expect(pane.text()).not.toContain('of-the-owner');
    pane.press('2');
    await pane.shows('Workers, queue and approvals need the role');
    await site.worker('attic-pi');
    pane.press('3');
    await pane.shows(/completed .* attic-pi +of-ann/);
    pane.press('Enter');
    await pane.shows('worker attic-pi');
    pane.press('Escape', '4');
    await pane.shows(/completed on attic-pi/);
    pane.press('q');
    await pane.shows('status=0');
  }, 60_000);

  test('finds tasks by words, and marks and ends none of those that were listed before', async () => {
    const site = openSite();
    await site.dispatcher();
    const id = await site.submit({ command: 'sleep 60', name: 'film-cut' });
    await site.submit({ command: 'true', name: 'sound' });
    const pane = new Pane(site);
    await startUi(pane);
    pane.press('3');
    await pane.shows('film-cut');
    pane.press('/');
    pane.type('worker:nobody');
    pane.press('Enter');
    await pane.shows('None fits the filter');
    pane.press('*', 'c', 'y', '/');
    pane.type(' batch:1');
    pane.press('Enter');
    await pane.shows('batch: wants an id of 12 characters, not "1".');
    pane.press('Escape');
    expect((await site.stats()).tasks.cancelled).toBe(0);
    pane.press('Escape');
    await pane.shows('All tasks, newest first');
    pane.press('/');
    pane.type('FILM sleep');
    pane.press('Enter');
    await pane.shows('Filter: FILM sleep');
    await pane.shows(id);
    expect(pane.text()).not.toContain('sound');
    pane.press('q');
    await pane.shows('status=0');
  }, 60_000);

  test('takes no pasted text for keys, an Escape and a quick key for two, and shows another list at once', async () => {
    const site = openSite();
    await site.dispatcher();
    await site.submit({ command: 'sleep 60', name: 'film cyclops' });
    const pane = new Pane(site);
    await startUi(pane);
    pane.press('3', 's');
    await pane.shows('film cyclops');
    pane.paste('echo cyclops\ncy\n');
    await pane.shows('Pasted text is no keys here');
    // Together, as over a slow line: no Alt-/.
    pane.type('\u001b/');
    await pane.shows('Filter:');
    pane.paste('CYCLOPS\r\nfilm');
    await pane.shows('Filter: CYCLOPS film');
    pane.press('Enter');
    await pane.shows(/Filter: CYCLOPS film, by state +1 of 1/);
    const from = performance.now();
    pane.press('Escape');
    await pane.shows(/All tasks, by state +1 of 1/);
    expect(performance.now() - from).toBeLessThan(2500);
    expect((await site.stats()).tasks.cancelled).toBe(0);
    pane.press('q');
    await pane.shows('status=0');
  }, 60_000);

  test('says why its token does not count any more, and does not go on guessing', async () => {
    const site = openSite();
    await site.dispatcher(['--require-auth', 'true', '--api-bind', '127.0.0.1']);
    const secret = await site.text(['token', 'create', '--name', 'ann', '--role', 'client', '-o', 'quiet']);
    const pane = new Pane(site, { env: { OCTASKLY_TOKEN: secret } });
    await startUi(pane);
    await site.text(['token', 'revoke', 'ann']);
    await pane.shows('The token was revoked. q leaves; start it again with another token.');
    expect(pane.lines()[0]).toEndWith('not let in');
    pane.press('q');
    await pane.shows('status=0');
  }, 60_000);

  test('says that the dispatcher is lost, and goes on when it is back', async () => {
    const site = openSite();
    const first = await site.dispatcher();
    const pane = new Pane(site);
    await startUi(pane);
    await pane.shows(/up \d+s/);
    first.kill('SIGKILL');
    await pane.shows('No dispatcher for ');
    expect(pane.lines()[0]).toEndWith('disconnected');
    await pane.shows(/No dispatcher for [2-9]s; trying again/);
    await site.dispatcher();
    await pane.shows('The dispatcher is back.');
    await site.submit({ command: 'true' });
    await pane.shows(/queued +1 /);
    expect(pane.lines()[0]).toMatch(/up \d+s/);
    pane.press('q');
    await pane.shows('status=0');
  }, 60_000);
});

test('octaskly ui is refused without a terminal, and without a dispatcher', async () => {
  const site = openSite();
  const { status, stdout, stderr } = await site.run(['ui']);
  expect([status, stdout.toString()]).toEqual([2, '']);
  expect(stderr).toMatch(/^octaskly: The dashboard needs a terminal, and standard output is none\. .*\n$/);
  if (tmux === null) return;
  const pane = new Pane(site);
  pane.type(`clear; ${await executable()} ui; echo "status=$?"\n`);
  await pane.shows('status=1');
  expect(pane.text().replaceAll('\n', '')).toContain('Cannot reach a dispatcher');
  pane.type(`clear; ${await executable()} ui </dev/null; echo "status=$?"\n`);
  await pane.shows('status=2');
  expect(pane.text().replaceAll('\n', '')).toContain('standard input is none');
}, 30_000);
