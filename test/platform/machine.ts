/**
 * This machine once more, to install things on: the same files, of which a change is seen by nobody else and gone in the end
 * (overlayfs over /, written in memory), with processes and a network of its own. Nothing is started in it, no init
 * system either; `systemctl` only writes down what it was told.
 *
 * Needs root and overlayfs; where they are missing, `cannotInstall` says so, and the test skips with a notice. Invariant: after
 * `close`, or the end of the test's process, however that came, no process and no mount of it is left.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readLines } from '../e2e/site.ts';

const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' };
const namespaces = ['--mount', '--pid', '--net', '--ipc', '--uts'];

/** Where it keeps what its `systemctl` was told, one call a line. */
export const systemctlLog = '/run/systemctl.log';

/** Sets the machine up in $1, and stays until its input ends, or whoever holds it does. */
const setUp = `set -e
mount -t tmpfs -o size=2g,mode=755 tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
cd root
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom; do touch dev/$node; mount --bind /dev/$node dev/$node; done
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p run/systemd/system
printf '#!/bin/sh\\necho "$*" >>${systemctlLog}\\n' >run/systemctl
chmod 755 run/systemctl
mv run/systemctl usr/bin/systemctl
mkdir run/former
pivot_root . run/former
umount -l /run/former
rmdir /run/former
echo ready
read -r _ || :`;

/** How a command ended, and what it wrote. */
export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function hold(directory: string) {
  const words = [
    ...namespaces,
    '--propagation=private',
    '--fork',
    '--kill-child',
    'sh',
    '-c',
    setUp,
    'machine',
    directory,
  ];
  return Bun.spawn(['unshare', ...words], { env: environment, stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
}

export class Machine {
  readonly #directory = mkdtempSync(join(tmpdir(), 'octaskly-machine-'));
  readonly #holder = hold(this.#directory);
  #inside: readonly string[] = [];

  /** Waits until it is there. Throws with the reason when it cannot be. */
  async open(): Promise<void> {
    for await (const line of readLines(this.#holder.stdout)) {
      if (line !== 'ready') continue;
      const { pid } = this.#holder;
      const inner = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
      this.#inside = ['nsenter', `--target=${inner}`, ...namespaces];
      return;
    }
    throw new Error((await new Response(this.#holder.stderr).text()).trim());
  }

  /** Runs a line of shell in it, as root. */
  async run(line: string, input: Uint8Array<ArrayBuffer> | null = null): Promise<Ran> {
    const child = Bun.spawn([...this.#inside, 'sh', '-c', line], {
      ...{ env: { ...environment, HOME: '/root' }, stdin: input ?? 'ignore', stdout: 'pipe', stderr: 'pipe' },
    });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { status: await child.exited, stdout, stderr };
  }

  /** What a line of shell writes, without the last line feed. Throws when it fails. */
  async ask(line: string): Promise<string> {
    const { status, stdout, stderr } = await this.run(line);
    if (status !== 0) throw new Error(`"${line}" ended with ${status}: ${stdout}${stderr}`);
    return stdout.trimEnd();
  }

  /** Puts a file of the machine outside into it. */
  async bring(from: string, to: string): Promise<void> {
    const { status, stderr } = await this.run(`cat >'${to}'`, new Uint8Array(readFileSync(from)));
    if (status !== 0) throw new Error(`cannot write ${to}: ${stderr}`);
  }

  /** What systemctl was told since this was asked last. */
  async systemctl(): Promise<readonly string[]> {
    const said = await this.ask(`touch ${systemctlLog}; cat ${systemctlLog}; : >${systemctlLog}`);
    return said === '' ? [] : said.split('\n');
  }

  async close(): Promise<void> {
    this.#holder.kill('SIGKILL');
    await this.#holder.exited;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Why tests that install are skipped, printed once; null = they run. */
export async function cannotInstall(what: string, programs: readonly string[]): Promise<string | null> {
  const reason = await whyNot(['unshare', 'nsenter', 'pivot_root', ...programs]);
  if (reason !== null) console.warn(`not tested: ${what}: ${reason}`);
  return reason;
}

async function whyNot(programs: readonly string[]): Promise<string | null> {
  if (process.platform !== 'linux') return 'this is not Linux';
  const missing = programs.find((name) => Bun.which(name) === null);
  if (missing !== undefined) return `${missing} is not installed`;
  if (process.getuid?.() !== 0) return 'this is not root';
  const probe = new Machine();
  try {
    await probe.open();
    return null;
  } catch (error) {
    return `no copy of this machine can be made: ${String(error)}`;
  } finally {
    await probe.close();
  }
}
