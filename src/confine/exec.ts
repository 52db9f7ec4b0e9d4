/**
 * `octaskly __exec`: the launcher. Reads a spec from descriptor 3, gives up step by step all that the task must not
 * have, and turns into the task.
 *
 *   signals → account → end with the parent → new root → umask, nice → no new privileges, no capabilities → directory
 *     → Landlock → limits → system-call filter → descriptors → execve
 *
 * The order is not free: changing the account clears what ends it with the parent; mounts need capabilities; the limits
 * come late because some would stop the launcher itself; each of the last steps takes away what an earlier one needs.
 * Restrictions are those of the calling thread, which is what execve keeps: the runtime's other threads end there.
 * Deliberately not here: deciding anything. Invariant: the task never runs with less than the spec says.
 * This file and what it imports stay small: their loading is part of the start of every task.
 */

import {
  addressOf,
  checked,
  cString,
  cVector,
  EACCES,
  ENOENT,
  ENOTDIR,
  errno,
  libc,
  readAll,
  textOf,
} from './calls.ts';
import { restrict } from './landlock.ts';
import { enterRoot } from './root.ts';
import { denyFilter, instructionBytes } from './seccomp.ts';
import {
  type ConfineSpec,
  confineFailedStatus,
  decodeSpec,
  notExecutableStatus,
  notFoundStatus,
  type ResourceLimit,
  type ResourceName,
  type SocketsAllowed,
  specDescriptor,
} from './spec.ts';

const SIGKILL = 9;
const SIGPIPE = 13;
const SIGXFSZ = 25;
const SIG_DFL = 0;
const SIG_SETMASK = 2;
const sigsetBytes = 128;

const PR_SET_PDEATHSIG = 1;
const PR_SET_SECCOMP = 22;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const SECCOMP_MODE_FILTER = 2;
/** _LINUX_CAPABILITY_VERSION_3. */
const capabilityVersion = 0x2008_0522;

const closeRange = 436;
const CLOSE_RANGE_CLOEXEC = 4;
const RLIMIT: Readonly<Record<ResourceName, number>> = { cpu: 0, fsize: 1, core: 4, nproc: 6, nofile: 7 };

/**
 * Process 1 of a process namespace: waits for the task and for what it leaves, and ends as it did. It is not the task,
 * because process 1 gets no signal it has no handler for. Its own standard error is closed, since a shell has words for
 * ends by signal that are not the task's.
 */
const firstProcess = ['/bin/sh', '-c', 'exec 3>&2 2>&-; (exec "$@" 2>&3 3>&-); exit $?', 'sh'];

/** Becomes the task of the spec on descriptor 3. Never returns: ends with `confineFailedStatus` when it cannot. */
export function run(): never {
  try {
    const spec = decodeSpec(readAll(specDescriptor));
    // Looked up while it is still there to be read.
    const environment = environmentOf(spec);
    confine(spec);
    const argv = spec.root === null ? spec.argv : [...firstProcess, ...spec.argv];
    return become(argv, environment, spec.env.PATH ?? '');
  } catch (error) {
    return fail(confineFailedStatus, `cannot hold the task, so it was not started: ${reasonOf(error)}`);
  }
}

function confine(spec: ConfineSpec): void {
  // The runtime ignores these two for itself, and what is ignored stays so in the task.
  libc.signal(SIGPIPE, SIG_DFL);
  libc.signal(SIGXFSZ, SIG_DFL);
  checked('unblock signals', libc.sigprocmask(SIG_SETMASK, new Uint8Array(sigsetBytes), null));
  dropBoundingSet();
  becomeUser(spec.user);
  if (spec.parentPid !== null) endWithParent(spec.parentPid);
  if (spec.root !== null) {
    checked('name the host', libc.sethostname(cString('task'), 4));
    enterRoot(spec.root);
  }
  if (spec.umask !== null) libc.umask(spec.umask);
  // -1 is both an error and a niceness; being less nice than asked for takes nothing from anybody's safety.
  libc.nice(spec.nice);
  checked('give up new privileges', libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  dropCapabilities();
  checked(`enter ${spec.cwd}`, libc.chdir(cString(spec.cwd)));
  if (spec.landlock !== null) restrict(spec.landlock, spec.sockets);
  for (const limit of spec.rlimits) limitResource(limit);
  filterCalls(spec.sockets);
  checked('close descriptors', libc.syscall(closeRange, specDescriptor, 0xffff_ffff, CLOSE_RANGE_CLOEXEC, 0, 0));
}

function becomeUser(user: ConfineSpec['user']): void {
  if (user !== null && libc.geteuid() === 0) {
    checked('leave its groups', libc.setgroups(0, null));
    checked(`become group ${user.gid}`, libc.setresgid(user.gid, user.gid, user.gid));
    checked(`become user ${user.uid}`, libc.setresuid(user.uid, user.uid, user.uid));
  }
  const now = libc.geteuid();
  if (now === 0) throw new Error('root cannot be held, it must be an ordinary account');
  if (user !== null && now !== user.uid) throw new Error(`it runs as user ${now}, it must be ${user.uid}`);
}

/** The parent may have ended before this was asked for. */
function endWithParent(parentPid: number): void {
  checked('end with its parent', libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
  if (libc.getppid() !== parentPid) throw new Error('what started it has ended');
}

/** Up to the last one the kernel has. An ordinary account may not, and has none that it could get back. */
function dropBoundingSet(): void {
  for (let capability = 0; libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) === 0; ) capability++;
}

function dropCapabilities(): void {
  checked('drop ambient capabilities', libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
  checked('drop capabilities', libc.capset(new Uint32Array([capabilityVersion, 0]), new Uint32Array(6)));
}

function limitResource({ resource, soft, hard }: ResourceLimit): void {
  const limits = new BigUint64Array(2);
  checked(`read RLIMIT_${resource.toUpperCase()}`, libc.getrlimit(RLIMIT[resource], limits));
  const ceiling = limits[1] ?? 0n;
  const least = (value: number): bigint => (BigInt(value) < ceiling ? BigInt(value) : ceiling);
  limits.set([least(soft), least(hard)]);
  checked(`set RLIMIT_${resource.toUpperCase()}`, libc.setrlimit(RLIMIT[resource], limits));
}

function filterCalls(sockets: SocketsAllowed): void {
  if (process.arch !== 'x64' && process.arch !== 'arm64') throw new Error(`there is no filter for ${process.arch}`);
  const filter = denyFilter(process.arch, sockets);
  // struct sock_fprog: a u16 count, and the address after padding.
  const program = new DataView(new ArrayBuffer(16));
  program.setUint16(0, filter.length / instructionBytes, true);
  program.setBigUint64(8, addressOf(filter), true);
  const bytes = new Uint8Array(program.buffer);
  checked('filter system calls', libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, addressOf(bytes), 0, 0));
}

function environmentOf(spec: ConfineSpec): string[] {
  const inherited = spec.inherit.flatMap((name) => {
    const value = process.env[name];
    return value === undefined || Object.hasOwn(spec.env, name) ? [] : [`${name}=${value}`];
  });
  return [...Object.entries(spec.env).map(([name, value]) => `${name}=${value}`), ...inherited];
}

function become(argv: readonly string[], environment: readonly string[], path: string): never {
  const program = argv[0] ?? '';
  const words = argv.map(cString);
  const variables = environment.map(cString);
  const wordVector = cVector(words);
  const variableVector = cVector(variables);
  const candidates = program.includes('/') ? [program] : path.split(':').map((folder) => `${folder || '.'}/${program}`);
  // As shells do: what was found and may not be run is told before what was not found.
  let reason = ENOENT;
  for (const candidate of candidates) {
    libc.execve(cString(candidate), wordVector, variableVector);
    const code = errno();
    if (code === ENOENT || code === ENOTDIR) continue;
    reason = code;
    if (code !== EACCES) break;
  }
  const status = reason === ENOENT ? notFoundStatus : notExecutableStatus;
  return fail(status, `cannot start ${JSON.stringify(program)}: ${textOf(reason)}`);
}

function fail(status: number, text: string): never {
  const line = new TextEncoder().encode(`octaskly: ${text}\n`);
  libc.write(2, line, line.length);
  libc._exit(status);
  throw new Error('a process that has ended goes on');
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
