/**
 * A scene for the own launcher: the compiled file where any account can start it, a directory of the task's, a home that is
 * none of its business, and three ways to hold a task. Linux only.
 */

import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConfineSpec, chainOf, encodeSpec, type Mount } from '../../src/confine/spec.ts';
import { executable } from '../e2e/executable.ts';

/** The account of tasks where the tests run as root. */
export const nobody = 65_534;
export const asRoot = process.getuid?.() === 0;

/** Landlock by a launcher started as root, Landlock by one of an ordinary account, namespaces. */
export type Way = 'landlock from root' | 'landlock' | 'namespaces';

export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Scene {
  /** Holds all of it; open to everybody. */
  readonly folder: string;
  /** The task's. */
  readonly work: string;
  /** Has `secret` in it: of the account that starts the launcher, as with a worker of an ordinary account. */
  readonly home: string;
  /** Where the task finds its directory. */
  workSeenBy(way: Way): string;
  spec(way: Way, parts: Partial<ConfineSpec>): ConfineSpec;
  /** Programs, descriptors and account for `spec`, to be started by the caller. `close` gives back the descriptor. */
  prepare(way: Way, spec: ConfineSpec): { argv: string[]; account: object; descriptor: number; close(): void };
  /** Runs a shell command held that way. */
  shell(way: Way, command: string, parts?: Partial<ConfineSpec>): Ended;
  run(way: Way, parts: Partial<ConfineSpec>, env?: Readonly<Record<string, string>>): Ended;
  close(): void;
}

const system = ['/usr', '/bin', '/sbin', '/lib', '/lib64'];
const settings = [
  '/etc/ld.so.cache',
  '/etc/alternatives',
  '/etc/java-17-openjdk',
  '/etc/ssl/openssl.cnf',
  '/etc/gitconfig',
];
const devices = ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom'];
const tools = { setpriv: '/usr/bin/setpriv', unshare: '/usr/bin/unshare' };

function rootOf(work: string): Mount[] {
  const bind = (path: string, optional: boolean): Mount => {
    return { kind: 'bind', source: path, target: path, write: false, optional };
  };
  return [
    bind('/usr', false),
    ...['bin', 'sbin', 'lib', 'lib64'].map(
      (name): Mount => ({ kind: 'symlink', to: `usr/${name}`, target: `/${name}` }),
    ),
    ...settings.map((path) => bind(path, true)),
    { kind: 'proc', target: '/proc' },
    { kind: 'devices', target: '/dev' },
    { kind: 'tmpfs', target: '/dev/shm', bytes: 1024 * 1024 },
    { kind: 'tmpfs', target: '/tmp', bytes: 1024 * 1024 },
    { kind: 'bind', source: work, target: '/task', write: true, optional: false },
  ];
}

export async function openScene(): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'octaskly-confine-'));
  chmodSync(folder, 0o755);
  const self = join(folder, 'octaskly');
  cpSync(await executable(), self);
  chmodSync(self, 0o755);
  const [work, home] = [join(folder, 'work'), join(folder, 'home')];
  for (const place of [work, home]) mkdirSync(place, { mode: 0o700 });
  writeFileSync(join(home, 'secret'), 'secret', { mode: 0o600 });
  if (asRoot) for (const place of [work, home, join(home, 'secret')]) chownSync(place, nobody, nobody);
  const workSeenBy = (way: Way): string => (way === 'namespaces' ? '/task' : work);

  const scene: Scene = {
    folder,
    work,
    home,
    workSeenBy,
    spec: (way, parts) => ({
      argv: ['/bin/true'],
      env: { PATH: '/usr/bin:/bin', HOME: workSeenBy(way), TMPDIR: workSeenBy(way) },
      inherit: [],
      cwd: workSeenBy(way),
      user: way === 'landlock from root' ? { uid: nobody, gid: nobody } : null,
      parentPid: null,
      umask: 0o077,
      nice: 5,
      rlimits: [{ resource: 'core', soft: 0, hard: 0 }],
      landlock:
        way === 'namespaces' ? null : { readOnly: [...system, ...settings, '/proc'], readWrite: [work, ...devices] },
      root: way === 'namespaces' ? rootOf(work) : null,
      sockets: { network: false, unixSockets: false },
      ...parts,
    }),
    prepare: (way, spec) => {
      const file = join(folder, 'spec');
      writeFileSync(file, encodeSpec(spec));
      const descriptor = openSync(file, 'r');
      const account = asRoot && way !== 'landlock from root' ? { uid: nobody, gid: nobody } : {};
      const { argv } = chainOf(spec, { self: [self], tools });
      return { argv: [...argv], account, descriptor, close: () => closeSync(descriptor) };
    },
    run: (way, parts, env = {}) => {
      const { argv, account, descriptor, close } = scene.prepare(way, scene.spec(way, parts));
      const stdio = { stdio: ['ignore', 'pipe', 'pipe', descriptor] as ['ignore', 'pipe', 'pipe', number] };
      const child = Bun.spawnSync(argv, { ...stdio, ...account, env: { ...env }, cwd: '/', timeout: 60_000 });
      close();
      return {
        status: child.exitCode,
        signal: child.signalCode === undefined ? null : String(child.signalCode),
        stdout: child.stdout.toString(),
        stderr: child.stderr.toString(),
      };
    },
    shell: (way, command, parts = {}) => scene.run(way, { argv: ['/bin/sh', '-c', command], ...parts }),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
  return scene;
}
