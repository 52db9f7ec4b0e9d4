/** Machines as the sandbox sees them, for its tests. */

import { type HostIsolation, notTried, type Trial } from '../../../src/core/host-isolation.ts';
import { type IsolationDemand, noDemand, noLimits, type TaskLimits } from '../../../src/core/isolation.ts';
import type { TaskArea } from '../../../src/ports/files.ts';
import type { Assignment } from '../../../src/wire/messages.ts';
import { createSandbox } from '../../../src/worker/sandbox.ts';
import { assignment } from './fakes.ts';

export const works: Trial = { works: true, why: '' };
export const failed = (why: string): Trial => ({ works: false, why });
const idle = { strict: notTried, veryStrict: notTried };

/** An ordinary Linux machine with bubblewrap, without a cgroup of its own. */
export const debian: HostIsolation = {
  platform: 'linux',
  arch: 'x64',
  accountName: 'ada',
  isRoot: false,
  pid: 4711,
  marks: ['MARK'],
  taskUser: null,
  paths: {
    readOnly: ['/usr'],
    links: [
      { path: '/bin', target: 'usr/bin' },
      { path: '/lib', target: 'usr/lib' },
    ],
    extra: ['/opt'],
    resolvConf: '/run/systemd/resolve/stub-resolv.conf',
    hidden: ['/home/ada', '/opt/octaskly'],
  },
  bubblewrap: { path: '/usr/bin/bwrap', version: '0.8.0', strict: works, veryStrict: works },
  launcher: {
    self: ['/opt/octaskly'],
    tools: { setpriv: '/usr/bin/setpriv', unshare: '/usr/bin/unshare' },
    namespaces: idle,
    landlock: notTried,
  },
  sandboxExec: null,
  prlimit: '/usr/bin/prlimit',
  countsPerNamespace: true,
  cgroup: { memory: false, processes: false, cpu: false },
  jobObjects: false,
  watcher: true,
};

export const area: TaskArea = { directory: '/var/tasks/1', temporary: '/var/tasks/1.tmp', user: null };

/** An assignment that asks for isolation. */
export function asking(
  demand: Partial<Omit<IsolationDemand, 'limits'>> & { readonly limits?: Partial<TaskLimits> },
  spec: Partial<Assignment['spec']> = {},
): Assignment {
  const base = assignment('a', 1, spec);
  const isolation = { ...noDemand, ...demand, limits: { ...noLimits, ...demand.limits } };
  return { ...base, spec: { ...base.spec, requires: { ...base.spec.requires, isolation } } };
}

/** What a worker at level `none` on `host` would launch. */
export function planOf(host: HostIsolation, task: Assignment, where: TaskArea = area) {
  const sandbox = createSandbox(host, { least: 'none', ownEnvironment: { PATH: '/usr/bin', HOME: '/home/ada' } });
  const prepared = sandbox.prepare(task.spec.requires.isolation);
  return sandbox.plan(task, { prepared, area: where, marker: 'a.1', workerName: 'attic' });
}

/** The words of a descriptor that ends each with a NUL character. */
export function wordsOf(descriptor: Uint8Array | undefined): string[] {
  return new TextDecoder().decode(descriptor).split('\0').slice(0, -1);
}
