/** The worker role: builds what a worker needs, runs it until it is told to stop. */

import { rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import type { WorkerValues } from '../cli/options.ts';
import type { Isolation } from '../core/isolation.ts';
import { namePattern } from '../core/names.ts';
import type { WorkerDeclaration } from '../core/worker.ts';
import type { Log } from '../ports/time.ts';
import { createBlobCache } from '../runtime/blob-cache.ts';
import { openCgroups } from '../runtime/cgroup.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { nativeCrypto, pskFromSecret } from '../runtime/crypto.ts';
import { ensureDir, nodeKey, storedSecret, type WorkerHome, workerHome } from '../runtime/data-dir.ts';
import { detectResources, readVitals } from '../runtime/host.ts';
import { createLauncher } from '../runtime/launcher.ts';
import { createLinks } from '../runtime/links.ts';
import { createTaskFiles } from '../runtime/task-files.ts';
import { findTaskUser } from '../runtime/task-user.ts';
import { createWorkspace } from '../runtime/workspace.ts';
import { version } from '../version.ts';
import { offersOf } from '../worker/offers.ts';
import { createSandbox } from '../worker/sandbox.ts';
import { Worker, type WorkerEnd } from '../worker/worker.ts';
import { absolute, givenSecret, logOf, onStopSignals } from './common.ts';
import { findIsolation, requireLeast, taskRoot } from './isolation.ts';

const mebibyte = 1024 * 1024;

/** A worker that runs. */
export interface RunningWorker {
  readonly ended: Promise<WorkerEnd>;
  leave(): void;
  stop(): void;
}

/** Runs a worker until a signal ends it. Exit status 0, or 1 when it could not go on. */
export async function runWorker(values: WorkerValues): Promise<number> {
  const log = logOf(values);
  return untilStopped(await startWorker(values, log), log);
}

/** Waits for a worker's end, which the first signal asks for and the second forces; its exit status. */
export async function untilStopped(worker: RunningWorker, log: Log): Promise<number> {
  const quietly = onStopSignals(
    () => {
      log.info('stopping when the running tasks have ended; again to stop now');
      worker.leave();
    },
    () => worker.stop(),
  );
  const end = await worker.ended;
  quietly();
  if (!end.ok) log.error(end.detail);
  return end.ok ? 0 : 1;
}

/** Starts a worker with settled options. Errors: `usage`, `in_use`, `io`, `forbidden`. */
export async function startWorker(values: WorkerValues, log: Log): Promise<RunningWorker> {
  const dataDir = absolute(values.dataDir);
  const secret = givenSecret(values) ?? (await secretHere(dataDir, values, log));
  if (values.name !== undefined) checkName('--name', values.name);
  if (values.id !== undefined) checkName('--id', values.id);
  ensureDir(dataDir);
  const home = workerHome(dataDir, values.name ?? null);
  const taskUser = findTaskUser(values.taskUser);
  const id = values.id ?? home.id;
  const root = taskRoot({ workDir: values.workDir, id, directory: home.directory }, taskUser);
  const workspace = createWorkspace({ root, shared: taskUser !== null, log });
  workspace.sweep();
  const cgroups = await openCgroups();
  const host = await findIsolation({ taskUser, hidden: [dataDir, root], cgroup: cgroups.facts, workspace });
  const isolation = offersOf(host, values.sandboxLevel);
  requireLeast(isolation);
  const launcher = createLauncher({ log, cgroups });
  // Only this worker's own account needs to reach what is kept for later tasks.
  const kept = values.workDir === undefined ? home.directory : root;
  if (kept !== root) log.info(`tasks run below ${root}: the data directory is closed to ${taskUser?.name}`);
  const blobs = createBlobCache({ directory: join(kept, 'blobs'), bytesMax: values.cacheMb * mebibyte, log });
  const worker = new Worker({
    clock: systemClock,
    random: systemRandom,
    links: createLinks({
      crypto: nativeCrypto,
      staticKeypair: nodeKey(home.directory),
      psk: pskFromSecret(secret),
      log,
    }),
    log,
    launcher,
    workspace,
    blobs,
    files: createTaskFiles({ cache: blobs, log }),
    sandbox: createSandbox(host, { least: values.sandboxLevel, ownEnvironment: process.env }),
    declaration: await declare(values, home, isolation),
    addresses: (values.dispatcher.length === 0 ? [{ host: '127.0.0.1', port: null }] : values.dispatcher).map(
      ({ host, port }) => ({ host, port: port ?? values.port }),
    ),
    readVitals,
    onStatus: (sentence) => log.info(sentence),
  });
  const ended = worker.run().finally(async () => {
    launcher.close();
    await workspace.settled();
    // Outside the data directory nobody would look for what is left of a worker.
    if (kept !== root) rmSync(root, { recursive: true, force: true });
    home.lock.release();
  });
  return { ended, leave: () => worker.leave(), stop: () => worker.stop() };
}

/** How long a worker waits for a dispatcher that is started beside it to make the secret, and how often it looks. */
const secretPatienceMs = 10_000;
const secretLookMs = 100;

/** The secret kept in the data directory; beside a dispatcher that is just starting it may take a moment to be there. */
async function secretHere(dataDir: string, values: WorkerValues, log: Log): Promise<string> {
  const local = values.dispatcher.every(
    ({ host }) => host === 'localhost' || host === '::1' || host.startsWith('127.'),
  );
  const deadline = systemClock.steady() + (local ? secretPatienceMs : 0);
  for (let looks = 0; ; looks++) {
    const secret = storedSecret(dataDir);
    if (secret !== null) return secret;
    if (systemClock.steady() >= deadline) break;
    if (looks === 0) log.info('waiting for a dispatcher on this machine to make the cluster secret', { in: dataDir });
    await new Promise<void>((resolve) => systemClock.after(secretLookMs, resolve));
  }
  throw new OctasklyError(
    'usage',
    `This worker has no cluster secret: there is none in "${dataDir}". Copy the dispatcher's (the file "secret" in its data directory) and give it with --secret-file FILE or OCTASKLY_SECRET.`,
  );
}

function checkName(flag: string, value: string): void {
  if (namePattern.test(value)) return;
  throw new OctasklyError(
    'usage',
    `${flag} "${value}" is not a name: up to 64 letters, digits, ".", "_" and "-" are, beginning with a letter or digit.`,
  );
}

async function declare(values: WorkerValues, home: WorkerHome, isolation: Isolation): Promise<WorkerDeclaration> {
  const detected = await detectResources();
  return {
    ...detected,
    id: values.id ?? home.id,
    name: values.name ?? nameOfHost(),
    processId: Buffer.from(systemRandom.bytes(8)).toString('hex'),
    version,
    slots: values.maxJobs,
    cpuCores: values.cpuCores ?? detected.cpuCores,
    memoryMb: values.memoryMb ?? detected.memoryMb,
    gpu: values.gpu ?? detected.gpu,
    labels: Object.fromEntries(values.label),
    isolation,
  };
}

function nameOfHost(): string {
  const name =
    hostname()
      .split('.')[0]
      ?.replace(/[^A-Za-z0-9._-]/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 58) ?? '';
  return name === '' ? 'worker' : name;
}
