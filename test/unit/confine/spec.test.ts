/** The launcher's spec on its way, and the chain of programs for it. */

import { describe, expect, test } from 'bun:test';
import { type ConfineSpec, chainOf, decodeSpec, encodeSpec } from '../../../src/confine/spec.ts';

const spec: ConfineSpec = {
  argv: ['/bin/sh', '-c', 'printf "%s" "ünï\n"'],
  env: { PATH: '/usr/bin:/bin', EMPTY: '', LD_PRELOAD: '/x.so' },
  inherit: ['OCTASKLY_MARK'],
  cwd: '/srv/task',
  user: { uid: 65534, gid: 65534 },
  parentPid: 42,
  umask: 0o077,
  nice: 5,
  rlimits: [{ resource: 'cpu', soft: 1, hard: 2 }],
  landlock: { readOnly: ['/usr'], readWrite: ['/srv/task'] },
  root: [
    { kind: 'bind', source: '/usr', target: '/usr', write: false, optional: false },
    { kind: 'symlink', to: 'usr/bin', target: '/bin' },
    { kind: 'tmpfs', target: '/tmp', bytes: 4096 },
    { kind: 'proc', target: '/proc' },
    { kind: 'devices', target: '/dev' },
  ],
  sockets: { network: false, unixSockets: false },
};

/** `spec` with some parts replaced by what the types would not allow. */
function encoded(parts: Readonly<Record<string, unknown>>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ ...spec, ...parts }));
}

describe('decodeSpec()', () => {
  test('gives back what encodeSpec() was given', () => {
    expect(decodeSpec(encodeSpec(spec))).toEqual(spec);
    const least = { ...spec, user: null, parentPid: null, umask: null, landlock: null, root: null, rlimits: [] };
    expect(decodeSpec(encodeSpec(least))).toEqual(least);
  });

  test.each([
    ['argv', []],
    ['argv', ['a\0b']],
    ['argv', [1]],
    ['argv', 'true'],
    ['env', { 'A=B': 'c' }],
    ['env', { A: 'c\0d' }],
    ['env', []],
    ['inherit', null],
    ['cwd', 'relative'],
    ['user', { uid: -1, gid: 0 }],
    ['user', { uid: 0xffffffff, gid: 0 }],
    ['user', { uid: 1 }],
    ['parentPid', 1.5],
    ['umask', 0o1000],
    ['nice', -1],
    ['nice', 20],
    ['rlimits', [{ resource: 'as', soft: 1, hard: 1 }]],
    ['rlimits', [{ resource: 'cpu', soft: 2, hard: 1 }]],
    ['landlock', { readOnly: ['/usr'] }],
    ['landlock', { readOnly: ['usr'], readWrite: [] }],
    ['root', [{ kind: 'overlay', target: '/x' }]],
    ['root', [{ kind: 'bind', source: '/x', target: '/x', write: 1, optional: false }]],
    ['root', [{ kind: 'tmpfs', target: '/x' }]],
    ['sockets', { network: true }],
    ['sockets', undefined],
  ])('refuses %s: %j, and names it', (name, value) => {
    expect(() => decodeSpec(encoded({ [name]: value }))).toThrow(
      new TypeError(`the launch specification has a wrong ${name}`),
    );
  });

  test('refuses what is cut short, empty, or not text', () => {
    const whole = encodeSpec(spec);
    for (const length of [0, 1, whole.length - 1]) {
      expect(() => decodeSpec(whole.subarray(0, length))).toThrow('is not JSON');
    }
    expect(() => decodeSpec(new Uint8Array([0xff, 0xfe]))).toThrow('is not JSON');
    expect(() => decodeSpec(new TextEncoder().encode('null'))).toThrow('is not an object');
  });
});

test('encodeSpec() refuses what the launcher would', () => {
  expect(() => encodeSpec({ ...spec, argv: [] })).toThrow('a wrong argv');
});

describe('chainOf()', () => {
  const around = { self: ['/opt/octaskly'], tools: { setpriv: '/bin/setpriv', unshare: '/bin/unshare' } };

  test('is the launcher alone when the root stays', () => {
    expect(chainOf({ ...spec, root: null }, around)).toEqual({ argv: ['/opt/octaskly', '__exec'], wrappers: 0 });
  });

  test('makes namespaces that end with whoever started them', () => {
    const { argv, wrappers } = chainOf(spec, around);
    expect(argv.slice(0, 4)).toEqual(['/bin/setpriv', '--pdeathsig', 'KILL', '/bin/unshare']);
    for (const option of ['--user', '--mount', '--pid', '--ipc', '--uts', '--net', '--kill-child', '--keep-caps'])
      expect(argv).toContain(option);
    expect(argv.slice(-3)).toEqual(['--', '/opt/octaskly', '__exec']);
    expect(wrappers).toBe(2);
  });

  test('leaves the network where the task may use it', () => {
    const { argv } = chainOf({ ...spec, sockets: { network: true, unixSockets: true } }, around);
    expect(argv).not.toContain('--net');
  });
});
