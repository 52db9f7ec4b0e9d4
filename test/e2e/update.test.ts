/** `octaskly update`: from a directory, an address and a dispatcher; what it refuses; and back again. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { version } from '../../src/version.ts';
import { executable } from './executable.ts';
import { closeSites, openSite, type Site } from './site.ts';
import { makeRelease, publicKey } from './update-release.ts';
import { programOf } from './versions.ts';

const next = '99.0.0';
const patienceMs = 120_000;
let site: Site;
/** The program that is updated: a name of the compiled file in a directory of its own. */
let program: string;

beforeEach(async () => {
  site = openSite();
  mkdirSync(site.path('bin'));
  program = site.path('bin', 'octaskly');
  provide(await executable(), program);
});

afterEach(closeSites);

/** A second name where that can be, since the file is large. */
function provide(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

const update = (...words: readonly string[]) => site.run(['update', ...words], { program: [program] });
const versionNow = async (): Promise<string> =>
  Bun.$`${program} version`
    .env({})
    .text()
    .then((text) => text.trim());
const release = (name: string, of: string, how = {}) => makeRelease(site.path(name), of, how);

test(
  'update --from DIR checks, tries and swaps the program, keeps the one before, and --rollback goes back and forth',
  async () => {
    const { directory } = await release('next', next);
    const check = await update('--check', '--from', directory, '--key', publicKey);
    expect([check.status, check.stdout.toString()]).toEqual([
      10,
      `octaskly ${next} is at ${directory}; this is ${version}.\n`,
    ]);
    const done = await update('--from', directory, '--key', publicKey);
    expect([done.status, done.stderr]).toEqual([0, expect.stringContaining('checked; trying it')]);
    expect(await versionNow()).toBe(`octaskly ${next}`);
    expect(readdirSync(site.path('bin')).toSorted()).toEqual(['octaskly', 'octaskly.previous']);
    const back = await site.run(['update', '--rollback'], { program: [site.path('bin', 'octaskly.previous')] });
    // It was started by another name, and so it is that one that has nothing before it.
    expect([back.status, back.stderr]).toEqual([1, expect.stringContaining('There is no version before this one')]);
  },
  patienceMs,
);

test(
  'update --rollback changes the program and the one before, both ways, and says what it keeps',
  async () => {
    expect((await update('--rollback')).stderr).toContain("kept from the first 'octaskly update' on");
    const previous = site.path('bin', 'octaskly.previous');
    provide(await programOf(next), previous);
    expect((await update('--rollback', '--dry-run')).stdout.toString()).toContain(
      `Would go back from octaskly ${version} to ${next}`,
    );
    expect((await update('--rollback')).status).toBe(0);
    expect(await versionNow()).toBe(`octaskly ${next}`);
    expect((await update('--rollback')).status).toBe(0);
    expect(await versionNow()).toBe(`octaskly ${version}`);
    writeFileSync(`${previous}.broken`, '#!/bin/sh\nexit 3\n', { mode: 0o755 });
    await Bun.$`mv -f ${previous}.broken ${previous}`;
    const refused = await update('--rollback');
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringContaining('does not run here, so nothing was changed'),
    ]);
    expect(await versionNow()).toBe(`octaskly ${version}`);
  },
  patienceMs,
);

test(
  'update refuses what was tampered with, is earlier, or is not what it says, and leaves everything as it was',
  async () => {
    const good = await release('good', next);
    const refusals: (readonly [string, readonly string[], string])[] = [];
    const changed = await release('changed', next);
    writeFileSync(
      join(changed.directory, 'manifest.json'),
      readFileSync(join(good.directory, 'manifest.json'), 'utf8').replace(next, '99.0.1'),
    );
    refusals.push(['manifest', ['--from', changed.directory, '--key', publicKey], 'is not signed by the key']);
    const archive = await release('archive', next);
    writeFileSync(archive.archive, Buffer.concat([readFileSync(archive.archive), Buffer.from('x')]));
    refusals.push(['archive', ['--from', archive.directory, '--key', publicKey], 'is not what it should be']);
    const otherKey = `MCowBQYDK2VwAyEA${'A'.repeat(43)}=`;
    refusals.push(['another key', ['--from', good.directory, '--key', otherKey], 'is not signed by the key']);
    const liar = await release('liar', next, { says: '98.0.0' });
    refusals.push([
      'another version',
      ['--from', liar.directory, '--key', publicKey],
      'The new program does not run here',
    ]);
    const broken = await release('broken', next, { lines: 'exit 3' });
    refusals.push(['one that does not run', ['--from', broken.directory, '--key', publicKey], 'it ended with 3']);
    const old = await release('old', '0.0.1');
    refusals.push(['an earlier one', ['--from', old.directory, '--key', publicKey], 'add --allow-downgrade']);
    refusals.push([
      'another than asked for',
      ['--from', good.directory, '--version', '1.2.3'],
      `has octaskly ${next}, not 1.2.3`,
    ]);
    refusals.push(['an address without a key', ['--from', 'http://127.0.0.1:9'], 'built without the key of a release']);
    for (const [what, words, says] of refusals) {
      const { status, stderr } = await update(...words);
      expect([what, status === 0, stderr]).toEqual([what, false, expect.stringContaining(says)]);
      expect(readdirSync(site.path('bin'))).toEqual(['octaskly']);
    }
    expect((await update('--from', old.directory, '--key', publicKey, '--allow-downgrade')).status).toBe(0);
    expect(await versionNow()).toBe('octaskly 0.0.1');
  },
  patienceMs,
);

test(
  'update --from URL fetches a signed release; killed meanwhile it leaves the program whole, and what is left is cleared away',
  async () => {
    const { directory } = await release('next', next);
    let isStalled = true;
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch(request) {
        const file = Bun.file(join(directory, new URL(request.url).pathname.slice(1)));
        if (!isStalled || !file.name?.includes('.tar.gz')) return new Response(file);
        return new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) }));
      },
    });
    try {
      const words = ['update', '--from', `http://127.0.0.1:${server.port}`, '--key', publicKey];
      const killed = await site.start(words, { program: [program] });
      const parts = (): readonly string[] => readdirSync(site.path('bin')).filter((name) => name.startsWith('.'));
      await site.until('something of the archive is here', () => parts().length > 0);
      killed.kill('SIGKILL');
      await killed.ended;
      expect([parts().length, await versionNow()]).toEqual([1, `octaskly ${version}`]);
      const interrupted = await site.start(words, { program: [program] });
      await site.until('it fetches', () => parts().some((name) => name.includes(`.${interrupted.pid}.`)));
      interrupted.kill('SIGINT');
      expect([(await interrupted.ended).status, parts()]).toEqual([130, []]);
      isStalled = false;
      expect((await update(...words.slice(1))).status).toBe(0);
      expect([await versionNow(), parts()]).toEqual([`octaskly ${next}`, []]);
    } finally {
      await server.stop(true);
    }
  },
  patienceMs,
);

test(
  'update takes the program of a dispatcher on this machine, and says when there is nothing to do',
  async () => {
    await site.dispatcher([], { program: [await programOf(next)] });
    expect((await update('--check')).status).toBe(10);
    const vouched = await update('--check', '--key', publicKey);
    expect([vouched.status, vouched.stderr]).toEqual([2, expect.stringContaining('could be checked by --key')]);
    const done = await update();
    expect([done.status, done.stdout.toString()]).toEqual([
      0,
      expect.stringContaining(`${program} is octaskly ${next} now`),
    ]);
    expect(await versionNow()).toBe(`octaskly ${next}`);
    const again = await update();
    expect([again.status, again.stdout.toString()]).toEqual([0, expect.stringContaining('there is nothing to do')]);
  },
  patienceMs,
);

test(
  'update that is run twice at once keeps the version before, and what another has put there stays',
  async () => {
    const [{ directory }, other] = [
      await release('next', next, { lines: 'sleep 1' }),
      await release('other', '99.1.0'),
    ];
    const words = (from: string): readonly string[] => ['--from', from, '--key', publicKey];
    const slow = update(...words(directory));
    const draft = (name: string): boolean => name.endsWith('.new');
    await site.until('the first tries it', () => readdirSync(site.path('bin')).some(draft));
    const [same, first] = await Promise.all([update(...words(directory)), slow]);
    expect([first.status, same.status]).toEqual([0, 0]);
    const names = (): readonly string[] => readdirSync(site.path('bin')).toSorted();
    expect(names()).toEqual(['octaskly', 'octaskly.previous']);
    const previous = site.path('bin', 'octaskly.previous');
    expect(readFileSync(previous).equals(readFileSync(await executable()))).toBe(true);
    await Bun.$`mv -f ${previous} ${program}`;
    const late = update(...words(directory));
    await site.until('it is tried', () => readdirSync(site.path('bin')).some(draft));
    expect((await update(...words(other.directory))).status).toBe(0);
    const { status, stderr } = await late;
    expect([status, stderr]).toEqual([1, expect.stringContaining('was replaced by somebody else meanwhile')]);
    expect([await versionNow(), names()]).toEqual(['octaskly 99.1.0', ['octaskly', 'octaskly.previous']]);
  },
  patienceMs,
);

test(
  'update says that there is no room before it fetches anything',
  async () => {
    if (process.getuid?.() !== 0 || Bun.which('unshare') === null) {
      console.warn('not tested: update on a full disk: it takes root and unshare');
      return;
    }
    const { directory } = await release('next', next);
    const room = site.path('room');
    mkdirSync(room);
    chmodSync(room, 0o755);
    const script =
      'mount -t tmpfs -o size=128m none "$1" && cp "$2" "$1/octaskly" && dd if=/dev/zero of="$1/full" bs=1M 2>/dev/null; exec "$1/octaskly" update --from "$3" --key "$4"';
    const through = ['unshare', '-m', 'sh', '-c', script, 'sh', room, program, directory, publicKey];
    const { status, stderr } = await site.run([], { program: through });
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/There is no room for the new program in .* MB are needed, \d MB are free/),
    ]);
    expect(existsSync(join(room, 'octaskly'))).toBe(false);
  },
  patienceMs,
);

test(
  'update starts the service anew that runs the program by another name, and none whose program only begins like it',
  async () => {
    if (process.getuid?.() !== 0 || Bun.which('unshare') === null || !existsSync('/etc/systemd/system')) {
      console.warn('not tested: update restarts services: it takes root, unshare and the directory of units');
      return;
    }
    const { directory } = await release('next', next);
    const [link, calls] = [site.path('link'), site.path('calls')];
    symlinkSync(program, link);
    const systemctl = site.path('fake', 'systemctl');
    mkdirSync(site.path('fake'));
    writeFileSync(systemctl, `#!/bin/sh\necho "$*" >> ${calls}\necho LoadState=loaded\necho ActiveState=active\n`);
    chmodSync(systemctl, 0o755);
    const units = '/etc/systemd/system/octaskly';
    const script = [
      'mount -t tmpfs none /run && mkdir -p /run/systemd/system && mount -t tmpfs none /etc/systemd/system',
      `printf '[Service]\\nExecStart=%s worker\\n' "$1" > ${units}-worker.service`,
      `printf '[Service]\\nExecStart=%s-other dispatcher\\n' "$2" > ${units}-dispatcher.service`,
      'exec "$2" update --from "$3" --key "$4"',
    ].join(' && ');
    const through = ['unshare', '-m', 'sh', '-c', script, 'sh', link, program, directory, publicKey];
    const env = { PATH: `${site.path('fake')}:${process.env.PATH}` };
    const { status, stdout, stderr } = await site.run([], { program: through, env });
    expect([status, stdout.toString()], stderr).toEqual([
      0,
      expect.stringContaining('Started the service octaskly-worker anew'),
    ]);
    const restarts = readFileSync(calls, 'utf8').match(/^restart .*/gm);
    expect(restarts).toEqual(['restart octaskly-worker.service']);
  },
  patienceMs,
);

test('update refuses words and options that contradict each other', async () => {
  const refused = async (...words: readonly string[]): Promise<string> => {
    const { status, stderr } = await update(...words);
    expect(status).toBe(2);
    return stderr;
  };
  expect(await refused('now')).toContain('"now" is too much');
  expect(await refused('--rollback', '--from', 'x')).toContain("'octaskly update --rollback' has no use for --from");
  expect(await refused('--rollback', '--key', publicKey)).toContain("--rollback' has no use for --key");
  expect(await refused('--fleet', '--rollback')).toContain("'octaskly update --fleet' has no use for --rollback");
  expect(await refused('--worker', 'w1')).toContain('--worker goes with --fleet');
  expect(await refused('--from', site.path('nowhere'))).toContain('there is no manifest.json in it');
});
