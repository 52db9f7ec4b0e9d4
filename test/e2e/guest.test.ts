/**
 * Control groups with all their controllers, in a virtual machine with Debian's kernel: memory, processes and CPU time held
 * by the kernel, for a worker of root and for one of a user to whom a group was delegated. Skipped with a notice where the
 * machine cannot be made.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchKernel, runGuest } from '../guest/guest.ts';
import { executable } from './executable.ts';

/** Emulated on a busy machine it takes minutes. */
const guestMsMax = 400_000;
const needed = ['qemu-system-x86_64', 'busybox', 'cpio', 'apt-get', 'bwrap', 'prlimit', 'setpriv'];
const missing = needed.filter((name) => Bun.which(name) === null);
const canRun = process.platform === 'linux' && process.arch === 'x64' && missing.length === 0;
if (!canRun) process.stdout.write(`notice: no virtual machine, for want of ${missing.join(', ') || 'Linux on x64'}\n`);

/** The tasks of one worker; each line tells the case, the exit status of \`run\`, and why the task ended. */
const cases = `
tell() { name=$1; shift; octaskly run "$@" >/tmp/out 2>/tmp/err; echo "$who $name status=$? $(grep -o 'exceeded its [^(]*' /tmp/err | head -1)"; }
ready() { i=0; while ! grep -q Joined /tmp/$who.log && [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done; }
all() {
  tell memory --mem-limit 100 'dd if=/dev/zero of=/dev/null bs=200M count=1; echo survived'
  tell detached --mem-limit 100 'setsid sh -c "dd if=/dev/zero of=/dev/null bs=200M count=1" & sleep 60'
  tell shared --mem-limit 64 'dd if=/dev/zero of=/dev/shm/x$(id -u) bs=1M count=200; exit 0'
  tell bomb --max-processes 30 'b() { b | b & }; b; sleep 2'
  tell forks --max-processes 5 'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait; exit 3'
  tell cpu --cpu-time 1 --timeout 60 'for i in 1 2 3; do sh -c "while :; do :; done" & done; wait'
  tell daemon 'setsid sh -c "sleep 4321 & wait" & exit 0'
  tell plain 'exit 7'
  echo "$who left=$(ps | grep -c '[s]leep 4321') groups=$(find /sys/fs/cgroup -type d -name 'task-*' | wc -l)"
  octaskly workers -o json | tr -d ' \\n' | grep -o '"level":"basic".*"max_processes":{[^}]*}' | grep -o '"memory_limit_mb":{[^}]*}\\|"max_processes":{[^}]*}' | sed "s/^/$who /" | sort -u
}
`;

const script = `${cases}
cd /tmp
echo "rules = []" > /tmp/deny.toml
who=root
octaskly up --deny-list /tmp/deny.toml --name root --max-jobs 2 --task-user nobody >/tmp/root.log 2>&1 & up=$!
ready
all
tell strict --sandbox strict --mem-limit 100 'dd if=/dev/zero of=/dev/null bs=200M count=1; echo survived'
kill -9 $up; wait $up 2>/dev/null
who=user
mkdir /sys/fs/cgroup/home
echo '+memory +pids +cpu +io' > /sys/fs/cgroup/cgroup.subtree_control
echo '+memory +pids +cpu +io' > /sys/fs/cgroup/home/cgroup.subtree_control
mkdir /sys/fs/cgroup/home/own
chown -R 1000:1000 /sys/fs/cgroup/home/own
cat > /tmp/user.sh <<'END'
echo $$ > /sys/fs/cgroup/home/own/cgroup.procs
export HOME=/home/user
cd /home/user
exec /usr/bin/setpriv --reuid=1000 --regid=1000 --clear-groups octaskly up --deny-list /tmp/deny.toml --name user --max-jobs 2 --port 7900 --api-port 3100
END
sh /tmp/user.sh >/tmp/user.log 2>&1 &
export HOME=/home/user OCTASKLY_API=http://127.0.0.1:3100
ready
all
`;

describe.skipIf(!canRun)('control groups', () => {
  const directory = mkdtempSync(join(tmpdir(), 'octaskly-guest-'));
  let lines: string[] = [];

  beforeAll(async () => {
    const kept = join(tmpdir(), 'octaskly-guest-kernel');
    if (!existsSync(kept)) mkdirSync(kept, { mode: 0o700 });
    let kernel: string;
    try {
      kernel = fetchKernel(kept);
    } catch (error) {
      process.stdout.write(`notice: no virtual machine: ${String(error)}\n`);
      return;
    }
    const programs = ['bwrap', 'prlimit', 'setpriv'].map((name) => Bun.which(name) ?? name);
    const file = await executable();
    const guest = { kernel, directory, programs, executable: file, script, memoryMb: 2500, withinMs: guestMsMax };
    lines = (await runGuest(guest)).split('\n');
  }, guestMsMax + 60_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.each(['root', 'user'])('hold the tasks of a worker of %s to their limits and leave nothing', (who) => {
    if (lines.length === 0) return;
    const said = lines.filter((line) => line.startsWith(`${who} `)).map((line) => line.slice(who.length + 1).trim());
    expect(said).toEqual([
      'memory status=125 exceeded its memory_limit_mb of 100 MB',
      'detached status=125 exceeded its memory_limit_mb of 100 MB',
      'shared status=125 exceeded its memory_limit_mb of 64 MB',
      'bomb status=0',
      'forks status=125 exceeded its max_processes of 5',
      'cpu status=125 exceeded its cpu_time_limit of 1 s',
      'daemon status=0',
      'plain status=7',
      'left=0 groups=0',
      '"max_processes":{"enforcement":"hard","mechanism":"pids.max"}',
      '"memory_limit_mb":{"enforcement":"hard","mechanism":"memory.max"}',
      ...(who === 'root' ? ['strict status=125 exceeded its memory_limit_mb of 100 MB'] : []),
    ]);
  });
});
