/**
 * The file for Windows does a whole job under Wine: dispatcher, worker, command line; tasks of cmd.exe, their trees and
 * their files. What Wine cannot show is told in `docs/PLATFORMS.md`.
 */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { closeSites, openSite, type Site } from '../e2e/site.ts';
import { openFile, type PlatformFile } from './file.ts';
import { notTested } from './notices.ts';
import { isThorough } from './thorough.ts';
import { notUnderWine, openWine, pings, type Wine, whyNoWine } from './wine.ts';

setDefaultTimeout(120_000);

const whyNot = whyNoWine();
if (whyNot !== null) notTested('the file for Windows', whyNot, 'windows');
else {
  if (!isThorough) notTested('more of the file for Windows', null, 'windows');
  console.warn(`not tested: what Wine cannot show of the file for Windows: ${notUnderWine}`);
}

let file: PlatformFile | null = null;
let wine: Wine | null = null;

afterEach(closeSites);

const place = (site: Site) => ['--data-dir', wine?.path(site.path('data')) ?? ''];

/** A dispatcher and a worker of the file, and how more of it is run. */
async function openPair(args: readonly string[] = []) {
  const site = openSite();
  const options = { program: file?.command ?? [], env: { ...wine?.env } };
  await site.dispatcher(place(site), options);
  const worker = await site.worker('window', [...place(site), ...args], options);
  const run = (...words: readonly string[]) => site.run(words, options);
  return { site, worker, run };
}

/** A task with a process that has left its parents, and one that has not. */
const tree = (number: number) =>
  `start "" /b cmd /c "start /b ping -n ${number}1 127.0.0.1" & ping -n ${number}2 127.0.0.1`;
const runs = (number: number) => [1, 2].every((end) => pings(`${number}${end}`) > 0);
const isOver = (number: number) => pings(`${number}`) === 0;

async function submitTree(site: Site, number: number, timeout = 3600): Promise<string> {
  const id = await site.submit({ command: tree(number), timeout });
  await site.until('its tree has grown', () => runs(number));
  return id;
}

describe.skipIf(whyNot !== null)('the file for Windows', () => {
  beforeAll(async () => {
    wine = await openWine();
    const { command } = wine;
    file = openFile('windows-x64', (program) => [...command, program]);
  });
  afterAll(() => {
    wine?.close();
    file?.close();
  });

  test('does a whole job: inputs, outputs, streams, status; trees end with a limit, a cancellation, their main process', async () => {
    const { site, run } = await openPair();
    expect((await site.workers())[0]).toMatchObject({ name: 'window', platform: 'win32', arch: 'x64' });
    writeFileSync(site.path('in.txt'), 'from here\r\nand there\n');
    const job =
      'type in.txt > out.txt & mkdir deep & copy /y in.txt deep\\too.txt > nul & echo said& echo wrong 1>&2& exit /b 300';
    const asked = await run('run', '--in', 'in.txt', '--out', '**/*.txt', job);
    expect(asked.stdout.toString()).toBe('said\r\n');
    expect(asked.stderr).toContain('wrong');
    const [task] = await site.allTasks();
    expect(task).toMatchObject({ status: 'failed', exit_code: 300 });
    for (const name of ['out.txt', 'deep/too.txt'])
      expect(readFileSync(site.path(name), 'latin1')).toBe('from here\r\nand there\n');

    const cancelled = await submitTree(site, 7910);
    const late = await submitTree(site, 7920, 3);
    const left = await site.submit({ command: 'start "" /b ping -n 79301 127.0.0.1' });
    await site.reached(left, 'completed');
    await run('cancel', cancelled);
    await site.reached(cancelled, 'cancelled');
    await site.reached(late, 'timed_out');
    await site.until('nothing of them is left', () => [7910, 7920, 7930].every(isOver));
  });

  test.skipIf(!isThorough)('ends the trees of its tasks when it is killed', async () => {
    const { site, worker } = await openPair();
    await submitTree(site, 7940);
    worker.kill('SIGKILL');
    await site.until('nothing of them is left', () => isOver(7940));
  });

  test.skipIf(!isThorough)('gives cmd.exe its line as it was typed, and what Windows programs look for', async () => {
    const { site, run } = await openPair();
    const said = async (command: string) => (await run('run', command)).stdout.toString();
    expect(await said('echo "a b" ^& "c|d" %NOTHING% \\" 100%')).toBe('"a b" & "c|d" %NOTHING% \\" 100%\r\n');
    expect(await said('cd & echo %TEMP%')).toMatch(/^(.*\\tasks\\\d+)\r\n\1\r\n$/);
    expect(await said('echo %SystemRoot% %OCTASKLY_WORKER% %HOMEDRIVE%')).toBe('C:\\windows window C:\r\n');
    const lines = await run('run', 'echo a\necho b');
    expect([lines.status, lines.stderr]).toEqual([125, expect.stringContaining('cmd.exe runs one line')]);
    const argv = ['cmd.exe', '/c', 'echo', 'a b', '%OCTASKLY_ATTEMPT%'];
    const bare = await site.reached(await site.submit({ argv }), 'completed');
    expect(bare.stdout_tail).toBe('"a b" 1\r\n');
    const utf8 = await site.reached(
      await site.submit({ command: 'chcp 65001 > nul & echo \u00e9 \u65e5' }),
      'completed',
    );
    expect(utf8.stdout_tail).toBe('\u00e9 \u65e5\r\n');
  });

  test.skipIf(!isThorough)(
    'refuses files whose names Windows cannot have, directories of cmd.exe, and limits it cannot keep',
    async () => {
      const { site, run } = await openPair();
      mkdirSync(site.path('aux'));
      writeFileSync(site.path('aux/x'), '1');
      const device = await run('run', '--in', 'aux/x', 'echo here');
      expect(device.stderr).toContain('holds "aux", which is a device on Windows');
      for (const name of ['Makefile', 'makefile']) writeFileSync(site.path(name), name);
      const twins = await run('run', '--in', 'Makefile', '--in', 'makefile', 'echo here');
      expect(twins.stderr).toContain('it is the same there as "Makefile"');
      const share = await run('run', '--wd', '\\\\host\\share', 'echo here');
      expect([share.status, share.stderr]).toEqual([125, expect.stringContaining('no directory of the network')]);
      const open = await site.submit({ command: 'echo here', max_open_files: 16 });
      expect((await run('explain', open)).stdout.toString()).toContain('cannot keep max_open_files');
    },
  );

  test.skipIf(!isThorough)(
    'takes no output of another system whose name would be a device or a hidden stream',
    async () => {
      const { site, run } = await openPair();
      const secret = readFileSync(site.path('data/secret'), 'utf8').trim();
      await site.worker('tux', ['--data-dir', site.path('tux')], { env: { OCTASKLY_SECRET: secret } });
      const request = { command: 'echo 1 >out:b; echo 2 >aux.txt; echo 3 >fine', outputs: ['*'] };
      const id = await site.submit({ ...request, requires: { platform: 'linux' } });
      await site.reached(id, 'completed');
      const taken = await run('outputs', id, '--dir', wine?.path(site.path('taken')) ?? '');
      expect(taken.status).not.toBe(0);
      expect(taken.stderr).toContain('holds ":"');
      expect(taken.stderr).toContain('"aux.txt", which is a device');
      expect(readdirSync(site.path('taken'))).toEqual(['fine']);
    },
  );

  test.skipIf(!isThorough)('makes a backup, maps, and lists', async () => {
    const { site, run } = await openPair();
    await run('submit', '--wait', 'echo kept');
    expect((await run('backup', ...place(site), wine?.path(site.path('all.tar')) ?? '')).status).toBe(0);
    const lines = await run('map', '-k', 'echo {}', ':::', 'a', 'b', 'c');
    expect(lines.stdout.toString()).toBe('a\r\nb\r\nc\r\n');
    expect((await run('ps')).stdout.toString()).toContain('echo kept');
  });
});
