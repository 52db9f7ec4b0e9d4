/** The system-call filter, run instruction by instruction over every call number of both architectures. */

import { describe, expect, test } from 'bun:test';
import { deniedCalls, denyFilter, type FilterArch, unknownCalls } from '../../../src/confine/seccomp.ts';
import type { SocketsAllowed } from '../../../src/confine/spec.ts';
import { runFilter } from './bpf.ts';

const kill = 0x80000000;
const eperm = 0x00050001;
const eacces = 0x0005000d;
const enosys = 0x00050026;
const allow = 0x7fff0000;

const machines = {
  x64: { audit: 0xc000003e, clone: 56, ioctl: 16, socket: 41, socketpair: 53, column: 0 },
  arm64: { audit: 0xc00000b7, clone: 220, ioctl: 29, socket: 198, socketpair: 199, column: 1 },
} as const;
const arches: FilterArch[] = ['x64', 'arm64'];
const closed: SocketsAllowed = { network: false, unixSockets: false };
/** Past the last number either architecture has. */
const callsEnd = 600;

const CLONE_THREAD_FLAGS = 0x003d0f00n;
const CLONE_NEWUSER = 0x10000000n;
const SOCK_CLOEXEC = 0o2000000n;
const SOCK_NONBLOCK = 0o4000n;

/** Asks the filter about one call of its own architecture. */
function asking(arch: FilterArch, sockets: SocketsAllowed) {
  const filter = denyFilter(arch, sockets);
  return (call: number, ...args: bigint[]) => runFilter(filter, { call, arch: machines[arch].audit, args });
}

describe.each(arches)('denyFilter() for %s', (arch) => {
  const machine = machines[arch];
  const numbersIn = (calls: typeof deniedCalls) => Object.values(calls).map((pair) => pair[machine.column]);

  test('answers every number: denied, unknown, or allowed', () => {
    const ask = asking(arch, closed);
    const denied = numbersIn(deniedCalls);
    const unknown = numbersIn(unknownCalls);
    const wrong: string[] = [];
    for (let call = 0; call < callsEnd; call++) {
      // All zero: a socket and a pair of no family.
      let expected = allow;
      if (call === machine.socket || call === machine.socketpair) expected = eacces;
      if (denied.includes(call)) expected = eperm;
      if (unknown.includes(call)) expected = enosys;
      if (ask(call) !== expected) wrong.push(`${call}: ${ask(call).toString(16)}`);
    }
    expect(wrong).toEqual([]);
  });

  test('names no call twice', () => {
    const numbers = [...numbersIn(deniedCalls), ...numbersIn(unknownCalls)].filter((call) => call !== null);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.length).toBeGreaterThan(50);
  });

  test('kills what calls in the name of another architecture', () => {
    const filter = denyFilter(arch, closed);
    for (const audit of [0x40000003, 0x40000028, machines[arch === 'x64' ? 'arm64' : 'x64'].audit, 0]) {
      expect(runFilter(filter, { call: 1, arch: audit, args: [] })).toBe(kill);
    }
  });

  test('lets clone make threads and processes, and no namespaces', () => {
    const ask = asking(arch, closed);
    expect(ask(machine.clone, 17n)).toBe(allow);
    expect(ask(machine.clone, CLONE_THREAD_FLAGS)).toBe(allow);
    for (const bit of [17n, 25n, 26n, 27n, 28n, 29n, 30n]) expect(ask(machine.clone, (1n << bit) | 17n)).toBe(eperm);
    // The kernel looks at the low half alone, and so does the filter.
    expect(ask(machine.clone, (0xffffffffn << 32n) | CLONE_NEWUSER)).toBe(eperm);
  });

  test('keeps characters out of the input of a terminal', () => {
    const ask = asking(arch, closed);
    expect(ask(machine.ioctl, 0n, 0x5412n)).toBe(eperm);
    expect(ask(machine.ioctl, 0n, (1n << 32n) | 0x5412n)).toBe(eperm);
    expect(ask(machine.ioctl, 0n, 0x541cn)).toBe(eperm);
    expect(ask(machine.ioctl, 0n, 0x5413n)).toBe(allow);
  });

  test.each([
    [{ network: false, unixSockets: false }, []],
    [{ network: false, unixSockets: true }, [1]],
    [{ network: true, unixSockets: false }, [2, 10, 16]],
    [{ network: true, unixSockets: true }, [1, 2, 10, 16]],
  ] as const)('with %o allows sockets of the families %o alone', (sockets, families: readonly number[]) => {
    const ask = asking(arch, sockets);
    const open: number[] = [];
    for (let family = 0; family < 64; family++) {
      const answer = ask(machine.socket, BigInt(family), 1n);
      if (answer === allow) open.push(family);
      else expect(answer).toBe(eacces);
    }
    expect(open).toEqual([...families]);
  });

  test('keeps pairs of streams, and pairs that could be connected elsewhere only where sockets are open', () => {
    const ask = asking(arch, closed);
    const flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    for (const type of [1n, 5n]) expect(ask(machine.socketpair, 1n, type | flags)).toBe(allow);
    // Datagram, and raw, which AF_UNIX takes for datagram.
    for (const type of [0n, 2n, 3n, 4n]) expect(ask(machine.socketpair, 1n, type | flags)).toBe(eacces);
    expect(ask(machine.socketpair, 30n, 1n)).toBe(eacces);
    const open = asking(arch, { network: false, unixSockets: true });
    expect(open(machine.socketpair, 1n, 2n)).toBe(allow);
    expect(open(machine.socketpair, 30n, 1n)).toBe(eacces);
  });

  test('is a program the kernel takes: whole instructions, not too many, jumps within it', () => {
    const filter = denyFilter(arch, { network: true, unixSockets: true });
    expect(filter.length % 8).toBe(0);
    expect(filter.length / 8).toBeLessThan(4096);
    const code = new DataView(filter.buffer);
    for (let at = 0; at < filter.length; at += 8) {
      if (![0x15, 0x35, 0x45].includes(code.getUint16(at, true))) continue;
      expect(at + 8 + 8 * Math.max(code.getUint8(at + 2), code.getUint8(at + 3))).toBeLessThan(filter.length);
    }
    expect(code.getUint16(filter.length - 8, true)).toBe(0x06);
  });
});

test('denyFilter() for x64 denies the calls of x32, whatever they are', () => {
  const ask = asking('x64', closed);
  for (const call of [0, 1, 59, 520, 0x3fffffff]) expect(ask(0x40000000 + call)).toBe(eperm);
  expect(ask(0xffffffff)).toBe(eperm);
});

test('denyFilter() leaves what programs live on', () => {
  const ask = asking('x64', closed);
  // read, write, mmap, rt_sigaction, execve, wait4, kill, futex, openat, prlimit64, seccomp, getrandom, vfork
  for (const call of [0, 1, 9, 13, 59, 61, 62, 202, 257, 302, 317, 318, 58]) expect(ask(call)).toBe(allow);
  const arm = asking('arm64', closed);
  for (const call of [63, 64, 222, 134, 221, 260, 129, 98, 56, 261, 277, 278]) expect(arm(call)).toBe(allow);
});
