/**
 * What a task may try against the machine it runs on, as shell text, and what must come of it at each level. Data and
 * checks; who runs them is `hostile.test.ts`.
 */

import { expect } from 'bun:test';
import { existsSync } from 'node:fs';
import type { TaskRequest, TaskWithAttempts, WorkerView } from '../../src/api/schemas.ts';
import type { SandboxLevel } from '../../src/core/isolation.ts';

/** Where a case runs, and what it may try to reach. */
export interface Scene {
  readonly level: SandboxLevel;
  /** What the worker says of its levels. */
  readonly offers: ReadonlyMap<string, WorkerView['sandbox']['levels'][number]>;
  /** A number of seconds nobody else sleeps. */
  readonly mark: string;
  /** A directory anybody may write to, outside of every task's. */
  readonly outside: string;
  /** A home with `.ssh/id` in it that anybody may read. */
  readonly home: string;
  readonly tcpPort: number;
  readonly udpPort: number;
  /** A stand-in for docker.sock that anybody may connect to. */
  readonly socket: string;
  readonly workerPid: number;
  /** The task's account can do anything on this machine. */
  readonly asRoot: boolean;
  /** What has reached the listeners since the case began. */
  readonly heard: readonly string[];
}

export interface HostileCase {
  readonly name: string;
  /** The request without its level; `command` is for /bin/sh. */
  request(scene: Scene): Omit<TaskRequest, 'sandbox_level' | 'argv'>;
  check(task: TaskWithAttempts, scene: Scene): void;
  /** Levels it says something about; all when not given. */
  readonly levels?: readonly SandboxLevel[];
  /** Tells nothing where tasks run as root below strict. */
  readonly unprivileged?: true;
}

const isStrict = ({ level }: Scene): boolean => level === 'strict' || level === 'very-strict';

/** The end was the limit's doing, and says so. */
function limitEnded(task: TaskWithAttempts, name: string, limit: number): void {
  expect({ status: task.status, reason: task.reason }).toEqual({
    status: 'failed',
    reason: expect.stringContaining(`${name} of ${limit}`),
  });
  const [attempt] = task.attempts;
  expect(attempt?.outcome).toMatchObject({ kind: 'limit_exceeded', limit: { name, value: limit } });
  expect(attempt?.outcome.limit?.reached ?? 0).toBeGreaterThan(limit);
}

/** Where the kernel refuses to fork, a bomb goes out and the rest of the task goes on. */
function bombEnded(task: TaskWithAttempts, { level, offers }: Scene): void {
  const offer = offers.get(level)?.limits.max_processes;
  const refused = offer?.enforcement === 'hard' || offer?.mechanism.includes('RLIMIT_NPROC');
  if (refused === true && task.status === 'completed') return;
  limitEnded(task, 'max_processes', 64);
}

const completed = (task: TaskWithAttempts): void =>
  expect({ status: task.status, reason: task.reason, stderr: task.stderr_tail }).toMatchObject({ status: 'completed' });

/** Each line of the output is `name=yes` or `name=no`. */
function answersOf(task: TaskWithAttempts): Record<string, string> {
  return Object.fromEntries(
    task.stdout_tail
      .split('\n')
      .flatMap((line) => [line.split('=')])
      .filter(([, v]) => v !== undefined),
  );
}

const tried = (name: string, command: string): string =>
  `if ${command} >/dev/null 2>&1; then echo ${name}=yes; else echo ${name}=no; fi`;

const fill = 'dd if=/dev/zero bs=1M count=400';
const hog = `my @held; for (1..150) { push @held, "x" x (16 << 20); select undef, undef, undef, 0.02 }`;

const limited: readonly HostileCase[] = [
  {
    name: 'a fork bomb',
    request: () => ({ command: 'b() { b | b & }; b; /bin/sleep 3', max_processes: 64, timeout: 60 }),
    check: bombEnded,
  },
  {
    name: 'a fork bomb of daemons',
    request: () => ({
      command: `echo 'setsid sh ./b & setsid sh ./b & wait' > b; setsid sh ./b & /bin/sleep 3`,
      max_processes: 64,
      timeout: 60,
    }),
    check: bombEnded,
  },
  {
    name: 'a memory hog in a grandchild',
    request: ({ mark }) => ({
      command: `echo '${hog}' > hog.pl; sh -c "sh -c 'perl hog.pl; true'; true"; /bin/sleep ${mark}`,
      memory_limit_mb: 128,
      timeout: 60,
    }),
    check: (task) => limitEnded(task, 'memory_limit_mb', 128),
  },
  {
    name: 'memory hogs that detach',
    request: ({ mark }) => ({
      command: `for i in 1 2 3; do setsid perl -e '${hog.replace('150', '8')}; sleep ${mark}' & done; /bin/sleep ${mark}`,
      memory_limit_mb: 200,
      timeout: 60,
    }),
    check: (task) => limitEnded(task, 'memory_limit_mb', 200),
  },
  {
    name: 'a memory hog in /dev/shm',
    request: ({ mark }) => ({
      command: `exec 3>/dev/shm/hostile-${mark} || exit 9; rm /dev/shm/hostile-${mark}; ${fill} >&3 || exit 8; /bin/sleep ${mark}`,
      memory_limit_mb: 64,
      timeout: 60,
    }),
    check: (task, scene) => {
      // A private /dev/shm has an end of its own.
      if (isStrict(scene) && task.exit_code !== null) expect([8, 9]).toContain(task.exit_code);
      else limitEnded(task, 'memory_limit_mb', 64);
    },
  },
  {
    name: 'processor time spread over children',
    request: () => ({
      command: `for i in 1 2 3; do sh -c 'while :; do :; done' & done; wait`,
      cpu_time_limit: 2,
      timeout: 60,
    }),
    check: (task) => limitEnded(task, 'cpu_time_limit', 2),
  },
  {
    name: 'one process that uses up its processor time',
    request: () => ({ command: 'while :; do :; done', cpu_time_limit: 1, timeout: 60 }),
    check: (task) => limitEnded(task, 'cpu_time_limit', 1),
  },
  {
    name: 'a disk filled with one file',
    request: ({ mark }) => ({ command: `${fill} of=big; /bin/sleep ${mark}`, disk_limit_mb: 40, timeout: 60 }),
    check: (task) => limitEnded(task, 'disk_limit_mb', 40),
  },
  {
    name: 'a disk filled with many files',
    request: ({ mark }) => ({
      command: `i=0; while [ $i -lt 400 ]; do i=$((i+1)); dd if=/dev/zero of=f$i bs=1M count=1 2>/dev/null; done; /bin/sleep ${mark}`,
      disk_limit_mb: 40,
      timeout: 60,
    }),
    check: (task) => limitEnded(task, 'disk_limit_mb', 40),
  },
  {
    name: 'a disk filled with a deleted file',
    request: ({ mark }) => ({
      command: `exec 3>big; rm big; ${fill} >&3; /bin/sleep ${mark}`,
      disk_limit_mb: 40,
      timeout: 60,
    }),
    check: (task) => limitEnded(task, 'disk_limit_mb', 40),
  },
  {
    name: 'a temporary directory filled up',
    request: ({ mark }) => ({
      command: `${fill} of="$TMPDIR/big"; /bin/sleep ${mark}`,
      disk_limit_mb: 40,
      timeout: 60,
    }),
    check: (task) => limitEnded(task, 'disk_limit_mb', 40),
  },
  {
    name: 'more open files than allowed',
    request: () => ({
      command: `perl -e 'my @f; while (open my $h, "<", "/dev/null") { push @f, $h } print scalar(@f) < 32 ? "held" : "free"'`,
      max_open_files: 32,
    }),
    check: (task) => expect(task.stdout_tail).toBe('held'),
  },
];

const output: readonly HostileCase[] = [
  {
    name: 'a gigabyte of output',
    request: () => ({ command: 'head -c 1073741824 /dev/zero', max_output: 1_000_000, timeout: 120 }),
    check: (task) => {
      completed(task);
      expect(task.stdout_bytes).toBe(1_000_000);
      expect(task.discarded_bytes).toBe(1_073_741_824 - 1_000_000);
    },
  },
  {
    name: 'output closed early',
    request: () => ({ command: 'exec >&- 2>&-; sleep 0.1; exit 3' }),
    check: (task) => expect(task.exit_code).toBe(3),
  },
  {
    name: 'a daemon that keeps the output open',
    request: ({ mark }) => ({ command: `(setsid /bin/sh -c 'exec /bin/sleep ${mark}' &); echo here`, timeout: 60 }),
    check: (task) => {
      completed(task);
      expect(task.stdout_tail).toBe('here\n');
    },
  },
  {
    name: 'a daemon that scrubbed its environment',
    request: ({ mark }) => ({
      command: `(setsid env -i /bin/sh -c '/bin/sleep ${mark} &' </dev/null >/dev/null 2>&1 &)`,
    }),
    check: completed,
  },
  {
    name: 'TERM ignored by everything',
    request: ({ mark }) => ({ command: `trap '' TERM; /bin/sleep ${mark} & trap '' TERM; wait; wait`, timeout: 1 }),
    check: (task) => expect(task.status).toBe('timed_out'),
  },
  {
    name: 'TERM obeyed',
    request: ({ mark }) => ({ command: `trap 'echo told; exit 5' TERM; /bin/sleep ${mark} & wait`, timeout: 1 }),
    check: (task) => {
      expect(task.status).toBe('timed_out');
      expect(task.stdout_tail).toBe('told\n');
    },
  },
];

const reaching: readonly HostileCase[] = [
  {
    name: 'writing outside',
    request: ({ outside }) => ({
      command: [
        tried('outside', `sh -c 'echo x > ${outside}/written'`),
        tried('usr', `sh -c 'echo x > /usr/hostile-written'`),
        tried('etc', `sh -c 'echo x > /etc/hostile-written'`),
        tried('mode', `chmod 0700 ${outside}/mode`),
        tried('own', `sh -c 'echo x > own'`),
        tried('tmp', `sh -c 'echo x > "$TMPDIR/own"'`),
      ].join('\n'),
    }),
    check: (task, scene) => {
      const answers = answersOf(task);
      expect(answers).toMatchObject({ own: 'yes', tmp: 'yes' });
      expect(answers.outside).toBe(isStrict(scene) ? 'no' : 'yes');
      expect(existsSync(`${scene.outside}/written`)).toBe(!isStrict(scene));
      if (isStrict(scene)) expect(answers).toMatchObject({ mode: 'no', usr: 'no', etc: 'no' });
    },
    levels: ['basic', 'strict', 'very-strict'],
    unprivileged: true,
  },
  {
    name: 'reading keys and the data directory',
    request: ({ home }) => ({
      command: [
        tried('ssh', `grep -q secret ${home}/.ssh/id`),
        tried('home', `ls ${home}`),
        tried('data', `ls ${home}/.octaskly`),
        tried('shadow', 'cat /etc/shadow'),
      ].join('\n'),
    }),
    check: (task) => expect(answersOf(task)).toEqual({ ssh: 'no', home: 'no', data: 'no', shadow: 'no' }),
    levels: ['strict', 'very-strict'],
  },
  {
    name: 'connecting to whatever listens',
    request: (scene) => ({ command: connects(scene) }),
    check: (task, scene) => {
      // A datagram may be sent to the sandbox's own loopback, where nobody is.
      expect(answersOf(task)).toMatchObject({ tcp: 'no', unix: 'no' });
      expect(scene.heard).toEqual([]);
    },
    levels: ['strict', 'very-strict'],
  },
  {
    name: 'the network that was asked for, and nothing more',
    request: (scene) => ({ command: connects(scene), network: true }),
    check: (task, scene) => {
      expect(answersOf(task)).toEqual({ tcp: 'yes', udp: 'yes', unix: 'no' });
      expect(scene.heard).toContain('tcp');
    },
    levels: ['strict'],
  },
  {
    name: 'looking into the worker',
    request: ({ workerPid }) => ({
      command: [
        tried('environ', `cat /proc/${workerPid}/environ`),
        tried('memory', `head -c 1 /proc/${workerPid}/mem`),
        tried('ptrace', `perl -e 'exit(syscall(101, 16, ${workerPid}, 0, 0) == 0 ? 0 : 1)'`),
      ].join('\n'),
    }),
    check: (task) => expect(answersOf(task)).toEqual({ environ: 'no', memory: 'no', ptrace: 'no' }),
    unprivileged: true,
  },
  {
    name: 'ending the worker',
    request: ({ workerPid }) => ({ command: `kill -9 ${workerPid}` }),
    check: (task) => expect(task.exit_code).not.toBe(0),
    levels: ['strict', 'very-strict'],
  },
  {
    name: 'becoming somebody else',
    request: () => ({ command: `grep -E '^(NoNewPrivs|CapEff|CapBnd):' /proc/self/status | tr -d '\\t ' | tr : =` }),
    check: (task) => {
      const answers = answersOf(task);
      expect(answers.NoNewPrivs).toBe('1');
      expect(Number.parseInt(answers.CapEff ?? '', 16)).toBe(0);
    },
    levels: ['strict', 'very-strict'],
  },
  {
    name: 'leaving its control group',
    request: () => ({
      command: [
        tried('v2', `sh -c 'echo $$ > /sys/fs/cgroup/cgroup.procs'`),
        tried('unified', `sh -c 'echo $$ > /sys/fs/cgroup/unified/cgroup.procs'`),
        tried('memory', `sh -c 'echo $$ > /sys/fs/cgroup/memory/cgroup.procs'`),
      ].join('\n'),
    }),
    check: (task) => expect(answersOf(task)).toEqual({ v2: 'no', unified: 'no', memory: 'no' }),
    levels: ['strict', 'very-strict'],
  },
  {
    name: 'settings of the kernel',
    request: () => ({
      command: [
        tried('oops', `sh -c 'echo 1 > /proc/sys/kernel/panic_on_oops'`),
        tried('core', `sh -c 'echo x > /proc/sys/kernel/core_pattern'`),
        tried('mount', 'mount -t tmpfs none /tmp'),
        tried('namespace', 'unshare -U true'),
      ].join('\n'),
    }),
    check: (task, { level }) => {
      expect(answersOf(task)).toMatchObject({ oops: 'no', core: 'no', mount: 'no' });
      if (level === 'very-strict') expect(answersOf(task).namespace).toBe('no');
    },
    levels: ['strict', 'very-strict'],
  },
  {
    name: 'secrets in the environment',
    request: () => ({ command: 'env' }),
    check: (task) => expect(task.stdout_tail).not.toContain('hostile-secret'),
  },
];

function connects({ tcpPort, udpPort, socket }: Scene): string {
  const inet = (type: string, port: number): string =>
    `perl -MSocket -e 'socket(my $s, PF_INET, ${type}, 0) or exit 1; connect($s, pack_sockaddr_in(${port}, INADDR_LOOPBACK)) or exit 1; send($s, "x", 0) or exit 1'`;
  const unix = `perl -MSocket -e 'socket(my $s, PF_UNIX, SOCK_STREAM, 0) or exit 1; connect($s, pack_sockaddr_un("${socket}")) or exit 1; send($s, "x", 0)'`;
  return [
    tried('tcp', inet('SOCK_STREAM', tcpPort)),
    tried('udp', inet('SOCK_DGRAM', udpPort)),
    tried('unix', unix),
  ].join('\n');
}

export const hostileCases: readonly HostileCase[] = [...limited, ...output, ...reaching];
