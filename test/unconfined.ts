/** What a launch plan says of a command that nothing is done to. */

import type { LaunchPlan } from '../src/ports/processes.ts';

export const unconfined: Omit<LaunchPlan, 'argv' | 'env' | 'cwd' | 'stdin' | 'marker'> = {
  descriptors: [],
  user: null,
  umask: null,
  nice: 0,
  wrappers: 0,
  limits: { cpuTimeMs: null, memoryBytes: null, diskBytes: null, processes: null },
  directories: [],
};
