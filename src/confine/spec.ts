/**
 * What the own launcher (`octaskly __exec`) is told: one task, and everything that holds it. For machines where
 * bubblewrap is missing or not allowed.
 *
 *   Landlock:    octaskly __exec                                          `landlock` set, `root` null
 *   namespaces:  setpriv … unshare … octaskly __exec                      `root` set, `landlock` null
 *
 * The spec comes on descriptor 3, and the environment of the task only within it: what is in the launcher's own
 * environment acts on the launcher (LD_PRELOAD, BUN_BE_BUN), so that must hold nothing of the task's.
 * `chainOf` gives the programs to start; `LaunchPlan.descriptors[0]` is `encodeSpec(spec)`.
 *
 * With Landlock the launcher turns into the task (execve): same pid, exit status and signals come through unchanged. It
 * may start as root, and then drops to `user`. Held: content of files, TCP, signals, tracing, abstract sockets, and by the
 * filter all sockets of other families. Not held: mode, times and extended attributes of files the task's account owns,
 * and asking whether a path exists; both are empty or harmless with an account of its own.
 * With namespaces the chain must start as an ordinary account (`LaunchPlan.user`): root with a user namespace could
 * still write what belongs to root, /proc/sys first of all. Process 1 there is a shell that waits for the task, and an end
 * by signal N comes out as status 128 + N.
 *
 * Every wish is kept or nothing runs: a step that fails ends the launcher with `confineFailedStatus` and one line on
 * standard error. Pure data and total functions; the steps are `exec.ts`.
 */

/** Exit status of the launcher when it could not hold the task; the task did not run. Also what `env` and `timeout` use. */
export const confineFailedStatus = 125;
/** Exit status when the task's program is there and cannot be run, as shells have it. */
export const notExecutableStatus = 126;
/** Exit status when there is no such program, as shells have it. */
export const notFoundStatus = 127;
/** The hidden subcommand. */
const confineCommand = '__exec';
/** Where the launcher finds its spec. */
export const specDescriptor = 3;

/** Landlock below this version misses signals and abstract sockets (Linux 6.12). */
export const landlockAbiMin = 6;

/** What can be limited for each process: the part of setrlimit(2) after `RLIMIT_`. Bytes, seconds for `cpu`, else a count. */
const resourceNames = ['cpu', 'fsize', 'core', 'nproc', 'nofile'] as const;
export type ResourceName = (typeof resourceNames)[number];

/** A limit of setrlimit(2), soft <= hard. Where the launcher itself is held to less, the less stays. */
export interface ResourceLimit {
  readonly resource: ResourceName;
  readonly soft: number;
  readonly hard: number;
}

/** What Landlock lets the task touch. A path that does not exist opens nothing; all else is closed. */
export interface LandlockRules {
  /** Files and directories to read and execute, with all below. */
  readonly readOnly: readonly string[];
  /** Files and directories to do everything with, with all below. */
  readonly readWrite: readonly string[];
}

/**
 * One thing to put into the new root, in this order; what is missing of the directories above `target` is made. `bind`
 * without `write` is read-only with all mounted below it; `optional`: left out when there is no such source. `devices`
 * is a /dev of null, zero, full, random, urandom, tty and the standard streams, with an empty directory `shm`.
 */
export type Mount =
  | {
      readonly kind: 'bind';
      readonly source: string;
      readonly target: string;
      readonly write: boolean;
      readonly optional: boolean;
    }
  | { readonly kind: 'symlink'; readonly to: string; readonly target: string }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly bytes: number }
  | { readonly kind: 'proc'; readonly target: string }
  | { readonly kind: 'devices'; readonly target: string };

/** What the system-call filter leaves open; the rest is in `seccomp.ts`. */
export interface SocketsAllowed {
  /** Sockets of AF_INET, AF_INET6 and AF_NETLINK. */
  readonly network: boolean;
  /** Sockets of AF_UNIX. Landlock cannot close those that have a path: false with Landlock, else docker.sock is open. */
  readonly unixSockets: boolean;
}

export interface ConfineSpec {
  /** The task: program and arguments. A program without `/` is looked for in `PATH` of `env`. */
  readonly argv: readonly string[];
  /** The whole environment of the task, but for `inherit`. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables of the launcher's own environment to hand on: the marks by which the worker knows its processes. */
  readonly inherit: readonly string[];
  /** Where the task starts; with `root`, a path in there. */
  readonly cwd: string;
  /** Account to become, for a launcher started as root; null = started as the right one. Root itself is refused. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
  /** The process that started the launcher: it ends with that one, also if that one is killed. Null = not its part. */
  readonly parentPid: number | null;
  /** File mode creation mask; null = as it is. */
  readonly umask: number | null;
  /** Added to the niceness, 0 … 19. */
  readonly nice: number;
  readonly rlimits: readonly ResourceLimit[];
  readonly landlock: LandlockRules | null;
  /** The new root, read-only but for what is mounted with `write` and the `tmpfs`. Null = the root stays. */
  readonly root: readonly Mount[] | null;
  readonly sockets: SocketsAllowed;
}

/**
 * The bytes of descriptor 3. Error: `TypeError` for what the launcher would refuse, so that it is found where it was made.
 */
export function encodeSpec(spec: ConfineSpec): Uint8Array {
  const bytes = new TextEncoder().encode(JSON.stringify(spec));
  decodeSpec(bytes);
  return bytes;
}

/** What `encodeSpec` has written. Error: `TypeError` that says which part is not what it should be. */
export function decodeSpec(bytes: Uint8Array): ConfineSpec {
  let found: unknown;
  try {
    found = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new TypeError('the launch specification is not JSON');
  }
  if (!isRecord(found)) throw new TypeError('the launch specification is not an object');
  for (const [name, fits] of Object.entries(parts)) {
    if (!fits(found[name])) throw new TypeError(`the launch specification has a wrong ${name}`);
  }
  return found as unknown as ConfineSpec;
}

type Check = (value: unknown) => boolean;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isBoolean: Check = (value) => typeof value === 'boolean';
/** C's strings end at a zero: one with a zero inside would arrive shortened. */
const isText: Check = (value) => typeof value === 'string' && !value.includes('\0');
const isPath: Check = (value) => isText(value) && String(value).startsWith('/');
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
/** -1 as an account would mean "as it is". */
const isId: Check = (value) => isCount(value) && Number(value) < 0xffff_ffff;
const listOf =
  (fits: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(fits);
const orNull =
  (fits: Check): Check =>
  (value) =>
    value === null || fits(value);
const shape =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isRecord(value) && Object.entries(fields).every(([name, fits]) => fits(value[name]));

const mountShapes: Readonly<Record<string, Check>> = {
  bind: shape({ source: isPath, target: isPath, write: isBoolean, optional: isBoolean }),
  symlink: shape({ to: isText, target: isPath }),
  tmpfs: shape({ target: isPath, bytes: isCount }),
  proc: shape({ target: isPath }),
  devices: shape({ target: isPath }),
};

const parts: Readonly<Record<keyof ConfineSpec, Check>> = {
  argv: (value) => listOf(isText)(value) && Array.isArray(value) && value.length > 0,
  env: (value) =>
    isRecord(value) &&
    Object.entries(value).every(([name, text]) => isText(name) && !name.includes('=') && isText(text)),
  inherit: listOf(isText),
  cwd: isPath,
  user: orNull(shape({ uid: isId, gid: isId })),
  parentPid: orNull(isCount),
  umask: orNull((value) => isCount(value) && Number(value) <= 0o777),
  nice: (value) => isCount(value) && Number(value) <= 19,
  rlimits: listOf(
    (value) =>
      shape({ resource: (name) => resourceNames.some((known) => known === name), soft: isCount, hard: isCount })(
        value,
      ) &&
      isRecord(value) &&
      Number(value.soft) <= Number(value.hard),
  ),
  landlock: orNull(shape({ readOnly: listOf(isPath), readWrite: listOf(isPath) })),
  root: orNull(listOf((value) => isRecord(value) && (mountShapes[String(value.kind)]?.(value) ?? false))),
  sockets: shape({ network: isBoolean, unixSockets: isBoolean }),
};

/** Programs of util-linux, absolute. */
export interface ChainTools {
  readonly setpriv: string;
  readonly unshare: string;
}

/**
 * The programs to start for `spec`, and how many processes of them stay before the task (`LaunchPlan.wrappers`). `self` is
 * this program: the compiled file, or the runtime and `src/main.ts`. It must be open to the account the chain starts as.
 * The network namespace is new unless the spec allows the network.
 */
export function chainOf(
  spec: Pick<ConfineSpec, 'root' | 'sockets'>,
  { self, tools }: { readonly self: readonly string[]; readonly tools: ChainTools },
): { readonly argv: readonly string[]; readonly wrappers: number } {
  const launcher = [...self, confineCommand];
  if (spec.root === null) return { argv: launcher, wrappers: 0 };
  const apart = ['--user', '--map-current-user', '--keep-caps', '--mount', '--pid', '--ipc', '--uts'];
  if (!spec.sockets.network) apart.push('--net');
  const argv = [
    tools.setpriv,
    '--pdeathsig',
    'KILL',
    tools.unshare,
    ...apart,
    '--fork',
    '--kill-child',
    '--',
    ...launcher,
  ];
  // `setpriv` turns into `unshare`; the launcher turns into the shell that waits for the task.
  return { argv, wrappers: 2 };
}
