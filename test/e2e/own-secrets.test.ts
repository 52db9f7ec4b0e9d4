/**
 * Secrets given by environment or as arguments: out of sight of every other process, tasks first of all, once the command
 * line has read them. As this user, and where that is root as an ordinary one too, whose tasks run as itself.
 */

import { afterEach, expect, test } from 'bun:test';
import { chmodSync, chownSync, readFileSync } from 'node:fs';
import { closeSites, openSite } from './site.ts';

afterEach(closeSites, 20_000);

const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

/** Prints what a task can read of all processes, and what it may open of the processes named. */
const snoop = (pids: readonly number[]): string => `
cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'
for pid in ${pids.join(' ')}; do
  for name in environ mem; do (exec 3< /proc/$pid/$name) 2>/dev/null && echo "can open $name"; done
  ls /proc/$pid/fd >/dev/null 2>&1 && echo "can open fd"
done
echo looked`;

const accounts: readonly (number | null)[] = process.platform !== 'linux' ? [] : isRoot ? [null, nobody] : [null];

for (const account of accounts) {
  const who = account === null ? 'this user' : 'an ordinary user';
  test(`secrets of dispatcher and workers cannot be read by a task of the same user: ${who}`, async () => {
    const site = openSite();
    chmodSync(site.directory, 0o755);
    if (account !== null) for (const path of [site.directory, site.home]) chownSync(path, account, account);
    const through =
      account === null ? [] : ['setpriv', `--reuid=${account}`, `--regid=${account}`, '--clear-groups', '--'];
    const secret = `secret-${crypto.randomUUID()}`;
    const env = { OCTASKLY_SECRET: secret };
    const dispatcher = await site.dispatcher([], { env, through });
    const start = (name: string, args: readonly string[], variables = {}) => {
      const place = ['--data-dir', site.path('home', name), '--sandbox-level', 'none'];
      return site.worker(name, [...place, ...args], { env: variables, through });
    };
    const nodes = [
      dispatcher,
      await start('one', [], env),
      await start('two', ['--secret', secret]),
      await start('three', [`--secret-key=${secret}`, '--max-jobs', '2']),
    ];
    for (const { pid } of nodes) {
      const shown = ['environ', 'cmdline'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'latin1')).join('\0');
      expect(shown).not.toContain(secret);
      expect(shown).toContain(`HOME=${site.home}`);
    }
    expect(readFileSync(`/proc/${nodes[3]?.pid}/cmdline`, 'latin1')).toContain('\0--max-jobs\x002\0');
    for (let n = 0; n < 3; n++) {
      const { id } = await site.reached(
        await site.submit({ command: snoop(nodes.map(({ pid }) => pid)) }),
        'completed',
      );
      const seen = await site.text(['logs', '--stdout', id]);
      expect(seen).toContain('OCTASKLY_TASK_ID=');
      expect(seen).not.toContain(secret);
      // Nothing keeps root from anything; another user's own processes are closed to each other.
      if (account !== null || !isRoot)
        expect(seen.split('\n').filter((line) => line.startsWith('can open'))).toEqual([]);
    }
    // What is printed about a crash of the runtime itself tells how it was started.
    for (const { ended, kill, log } of nodes) {
      kill('SIGSEGV');
      await ended;
      expect(log()).not.toContain(secret);
    }
  }, 90_000);
}
