/**
 * The file for 32-bit ARM does a whole job under QEMU, for a dispatcher of the file for this machine. `bun
 * run platforms armv7` tests more of it.
 */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { closeSites, openSite, type Site } from '../e2e/site.ts';
import { openArmv7File, whyNotHere } from './armv7-file.ts';
import type { PlatformFile } from './file.ts';
import { notTested } from './notices.ts';
import { isThorough } from './thorough.ts';

/** QEMU takes seconds to start it. */
setDefaultTimeout(120_000);

const whyNot = whyNotHere();
if (whyNot !== null) notTested('the file for 32-bit ARM', whyNot, 'armv7');
else if (!isThorough) notTested('more of the file for 32-bit ARM', null, 'armv7');

let file: PlatformFile | null = null;
let program: readonly string[] = [];

afterEach(closeSites);

/** A dispatcher of this machine's file, and a worker of the other. */
async function openPair(args: readonly string[] = []): Promise<Site> {
  const site = openSite();
  await site.dispatcher();
  await site.worker('pi', args, { program });
  return site;
}

const mine = (site: Site, word: string): boolean => site.processes().some(({ command }) => command.includes(word));

describe.skipIf(whyNot !== null)('the file for 32-bit ARM', () => {
  beforeAll(async () => {
    file = await openArmv7File();
    program = file.command;
  });
  afterAll(() => file?.close());

  test('does a whole job: inputs, outputs, exit status, a limit of time, a tree that is cancelled; no dispatcher', async () => {
    const site = await openPair();
    // Meanwhile, since it takes seconds too.
    const refused = site.run(['dispatcher', '--bind', '127.0.0.1', '--data-dir', site.path('none')], { program });
    const [worker] = await site.workers();
    expect(worker).toMatchObject({ name: 'pi', platform: 'linux', arch: 'arm' });
    writeFileSync(site.path('in.txt'), 'from here\n');
    const job = 'tr a-z A-Z < in.txt > out.txt; echo said; echo wrong >&2; exit 3';
    const { status, stdout, stderr } = await site.run(['run', '--in', 'in.txt', '--out', 'out.txt', job]);
    expect([status, stdout.toString()]).toEqual([3, 'said\n']);
    expect(stderr).toContain('wrong\n');
    expect(readFileSync(site.path('out.txt'), 'utf8')).toBe('FROM HERE\n');

    const late = await site.submit({ command: 'sleep 77001', timeout: 1 });
    const tree = await site.submit({ command: "setsid sh -c 'sleep 77002 & sleep 77003' & sleep 77004" });
    await site.until('the tree grows', () => mine(site, '77002') && mine(site, '77004'));
    await site.text(['cancel', tree]);
    await site.reached(tree, 'cancelled');
    await site.reached(late, 'timed_out');
    await site.until('nothing of them is left', () => !mine(site, '7700'));

    const refusal = await refused;
    expect(refusal.status).toBe(2);
    expect(refusal.stderr).toContain('The dispatcher does not run on this device');
    expect(refusal.stderr).toContain("here 'octaskly worker'");
  });

  test.skipIf(!isThorough)('joins by a token, drains, and has the environment of its user', async () => {
    const site = openSite();
    await site.dispatcher();
    const token = await site.text(['invite', '-o', 'quiet']);
    const place = ['--data-dir', site.path('pi'), '--port', String(site.port)];
    // A token names the addresses of this machine's networks; here it is reached by none of them.
    const env = { NODE_OPTIONS: '--require /nowhere.js', OCTASKLY_DISPATCHER: '127.0.0.1' };
    const worker = await site.worker('pi', [...place, '--join', token], { program, env });
    expect(await site.text(['run', 'echo "[$NODE_OPTIONS]"'])).toBe('[]');
    await site.submit({ command: 'sleep 1' });
    await site.text(['drain', 'pi']);
    await site.until('it has nothing to do', async () => (await site.workers())[0]?.status === 'draining');
    worker.kill('SIGTERM');
    expect((await worker.ended).status).toBe(0);
  });

  test.skipIf(!isThorough)('asks a dispatcher: run, ps, map, doctor', async () => {
    const site = await openPair();
    expect(await site.text(['run', 'echo there'], { program })).toBe('there');
    expect(await site.text(['ps'], { program })).toContain('echo there');
    const lines = await site.text(['map', '-k', 'echo {}', ':::', 'a', 'b', 'c'], { program });
    expect(lines.split('\n')).toEqual(['a', 'b', 'c']);
    const { stdout } = await site.run(['doctor', 'sandbox'], { program });
    expect(stdout.toString()).toContain('32-bit ARM');
    const terminal = { columns: 80, rows: 24, term: 'xterm' };
    const wanting = await site.submit({ command: 'tty', stdin: { stream: true }, terminal });
    expect(JSON.stringify(await site.reached(wanting, 'final'))).toContain('the worker has no terminals');
  });

  test.skipIf(!isThorough)('leaves nothing of its tasks when it is killed', async () => {
    const site = await openPair();
    const [emulated] = site.processes().filter(({ command }) => command.includes(' worker '));
    await site.submit({ command: "setsid sh -c 'sleep 77005' & env -i setsid sleep 77006 & sleep 77007" });
    await site.until('they run', () => ['77005', '77007'].every((word) => mine(site, word)));
    process.kill(emulated?.pid ?? 0, 'SIGKILL');
    await site.until('they have ended', () => !mine(site, '7700'));
  });
});
