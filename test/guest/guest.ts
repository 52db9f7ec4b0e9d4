/**
 * A virtual machine of our own: Debian's kernel in qemu, a few programs of this machine and the compiled file in memory.
 * For what this machine may lack and the product must know: control groups (v2) with all their controllers.
 *
 * Emulated (no KVM needed), so behaviour is what it shows, not speed. It boots in a few seconds, runs one shell script as
 * root, tells its output over the serial line and is gone. No network, no disk.
 */

import { chmodSync, copyFileSync, existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const kernelPattern = /^linux-image-[0-9]\S*-cloud-amd64$/m;

function run(command: readonly string[], cwd: string): string {
  const child = Bun.spawnSync([...command], { cwd, stdout: 'pipe', stderr: 'pipe' });
  if (child.exitCode !== 0) throw new Error(`${command.join(' ')} ended with ${child.exitCode}: ${child.stderr}`);
  return child.stdout.toString();
}

/** Debian's kernel for cloud machines, fetched into `directory` unless it is there already; the path of its image. */
export function fetchKernel(directory: string): string {
  const found = (): string | undefined => [...new Bun.Glob('kernel/boot/vmlinuz-*').scanSync(directory)][0];
  const earlier = found();
  if (earlier !== undefined) return join(directory, earlier);
  const names = run(['apt-cache', 'search', '--names-only', '^linux-image-[0-9].*-cloud-amd64$'], directory);
  const name = kernelPattern.exec(names.replaceAll(/ - .*/g, ''))?.[0];
  if (name === undefined) throw new Error('there is no package with a kernel for cloud machines');
  run(['apt-get', 'download', name], directory);
  const [file = ''] = [...new Bun.Glob('linux-image-*.deb').scanSync(directory)];
  run(['dpkg-deb', '-x', file, 'kernel'], directory);
  return join(directory, found() ?? 'kernel/boot/vmlinuz');
}

/** A program with the libraries it needs, at the same places below `root`. */
function bring(root: string, program: string): void {
  const listed = Bun.spawnSync(['ldd', program]).stdout.toString();
  const libraries = [...listed.matchAll(/(\/[^ ]+) \(0x/g)].map(([, path = '']) => path);
  for (const path of [program, ...libraries]) {
    const target = join(root, path);
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(realpathSync(path), target);
    chmodSync(target, 0o755);
  }
}

/** The first program: moves everything off the memory disk, on which no root can be changed, and runs the script. */
const init = `#!/bin/busybox sh
/bin/busybox mount -t tmpfs -o size=90% root /new
for entry in /*; do [ "$entry" = /new ] || /bin/busybox cp -a "$entry" /new; done
exec /bin/busybox switch_root /new /start
`;

const start = `#!/bin/busybox sh
export PATH=/usr/local/bin:/usr/bin:/bin HOME=/root
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp /root /run /home/user /var/tmp
chmod 1777 /tmp /var/tmp; chmod 700 /root; chown 1000:1000 /home/user
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup
ip link set lo up
# What the firmware wrote has no end of line.
echo
sh /script 2>&1
echo "guest: ended with $?"
poweroff -f
`;

export interface GuestOptions {
  /** Image of the kernel. */
  readonly kernel: string;
  /** An empty directory for the memory disk. */
  readonly directory: string;
  /** Programs of this machine to bring along, by path, and where they go when that is another place. */
  readonly programs: readonly string[];
  /** The compiled file; in the guest \`/usr/local/bin/octaskly\`. */
  readonly executable: string;
  /** For its shell, run as root. */
  readonly script: string;
  readonly memoryMb: number;
  readonly withinMs: number;
}

/** Boots, runs the script, and returns what it wrote. Rejects when the guest does not end in time. */
export async function runGuest(options: GuestOptions): Promise<string> {
  const { directory, executable, script, kernel, memoryMb, withinMs } = options;
  const root = join(directory, 'root');
  for (const name of ['bin', 'etc', 'new', 'usr/local/bin', 'usr/bin'])
    mkdirSync(join(root, name), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const program of options.programs) bring(root, program);
  bring(root, executable);
  run(['mv', join(root, executable), join(root, 'usr/local/bin/octaskly')], directory);
  const passwd = [
    'root:x:0:0::/root:/bin/sh',
    'user:x:1000:1000::/home/user:/bin/sh',
    'nobody:x:65534:65534::/:/bin/sh',
  ];
  writeFileSync(join(root, 'etc/passwd'), `${passwd.join('\n')}\n`);
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n');
  writeFileSync(join(root, 'init'), init, { mode: 0o755 });
  writeFileSync(join(root, 'start'), start, { mode: 0o755 });
  writeFileSync(join(root, 'script'), script);
  const image = join(directory, 'root.cpio');
  run(['sh', '-c', `find . | cpio -o -H newc > ${image}`], root);
  const qemu = [
    ...['qemu-system-x86_64', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', `${memoryMb}`],
    ...['-nographic', '-no-reboot', '-nic', 'none', '-kernel', kernel, '-initrd', image],
    ...['-append', 'console=ttyS0 panic=-1 edd=off loglevel=0'],
  ];
  const child = Bun.spawn(qemu, {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: withinMs,
    killSignal: 'SIGKILL',
  });
  const output = await new Response(child.stdout).text();
  await child.exited;
  if (!output.includes('guest: ended with')) throw new Error(`the guest did not end well: ${output.slice(-2000)}`);
  return output.replaceAll('\r', '');
}
