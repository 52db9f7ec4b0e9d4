/** The worker role: builds what a worker needs, runs it until it is told to stop. */

import { hostname } from 'node:os';
import { OctasklyError } from '../base/errors.ts';
import { isLoopbackHost } from '../base/place.ts';
import type { WorkerValues } from '../cli/options.ts';
import type { Isolation } from '../core/isolation.ts';
import type { WorkerDeclaration } from '../core/worker.ts';
import type { WorkerProgram } from '../ports/program.ts';
import type { Log } from '../ports/time.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { keptCredential, setIdentityAside } from '../runtime/credential.ts';
import { nativeCrypto } from '../runtime/crypto.ts';
import { ensurePrivateDir, nodeId, nodeKey, workerHome } from '../runtime/data-dir.ts';
import { keepHardware, readHardware, wasCopied } from '../runtime/hardware.ts';
import { createSlowdown } from '../runtime/heat.ts';
import { detectResources, readVitals } from '../runtime/host.ts';
import { goesWithout } from '../runtime/libc.ts';
import { createLinks } from '../runtime/links.ts';
import type { ProcessLog } from '../runtime/log.ts';
import { isMetered } from '../runtime/metered.ts';
import { shieldMemory } from '../runtime/own-secrets.ts';
import { untouchedSeconds } from '../runtime/untouched.ts';
import { ownWakeAddresses } from '../runtime/waker.ts';
import { version } from '../version.ts';
import { Worker, type WorkerEnd } from '../worker/worker.ts';
import { announceWorker } from './announcing.ts';
import { absolute, checkName, givenSecret, logOf, nameFromHost, onStopSignals } from './common.ts';
import { openFinder } from './finding.ts';
import { findMembership, inviteIn, type Membership } from './membership.ts';
import { openPeers } from './peers.ts';
import { dialTransport } from './transports.ts';
import { prepareGround } from './worker-ground.ts';
import { fixedProgram, isTrial, OwnProgram, trialJoinMs } from './worker-program.ts';

/** Of a trial: what its goodbye may take, and the time between two tries, ms. */
const joinedMs = 200;
const againMs = 1000;

/** A worker that runs. */
export interface RunningWorker {
  readonly ended: Promise<WorkerEnd>;
  leave(): void;
  stop(): void;
}

/**
 * Runs a worker until a signal ends it, or it is to run by another file of the program. Exit status 0, or 1 when it could
 * not go on.
 */
export async function runWorker(values: WorkerValues): Promise<number> {
  const log = logOf(values);
  if (goesWithout !== null) log.info(goesWithout);
  if (isTrial()) return tryToJoin(values, log);
  const program = new OwnProgram(values, log);
  const status = await untilStopped(await startWorker(values, log, { program }), log, values.leaveWithinMs);
  return status === 0 && program.isReady ? program.renew() : status;
}

/** Whether a worker started so can join: it leaves at once. Exit status 0, or 1 when it was not let in within a minute. */
async function tryToJoin(values: WorkerValues, log: ProcessLog): Promise<number> {
  const patience = AbortSignal.timeout(trialJoinMs);
  let hasJoined = false;
  while (!hasJoined && !patience.aborted) {
    const joined = Promise.withResolvers<void>();
    const worker = await startWorker(values, log, { program: null, onlyToJoin: () => joined.resolve() });
    patience.addEventListener('abort', () => worker.stop(), { once: true });
    void joined.promise.then(() => {
      hasJoined = true;
      setTimeout(() => worker.stop(), joinedMs);
    });
    const end = await worker.ended;
    if (!end.ok) log.error(end.detail);
    if (!hasJoined) await Bun.sleep(againMs);
  }
  return hasJoined ? 0 : 1;
}

/**
 * Waits for a worker's end, which the first signal asks for and the second forces, as do `leaveWithinMs` behind the first;
 * its exit status.
 */
export async function untilStopped(
  worker: RunningWorker,
  log: Log,
  leaveWithinMs: number | undefined,
): Promise<number> {
  let patience: ReturnType<typeof setTimeout> | undefined;
  const quietly = onStopSignals(
    () => {
      const within = leaveWithinMs === undefined ? '' : `, at most ${leaveWithinMs / 1000} s`;
      log.info(`stopping when the running tasks have ended${within}; again to stop now`);
      worker.leave();
      if (leaveWithinMs !== undefined) patience = setTimeout(() => worker.stop(), leaveWithinMs);
    },
    () => worker.stop(),
  );
  const end = await worker.ended;
  clearTimeout(patience);
  quietly();
  if (!end.ok) log.error(end.detail);
  return end.ok ? 0 : 1;
}

/** What is particular about how a worker is started. */
interface Starting {
  /** Null: not its own to replace. */
  readonly program: WorkerProgram | null;
  /** It is told to leave before it runs: it takes no work, goes when it is in, and tells that it was. */
  onlyToJoin?(): void;
}

const alone: Starting = { program: null };

/**
 * Starts a worker with settled options; one that still has to be let in asks for that while it "runs". Errors, also of
 * `ended`: `usage`, `in_use`, `io`, `forbidden`.
 */
export async function startWorker(values: WorkerValues, log: ProcessLog, how = alone): Promise<RunningWorker> {
  checkValues(values);
  const secret = givenSecret(values);
  shieldMemory();
  const dataDir = absolute(values.dataDir);
  ensurePrivateDir(dataDir, log);
  const home = workerHome(dataDir, values.name ?? null);
  const known = settleIdentity(home.directory, values.newIdentity, log);
  const id = values.id ?? nodeId(home.directory);
  const ground = await prepareGround(values, { id, dataDir, directory: home.directory, log });
  const { blobs, isolation } = ground;
  const key = nodeKey(home.directory);
  const transport = dialTransport(values.transport, log);
  const links = createLinks({ crypto: nativeCrypto, staticKeypair: key, log, transport });
  const own = how.program?.declared ?? fixedProgram('it is not a process of its own');
  const declared = { ...(await declare(values, id, isolation)), program: own };
  const place = { dataDir, directory: home.directory, given: secret };
  const sharing = await openPeers({ ...declared, place, staticKeypair: key, blobs, values, log });
  const declaration = { ...declared, peerPort: sharing?.peers.port ?? null };
  const finder = staysHere(values) ? null : openFinder(values, log);
  let started: Worker | null = null;
  const beacons = announceWorker({
    ...{ values, declaration, dataDir, blobs, log, given: secret, directory: home.directory },
    publicKey: key.publicKey.toHex(),
    worker: () => started,
    peers: sharing?.peers ?? null,
  });
  sharing?.blobs.hears(beacons.peers);
  return running({
    settle: (signal) =>
      findMembership({
        ...{ values, secret, dataDir, directory: home.directory, known, links, finder, log, signal },
        name: declaration.name,
        publicKey: key.publicKey.toHex(),
      }),
    start: ({ name, ...membership }) => {
      started = new Worker({
        ...membership,
        declaration: { ...declaration, name: values.name ?? name ?? declaration.name },
        clock: systemClock,
        random: systemRandom,
        links,
        log,
        ...ground.tasks,
        blobs,
        ...hostOf(values),
        peers: sharing === null ? null : { ...sharing, table: beacons.peers },
        onStatus: (sentence) => log.info(sentence),
        recentLog: (lines) => log.recent(lines),
        program: how.program,
        onAdmitted: alsoTelling(membership.onAdmitted, how.onlyToJoin),
      });
      if (how.onlyToJoin !== undefined) started.leave();
      return started;
    },
    close: async () => {
      await beacons.stop();
      await sharing?.peers.close();
      await finder?.close();
      await ground.leave();
      home.lock.release();
    },
  });
}

function alsoTelling(admitted: Membership['onAdmitted'], tell: Starting['onlyToJoin']): Membership['onAdmitted'] {
  return (...how) => {
    admitted(...how);
    tell?.();
  };
}

/** What the worker is told of this machine, and when it takes work on it. */
function hostOf({ when, interfaces }: WorkerValues) {
  return {
    ...{ readVitals, conditions: when, untouchedS: untouchedSeconds, metered: isMetered, slowdown: createSlowdown() },
    wakeAddresses: (remote: string) => ownWakeAddresses(interfaces, remote),
  };
}

/**
 * Takes a new identity where one is asked for, or where the worker's folder was copied from another device: then it has
 * to be let in anew, by the dispatcher it knows, whose addresses this gives. Errors: `io`, `forbidden`.
 */
function settleIdentity(directory: string, isAsked: boolean, log: Log): readonly string[] {
  const hardware = readHardware();
  const isCopied = wasCopied(directory, hardware);
  const isNew = isAsked || isCopied;
  const known = isNew ? (keptCredential(directory)?.addresses ?? []) : [];
  if (isNew) setIdentityAside(directory, new Date());
  keepHardware(directory, hardware, { anew: isNew });
  if (isCopied && !isAsked) {
    log.warn(
      'this data directory was copied from another device: the worker takes a new id and key, and has to be let in',
      {
        directory,
      },
    );
  }
  return known;
}

interface Stages {
  /** Finds out by what the worker joins, which may take until somebody approves it. */
  settle(signal: AbortSignal): ReturnType<typeof findMembership>;
  start(membership: Membership): Worker;
  close(): Promise<void>;
}

/** Goes through the stages; asked to end before the worker is let in, it just ends. */
function running({ settle, start, close }: Stages): RunningWorker {
  const givenUp = new AbortController();
  let worker: Worker | null = null;
  const run = async (): Promise<WorkerEnd> => {
    const settled = await settle(givenUp.signal);
    if (givenUp.signal.aborted) return { ok: true };
    if (!settled.ok) return settled;
    worker = start(settled.membership);
    return worker.run();
  };
  const end = (how: (worker: Worker) => void): void => {
    if (worker === null) givenUp.abort();
    else how(worker);
  };
  return { ended: run().finally(close), leave: () => end((one) => one.leave()), stop: () => end((one) => one.stop()) };
}

/** The dispatcher is said to be on this machine: nobody else needs to be asked. */
function staysHere({ dispatcher }: WorkerValues): boolean {
  return dispatcher.length > 0 && dispatcher.every(({ host }) => isLoopbackHost(host));
}

/** What can be said to be wrong without touching anything. Error: `usage`. */
function checkValues(values: WorkerValues): void {
  if (values.name !== undefined) checkName('--name', values.name);
  if (values.id !== undefined) checkName('--id', values.id);
  if (values.join !== undefined) inviteIn(values.join);
  if (!values.newIdentity || values.id === undefined) return;
  throw new OctasklyError('usage', '--new-identity makes a new id, and --id names one: give one of them.');
}

async function declare(
  values: WorkerValues,
  id: string,
  isolation: Isolation,
): Promise<Omit<WorkerDeclaration, 'program'>> {
  const detected = await detectResources();
  return {
    ...detected,
    id,
    name: values.name ?? nameFromHost(hostname()),
    processId: Buffer.from(systemRandom.bytes(8)).toString('hex'),
    version,
    slots: values.maxJobs,
    cpuCores: values.cpuCores ?? detected.cpuCores,
    memoryMb: values.memoryMb ?? detected.memoryMb,
    gpu: values.gpu ?? detected.gpu,
    labels: Object.fromEntries(values.label),
    isolation,
    peerPort: null,
  };
}
