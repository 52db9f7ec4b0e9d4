/**
 * What a worker runs tasks with on this machine: where they lie, how they are kept apart, who launches them, the files kept
 * for them. Deliberately not here: the worker itself, and by what it joins (`worker.ts`, `membership.ts`).
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import type { WorkerValues } from '../cli/options.ts';
import { type Isolation, isAtLeast } from '../core/isolation.ts';
import type { Log } from '../ports/time.ts';
import { awakeWhileRunning } from '../runtime/awake.ts';
import { createBlobCache } from '../runtime/blob-cache.ts';
import { openCgroups } from '../runtime/cgroup.ts';
import { systemClock } from '../runtime/clock.ts';
import { keptOutputsFile } from '../runtime/kept-outputs-file.ts';
import { createLauncher } from '../runtime/launcher.ts';
import { createTaskFiles } from '../runtime/task-files.ts';
import { findTaskUser } from '../runtime/task-user.ts';
import { createWorkspace } from '../runtime/workspace.ts';
import { KeptOutputs } from '../worker/kept-outputs.ts';
import { offersOf, rootWarning } from '../worker/offers.ts';
import type { WorkerParts } from '../worker/parts.ts';
import { createSandbox } from '../worker/sandbox.ts';
import { closedRoot, findIsolation, requireLeast, taskRoot } from './isolation.ts';
import { watchSpace } from './space.ts';

const mebibyte = 1024 * 1024;

type TaskParts = Pick<WorkerParts, 'launcher' | 'workspace' | 'files' | 'kept' | 'sandbox'>;

/** Stands until it is left. */
export interface Ground {
  /** What the worker promises by it. */
  readonly isolation: Isolation;
  readonly blobs: ReturnType<typeof createBlobCache>;
  readonly tasks: TaskParts;
  /** No task runs here any more. */
  leave(): Promise<void>;
}

interface Whose {
  /** Id of the worker. */
  readonly id: string;
  readonly dataDir: string;
  /** The worker's own folder in it. */
  readonly directory: string;
  readonly log: Log;
}

/** Looks at the machine, and clears away what an earlier run left of tasks. Errors: `usage`, `io`, `forbidden`. */
export async function prepareGround(values: WorkerValues, { id, dataDir, directory, log }: Whose): Promise<Ground> {
  const taskUser = findTaskUser(values.taskUser);
  const root = taskRoot({ workDir: values.workDir, id, directory }, taskUser);
  const closed = closedRoot(root, taskUser);
  if (closed !== null && isAtLeast(values.sandboxLevel, 'strict')) throw new OctasklyError('usage', closed);
  if (closed !== null) log.warn(closed);
  const workspace = createWorkspace({ root, shared: taskUser !== null, log });
  workspace.sweep();
  const cgroups = await openCgroups();
  const host = await findIsolation({ taskUser, hidden: [dataDir, root], cgroup: cgroups.facts, workspace });
  const isolation = offersOf(host, values.sandboxLevel);
  requireLeast(isolation);
  const rights = rootWarning(host, values.sandboxLevel);
  if (rights !== null) log.warn(rights);
  // Only this worker's own account needs to reach what is kept for later tasks.
  const keeping = values.workDir === undefined ? directory : root;
  if (keeping !== root) log.info(`tasks run below ${root}: the data directory is closed to ${taskUser?.name}`);
  const unwatch = watchSpace(dataDir, log);
  const plain = createLauncher({ log, cgroups });
  const launcher = values.keepAwake ? awakeWhileRunning(plain, { clock: systemClock, log }) : plain;
  const { blobs, kept } = openCache(keeping, values.cacheMb * mebibyte, log);
  return {
    isolation,
    blobs,
    tasks: {
      ...{ launcher, workspace, kept },
      files: createTaskFiles({ cache: blobs, log }),
      sandbox: createSandbox(host, { least: values.sandboxLevel, ownEnvironment: process.env }),
    },
    async leave() {
      launcher.close();
      await workspace.settled();
      unwatch();
      // Outside the data directory nobody would look for what is left of a worker.
      if (keeping !== root) rmSync(root, { recursive: true, force: true });
    },
  };
}

/** The files kept in the folder `directory`, with those among them that tasks want to stay here. */
function openCache(directory: string, bytesMax: number, log: Log) {
  const { list, found } = keptOutputsFile(directory, log);
  const held = found.flatMap(({ files }) => files.map(({ blob }) => blob));
  const blobs = createBlobCache({ directory: join(directory, 'blobs'), bytesMax, log, held });
  return { blobs, kept: new KeptOutputs({ blobs, list, found, bytesMax, log }) };
}
