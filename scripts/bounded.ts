/**
 * A bound on the processes of the tests, which let fork bombs loose: on a busy machine one may grow faster than it is
 * found, and would fill the process table of everything else. As root with a control group for pids (either version);
 * elsewhere the tests run as they are.
 */

import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Far more than the tests need, far less than a machine has. */
const processesMax = 6000;

export interface Bounded {
  /** The command line that runs `command` within the bound. */
  within(command: readonly string[]): readonly string[];
  /** Takes the bound away, once nothing runs in it any more. */
  end(): void;
}

/** The bound, or none. Never throws: without it the tests run all the same. */
export function boundProcesses(): Bounded {
  for (const mount of ['/sys/fs/cgroup/pids', '/sys/fs/cgroup']) {
    const group = join(mount, `octaskly-tests-${process.pid}`);
    try {
      if (!existsSync(join(mount, 'cgroup.procs'))) continue;
      mkdirSync(group);
      writeFileSync(join(group, 'pids.max'), String(processesMax));
    } catch {
      remove(group);
      continue;
    }
    const enter = `echo $$ >'${group}/cgroup.procs' && exec "$@"`;
    return { within: (command) => ['sh', '-c', enter, 'sh', ...command], end: () => remove(group) };
  }
  return { within: (command) => command, end: () => undefined };
}

function remove(group: string): void {
  try {
    rmdirSync(group);
  } catch {
    // It was never there, or something of it still ends; an empty group costs nothing.
  }
}
