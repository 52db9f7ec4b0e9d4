/**
 * The system-call filter of the strict levels, as a classic BPF program: pure bytes, for seccomp(2) and for the
 * `--seccomp` of bubblewrap.
 *
 * A deny list: what administers the machine, what reaches into other processes, what opens much of the kernel to a
 * stranger, answers EPERM as it would to any ordinary account. io_uring and clone3 answer ENOSYS, since programs then
 * fall back to the older calls, which can be looked into. New namespaces are denied, and so is what they would lead to.
 * Sockets are an allow list by family and answer EACCES. Of socketpair, streams stay: a datagram end could be
 * connected to any path afterwards (SOCK_RAW of AF_UNIX is one too).
 * Deliberately not here: allow lists of calls (each program and each library version needs others), and anything that
 * depends on memory, which a filter cannot see.
 * Invariants: another architecture's calls kill the process, x32's are denied: no numbers but the checked ones count.
 * References: seccomp(2), Linux Documentation/userspace-api/seccomp_filter.rst; numbers from Linux's
 * arch/x86/entry/syscalls/syscall_64.tbl (x64) and include/uapi/asm-generic/unistd.h (arm64).
 */

import type { SocketsAllowed } from './spec.ts';

export type FilterArch = 'x64' | 'arm64';

/** Bytes of one instruction: u16 code, u8 jump if true, u8 jump if false, u32 k. */
export const instructionBytes = 8;

/** Denied everywhere, as [x64, arm64]; null = that architecture never had it. */
export const deniedCalls: Readonly<Record<string, readonly [x64: number | null, arm64: number | null]>> = {
  // Other processes.
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  move_pages: [279, 239],
  migrate_pages: [256, 238],
  // Mounts, roots, namespaces.
  mount: [165, 40],
  umount2: [166, 39],
  mount_setattr: [442, 442],
  move_mount: [429, 429],
  open_tree: [428, 428],
  open_tree_attr: [467, 467],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  pivot_root: [155, 41],
  chroot: [161, 51],
  unshare: [272, 97],
  setns: [308, 268],
  // Files by handle, past the paths that are held.
  open_by_handle_at: [304, 265],
  name_to_handle_at: [303, 264],
  fanotify_init: [300, 262],
  // Programs and modules in the kernel.
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  create_module: [174, null],
  query_module: [178, null],
  get_kernel_syms: [177, null],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  // Keys of the kernel, which no namespace keeps apart.
  keyctl: [250, 219],
  add_key: [248, 217],
  request_key: [249, 218],
  // The machine: clock, name, swap, quota, accounting, log, ports.
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  adjtimex: [159, 171],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  reboot: [169, 142],
  swapon: [167, 224],
  swapoff: [168, 225],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  acct: [163, 89],
  syslog: [103, 116],
  vhangup: [153, 58],
  iopl: [172, null],
  ioperm: [173, null],
  // Left over from other times.
  modify_ldt: [154, null],
  uselib: [134, null],
  ustat: [136, null],
  sysfs: [139, null],
  _sysctl: [156, null],
  vserver: [236, null],
  nfsservctl: [180, 42],
  lookup_dcookie: [212, 18],
};

/** Answered as if the kernel had never heard of them. */
export const unknownCalls: typeof deniedCalls = {
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  clone3: [435, 435],
};

interface Numbers {
  /** AUDIT_ARCH_… of linux/audit.h. */
  readonly audit: number;
  readonly clone: number;
  readonly ioctl: number;
  readonly socket: number;
  readonly socketpair: number;
}

const numbersOf: Readonly<Record<FilterArch, Numbers>> = {
  x64: { audit: 0xc000_003e, clone: 56, ioctl: 16, socket: 41, socketpair: 53 },
  arm64: { audit: 0xc000_00b7, clone: 220, ioctl: 29, socket: 198, socketpair: 199 },
};

/** CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID and NET of sched.h. */
const newNamespaces = 0x7e02_0000;
/** __X32_SYSCALL_BIT: x32 shares the architecture's name with x64. */
const x32Bit = 0x4000_0000;
/** Puts characters into a terminal's input; and the console's way of doing the same. */
const terminalInput = [0x5412, 0x541c];
const family = { unix: 1, inet: 2, inet6: 10, netlink: 16 };
const socketType = { mask: 0xf, stream: 1, seqpacket: 5 };

// Offsets into struct seccomp_data; the low half of an argument comes first, and the kernel looks at no more than that
// of these arguments.
const callAt = 0;
const archAt = 4;
const argumentAt = (index: number): number => 16 + 8 * index;

const answer = {
  kill: 0x8000_0000,
  eperm: 0x0005_0001,
  eacces: 0x0005_000d,
  enosys: 0x0005_0026,
  allow: 0x7fff_0000,
};

/**
 * An instruction as the two words it has in memory: code and jumps, then k. Numbers in a row, since the launcher makes
 * the filter at the start of every task, and lists of lists would cost it a millisecond there.
 */
type Words = readonly number[];

const load = (offset: number): Words => [0x20, offset];
const mask = (bits: number): Words => [0x54, bits];
const end = (result: number): Words => [0x06, result];
/** Jumps over `skip` instructions unless the loaded value is `k`, is at least `k`, has one of the bits `k`. */
const unlessEqual = (k: number, skip: number): Words => [0x15 | (skip << 24), k];
const unlessAtLeast = (k: number, skip: number): Words => [0x35 | (skip << 24), k];
const unlessAny = (k: number, skip: number): Words => [0x45 | (skip << 24), k];

/** Jumps over one instruction if the loaded value is k. */
const jumpIfEqual = 0x15 | (1 << 16);

const endIf = (k: number, result: number): Words => [...unlessEqual(k, 1), ...end(result)];

/** What is asked about one call: `steps` may end it, and what they leave is allowed. */
function about(call: number, steps: Words): Words {
  return [...unlessEqual(call, steps.length / 2 + 1), ...steps, ...end(answer.allow)];
}

/** Allows the values in the loaded word that are listed; ends with EACCES otherwise. */
function only(values: readonly number[]): Words {
  return [...values.flatMap((value) => endIf(value, answer.allow)), ...end(answer.eacces)];
}

/** The answer to each of `calls`, as `endIf` has it. */
function pushEach(words: number[], calls: typeof deniedCalls, arch: FilterArch, result: number): void {
  const column = arch === 'x64' ? 0 : 1;
  const [equal = 0] = unlessEqual(0, 1);
  const [ending = 0] = end(result);
  for (const name in calls) {
    const call = calls[name]?.[column] ?? null;
    if (call !== null) words.push(equal, call, ending, result);
  }
}

/** The filter for `arch`: under 200 instructions of 8 bytes, little endian, as both processors have it. */
export function denyFilter(arch: FilterArch, { network, unixSockets }: SocketsAllowed): Uint8Array<ArrayBuffer> {
  const numbers = numbersOf[arch];
  const families = [
    ...(network ? [family.inet, family.inet6, family.netlink] : []),
    ...(unixSockets ? [family.unix] : []),
  ];
  const pairs = unixSockets
    ? end(answer.allow)
    : [...load(argumentAt(1)), ...mask(socketType.mask), ...only([socketType.stream, socketType.seqpacket])];
  const words = [...load(archAt), jumpIfEqual, numbers.audit, ...end(answer.kill), ...load(callAt)];
  if (arch === 'x64') words.push(...unlessAtLeast(x32Bit, 1), ...end(answer.eperm));
  pushEach(words, deniedCalls, arch, answer.eperm);
  pushEach(words, unknownCalls, arch, answer.enosys);
  const terminal = terminalInput.flatMap((request) => endIf(request, answer.eperm));
  words.push(
    ...about(numbers.clone, [...load(argumentAt(0)), ...unlessAny(newNamespaces, 1), ...end(answer.eperm)]),
    ...about(numbers.ioctl, [...load(argumentAt(1)), ...terminal]),
    ...about(numbers.socket, [...load(argumentAt(0)), ...only(families)]),
    ...about(numbers.socketpair, [
      ...load(argumentAt(0)),
      ...unlessEqual(family.unix, pairs.length / 2),
      ...pairs,
      ...end(answer.eacces),
    ]),
    ...end(answer.allow),
  );
  return new Uint8Array(new Uint32Array(words).buffer);
}
