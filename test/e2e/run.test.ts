/** `run`, `submit --wait` and `logs`: a command elsewhere as if it ran here. */

import { afterEach, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { daemon, sleepers, token } from '../integration/processes.ts';
import { executable } from './executable.ts';
import { closeSites, openSite, readLines, type Site } from './site.ts';

afterEach(closeSites, 20_000);

/** A dispatcher and one worker. */
async function pair(): Promise<Site> {
  const site = openSite();
  await site.dispatcher();
  await site.worker('a');
  return site;
}

test('map prints byte for byte what the tasks wrote, short or long, text or not', async () => {
  const site = await pair();
  // A character of four bytes without its last: three bytes, as many as the sign that stands in for it.
  const truncated = String.raw`\360\237\230`;
  const octal = String.raw`\344\377\n \303\244 \357\277\275 x\000y`;
  const commands = [octal, String.raw`plain\n`, String.raw`\303`, truncated].map((text) => `printf '${text}'`);
  const { status, stdout } = await site.run(['map', '-k', 'sh -c {}', ':::', ...commands, 'seq 3000']);
  expect(status).toBe(0);
  const here = commands.concat('seq 3000').map((command) => spawnSync('/bin/sh', ['-c', command]).stdout);
  expect(Buffer.compare(stdout, Buffer.concat(here))).toBe(0);
});

test('retry refuses a task that read live input', async () => {
  const site = await pair();
  const fed = await site.run(['run', 'cat >/dev/null; exit 3'], { stdin: Buffer.from('x') });
  expect(fed.status).toBe(3);
  const again = await site.run(['retry', 'last']);
  expect([again.status, again.stdout.toString()]).toEqual([1, '']);
  expect(again.stderr).toContain('run it anew');
});

test('run and submit --wait exit as the task did, and keep its streams apart', async () => {
  const site = await pair();
  for (const command of [['run'], ['submit', '--wait']]) {
    const cases = [
      { shell: 'echo out; echo err >&2', status: 0, stdout: 'out\n', stderr: 'err\n' },
      { shell: 'printf "no line end"; exit 7', status: 7, stdout: 'no line end', stderr: '' },
      { shell: 'kill -9 $$', status: 137, stdout: '', stderr: 'ended by signal SIGKILL' },
      { shell: 'kill -TERM $$', status: 143, stdout: '', stderr: 'ended by signal SIGTERM' },
      { shell: 'no-such-program-anywhere', status: 127, stdout: '', stderr: 'not found' },
    ];
    for (const { shell, ...expected } of cases) {
      const { status, stdout, stderr } = await site.run([...command, shell]);
      expect({ shell, status, stdout: stdout.toString() }).toEqual({
        shell,
        status: expected.status,
        stdout: expected.stdout,
      });
      expect(stderr).toContain(expected.stderr);
    }
    const slow = await site.run([...command, '--timeout', '0.3', 'echo begun; sleep 30']);
    expect(slow.status).toBe(124);
    expect(slow.stdout.toString()).toBe('begun\n');
    expect(slow.stderr).toContain('time limit of 0.3 s');
  }
}, 60_000);

test('run exits with 125 and one sentence when there is no dispatcher, submit with 1', async () => {
  const site = openSite();
  for (const [name, expected] of [
    ['run', 125],
    ['submit', 1],
    ['ps', 1],
  ] as const) {
    const { status, stderr } = await site.run([name, ...(name === 'ps' ? [] : ['true'])]);
    expect({ name, status }).toEqual({ name, status: expected });
    expect(stderr).toContain(`Cannot reach a dispatcher at ${site.url}`);
    expect(stderr.trimEnd().split('\n').length).toBe(1);
  }
}, 60_000);

test('run passes standard input on, byte for byte', async () => {
  const site = await pair();
  const bytes = new Uint8Array(randomBytes(5 * 1024 * 1024));
  const { status, stdout, stderr } = await site.run(['run', 'cat; echo done >&2'], { stdin: bytes });
  expect(stderr).toBe('done\n');
  expect(status).toBe(0);
  expect(stdout.equals(bytes)).toBe(true);
  const counted = await site.run(['run', 'wc', '-c'], { stdin: bytes });
  expect(counted.stdout.toString().trim()).toBe(String(bytes.length));
  // A task that reads nothing of it ends all the same.
  expect((await site.run(['run', 'true'], { stdin: bytes })).status).toBe(0);
  expect((await site.run(['run', '--no-stdin', 'cat'], { stdin: bytes })).stdout.length).toBe(0);
}, 60_000);

test('run hands lines to the task as they are typed, and shows its answers', async () => {
  const site = await pair();
  const child = await site.open(['run', 'while read -r line; do echo "got $line"; done; echo end']);
  const lines = readLines(child.stdout);
  for (const word of ['one', 'two']) {
    child.stdin.write(`${word}\n`);
    child.stdin.flush();
    expect(await lines.next()).toEqual({ done: false, value: `got ${word}` });
  }
  child.stdin.end();
  expect(await lines.next()).toEqual({ done: false, value: 'end' });
  expect(await child.exited).toBe(0);
}, 60_000);

test('Ctrl-C on run ends the whole remote tree', async () => {
  const site = await pair();
  const marks = [token(), token(), token()] as const;
  const child = await site.open(['run', `sleep ${marks[0]} & ${daemon(marks[1])}; sleep ${marks[2]}`]);
  await site.until('the tree runs', () => marks.every((mark) => sleepers(mark).length === 1));
  child.kill('SIGINT');
  expect(await child.exited).toBe(130);
  await site.until('the tree is gone', () => marks.every((mark) => sleepers(mark).length === 0));
  const [task] = await site.allTasks();
  expect(task?.status).toBe('cancelled');
}, 60_000);

test('a second Ctrl-C leaves at once, and on submit --wait the task goes on', async () => {
  const site = await pair();
  const rude = await site.open(['run', `trap '' TERM; echo begun; while :; do sleep 0.1; done`]);
  const lines = readLines(rude.stdout);
  expect(await lines.next()).toEqual({ done: false, value: 'begun' });
  const notes = readLines(rude.stderr);
  rude.kill('SIGINT');
  expect((await notes.next()).value).toContain('Ctrl-C again: leave at once');
  const leftAt = performance.now();
  rude.kill('SIGINT');
  expect(await rude.exited).toBe(130);
  expect(performance.now() - leftAt).toBeLessThan(2000);
  const go = site.path('go');
  const waiting = await site.open(['submit', '--wait', `echo begun; until [ -e ${go} ]; do sleep 0.02; done`]);
  expect(await readLines(waiting.stdout).next()).toEqual({ done: false, value: 'begun' });
  waiting.kill('SIGINT');
  expect(await waiting.exited).toBe(130);
  expect(await new Response(waiting.stderr).text()).toContain('goes on');
  await Bun.write(go, '');
  expect(await site.text(['wait', 'last', '-o', 'quiet'])).not.toBe('');
}, 60_000);

test('run outlives a restart of the dispatcher', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher();
  await site.worker('a');
  const go = site.path('go');
  const child = await site.open(['run', `echo before; until [ -e ${go} ]; do sleep 0.02; done; echo after; exit 3`]);
  const lines = readLines(child.stdout);
  expect(await lines.next()).toEqual({ done: false, value: 'before' });
  dispatcher.kill('SIGKILL');
  await dispatcher.ended;
  await site.dispatcher();
  await Bun.write(go, '');
  expect(await lines.next()).toEqual({ done: false, value: 'after' });
  expect(await lines.next()).toEqual({ done: true, value: undefined });
  expect(await child.exited).toBe(3);
}, 60_000);

test('logs -f shows lines as they are written, then ends', async () => {
  const site = await pair();
  const step = (n: number): string => site.path(`step${n}`);
  const id = await site.submit({
    command: `echo one; until [ -e ${step(1)} ]; do sleep 0.02; done; echo two; until [ -e ${step(2)} ]; do sleep 0.02; done; echo three; exit 9`,
  });
  const child = await site.open(['logs', '-f', id]);
  const lines = readLines(child.stdout);
  expect(await lines.next()).toEqual({ done: false, value: 'one' });
  await Bun.write(step(1), '');
  expect(await lines.next()).toEqual({ done: false, value: 'two' });
  expect((await site.task(id)).status).toBe('running');
  await Bun.write(step(2), '');
  expect(await lines.next()).toEqual({ done: false, value: 'three' });
  expect(await child.exited).toBe(0);
  expect(await site.text(['logs', id])).toBe('one\ntwo\nthree');
}, 60_000);

test('a reader that goes away is no error', async () => {
  const site = await pair();
  await site.text(['run', 'true']);
  for (let n = 0; n < 60; n++) await site.submit({ command: `echo ${'x'.repeat(2000)} ${n}` });
  const shell = (line: string) =>
    spawnSync('/bin/sh', ['-c', line], {
      env: { PATH: process.env.PATH ?? '', HOME: site.home, OCTASKLY_API: site.url, O: file },
      encoding: 'utf8',
      timeout: 20_000,
    });
  const file = await executable();
  for (const command of ['ps -o json', 'export', '--help', 'export --format jsonl']) {
    const { stdout, stderr } = shell(`{ "$O" ${command}; echo "status $?" >&2; } | head -1`);
    expect({ command, stderr }).toEqual({ command, stderr: 'status 0\n' });
    expect(stdout.trimEnd().split('\n').length).toBe(1);
  }
  // The endless task behind it is cancelled and leaves nothing running.
  const { stdout } = shell(`"$O" run yes | head -1`);
  expect(stdout).toBe('y\n');
  await site.until('nothing runs', async () => (await site.stats()).tasks.running === 0);
}, 60_000);
