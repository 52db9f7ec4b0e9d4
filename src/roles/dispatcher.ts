/** The dispatcher role: opens what a dispatcher needs, serves workers and the API, closes in good order. */

import { hostname } from 'node:os';
import { join } from 'node:path';
import { hostName } from '../api/access.ts';
import { createApi } from '../api/app.ts';
import type { ApiOptions } from '../api/route.ts';
import { limits } from '../api/schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import { isLoopbackHost } from '../base/place.ts';
import type { DispatcherValues } from '../cli/options.ts';
import type { Policy } from '../core/state.ts';
import type { DispatcherFacts } from '../discovery/service.ts';
import { clusterIdOf } from '../dispatcher/cluster.ts';
import { Dispatcher } from '../dispatcher/dispatcher.ts';
import { ProgramBlobs } from '../dispatcher/program-blobs.ts';
import type { Keyring } from '../ports/keys.ts';
import type { LinkListener } from '../ports/links.ts';
import type { Log } from '../ports/time.ts';
import { placeOf } from '../runtime/addresses.ts';
import { announceApi, localUrlOf } from '../runtime/api-address.ts';
import { createBlobStore } from '../runtime/blobs.ts';
import { tlsOf } from '../runtime/certificate.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { nativeCrypto } from '../runtime/crypto.ts';
import { ensurePrivateDir, lockDispatcher, nodeId, nodeKey } from '../runtime/data-dir.ts';
import { openDenyList } from '../runtime/deny-file.ts';
import type { HttpAddress } from '../runtime/http.ts';
import { openKeyring } from '../runtime/keyring.ts';
import { dispatcherGate, fingerprintOf, sha256Hex } from '../runtime/keys.ts';
import { createOutputStore } from '../runtime/outputs.ts';
import { shieldMemory } from '../runtime/own-secrets.ts';
import { processFigures } from '../runtime/process-figures.ts';
import { finishRestore } from '../runtime/restoring.ts';
import { rosterFile } from '../runtime/roster-file.ts';
import { storeFiles } from '../runtime/store-files.ts';
import { createWaker } from '../runtime/waker.ts';
import { openStore } from '../store/store.ts';
import { version } from '../version.ts';
import { protocolVersion } from '../wire/messages.ts';
import { announceDispatcher } from './announcing.ts';
import { absolute, checkName, givenSecret, logOf, nameFromHost, onStopSignals } from './common.ts';
import { withDocs } from './docs-pages.ts';
import { type Announcing, advertise } from './finding.ts';
import { fleetPrograms } from './fleet-programs.ts';
import { type Installing, openInstalling } from './installing.ts';
import { notifySetup } from './notify.ts';
import { loadStored, openApi } from './opening.ts';
import { dashboardPages } from './pages.ts';
import { Pruning } from './pruning.ts';
import { startRetention } from './retention.ts';
import { watchSpace } from './space.ts';
import { listenForWorkers } from './transports.ts';
import { startDetails, trustSetup } from './trust.ts';

/** Left free of files that are brought, for the database beside them, bytes. */
const reserveBytes = 8 * 2 ** 20;
/** How long open requests may go on after a stop, and how long workers may take to end their side of a link, ms. */
const stopGraceMs = 200;

/** A dispatcher that runs. */
export interface RunningDispatcher {
  /** TCP port for workers. */
  readonly port: number;
  readonly apiUrl: string;
  /** Closes in good order; resolves when everything is closed. Idempotent. */
  stop(): Promise<void>;
}

/** Runs a dispatcher until a signal ends it. Exit status 0. */
export async function runDispatcher(values: DispatcherValues): Promise<number> {
  const log = logOf(values);
  const dispatcher = await startDispatcher(values, log);
  await new Promise<void>((resolve) => {
    onStopSignals(
      () => {
        log.info('shutting down; tasks that run go on at their workers and are taken back later');
        void dispatcher.stop().then(resolve);
      },
      () => process.exit(130),
    );
  });
  log.info('stopped');
  return 0;
}

/** Starts a dispatcher with settled options. Errors: `usage`, `in_use`, `io`, `forbidden`, `storage_*`. */
export async function startDispatcher(values: DispatcherValues, log: Log): Promise<RunningDispatcher> {
  const { apiBind, notify } = checked(values);
  const dataDir = absolute(values.dataDir);
  ensurePrivateDir(dataDir, log);
  const closers: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
  };
  try {
    closers.push(...holdDirectory(dataDir, log));
    const keyring = openKeyring({ dataDir, given: givenSecret(values), log, clock: systemClock });
    const staticKeypair = nodeKey(dataDir);
    const { tls, opening, store } = await openData(values, { dataDir, apiBind, log, closers });
    const api = opening.server;
    const clusterId = clusterIdOf(store, systemRandom);
    const denyList = openDenyList({ file: absolute(values.denyList ?? join(dataDir, 'deny.toml')), log });
    closers.push(() => denyList.close());
    const stored = createBlobStore({ directory: join(dataDir, 'blobs'), log, reserveBytes });
    const outputs = createOutputStore({ directory: dataDir, blobs: stored, log });
    const installing = openInstalling({ values, dataDir, apiBind, apiPort: api.port, tls, log });
    closers.push(() => installing.close());
    const programs = fleetPrograms(installing.handingOut);
    const blobs = new ProgramBlobs(stored, programs);
    let listener: LinkListener | null = null;
    let seen: Announcing | null = null;
    const dispatcher = new Dispatcher({
      ...{ clock: systemClock, store, outputs, blobs, log, version, notify, clusterId },
      ...ownFacts(values, dataDir, log),
      updates: { programs, blobs },
      trust: trustSetup({
        ...{ values, keyring, publicKey: staticKeypair.publicKey.toHex() },
        port: () => listener?.port ?? values.port,
        installer: installing.installer,
      }),
      linksEnded: () => listener?.counts ?? {},
      discovery: () => seen?.counts ?? {},
      storeWritten: () => store.writtenBytes,
    });
    outputs.sweep(dispatcher.state.tasks);
    const gate = dispatcherGate(() => keyring.valid(systemClock.wall()), { strangers: true });
    const onTurnedAway = (remote: string, code: string): void => dispatcher.trust.turnedAway(remote, code);
    const linking = { crypto: nativeCrypto, staticKeypair, gate, log, onTurnedAway };
    const { bind: host, port, quic } = values;
    listener = await listenForWorkers(linking, { host, port, quic }, (link) => dispatcher.accept(link));
    closers.push(() => Promise.race([listener?.close(), Bun.sleep(stopGraceMs)]));
    const pruning = new Pruning({ dataDir, store, blobs: stored, dispatcher, values, log });
    const { prune } = pruning;
    const rest = restOf(dispatcher, { values, apiBind, denied: denyList.denied, prune, installing, log });
    opening.serve((request, peer) => rest.fetch(request, peer));
    // First of all what others are told, then the sockets, then the files.
    closers.push(() => dispatcher.close());
    const database = databaseOf(values, dataDir);
    const retention = startRetention({ pruning, database, log, retentionMs: values.retentionMs });
    closers.push(() => retention.stop());
    dispatcher.trust.noteStart({ version, ...startDetails(values, { api: api.url }) });
    closers.push(announceApi(dataDir, localUrlOf(tls === null ? 'http' : 'https', apiBind, api.port), log));
    if (tls?.notice) log.warn(tls.notice);
    // Files that options name, which may be descriptors of the caller, were read by now.
    shieldMemory();
    log.info('dispatcher ready', placesOf(values, { port: listener.port, api: api.url, dataDir, tls }));
    const publicKey = staticKeypair.publicKey.toHex();
    const shown = { values, dataDir, keyring, clusterId, publicKey, port: listener.port, apiPort: api.port, log };
    seen = beSeen(dispatcher, { ...shown, scheme: tls === null ? 'http' : 'https' });
    closers.push(() => seen?.close());
    return { port: listener.port, apiUrl: api.url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Keeps other dispatchers out of the data directory and looks after it; gives what ends that. Errors: `in_use`, `io`. */
function holdDirectory(dataDir: string, log: Log): readonly (() => void)[] {
  const lock = lockDispatcher(dataDir);
  try {
    if (finishRestore(dataDir)) log.info('a restore that was cut short is finished', { directory: dataDir });
    return [() => lock.release(), watchSpace(dataDir, log)];
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** What a dispatcher is by its options and its data directory. */
function ownFacts(values: DispatcherValues, dataDir: string, log: Log) {
  return {
    policy: policyOf(values),
    runId: Date.now().toString(36),
    peersAllowed: values.p2pEnabled,
    node: { id: nodeId(dataDir), name: nameFromHost(hostname()) },
    roster: rosterFile(dataDir, log),
    process: processFigures,
    waking: { wake: createWaker({ clock: systemClock, log, named: values.interfaces }), unasked: values.wake },
  };
}

interface Data {
  readonly dataDir: string;
  readonly apiBind: string;
  readonly log: Log;
  /** Called from the last to the first. */
  readonly closers: (() => unknown)[];
}

/** Where the database is. */
function databaseOf({ dbPath }: Pick<DispatcherValues, 'dbPath'>, dataDir: string): string {
  return absolute(dbPath ?? join(dataDir, 'octaskly.db'));
}

/** What is stored, read in; the API listens meanwhile and says so. */
async function openData(values: DispatcherValues, { dataDir, apiBind, log, closers }: Data) {
  const tls = await tlsOf(values, dataDir);
  const file = openStore(databaseOf(values, dataDir), storeFiles);
  closers.push(() => file.close());
  const opening = openApi(apiAddress(values, apiBind, tls));
  closers.push(() => opening.server.stop(stopGraceMs));
  return { tls, opening, store: await loadStored(file, opening, log) };
}

interface Places {
  readonly port: number;
  readonly api: string;
  readonly dataDir: string;
  readonly tls: { readonly fingerprint: string } | null;
}

/** Where it is found, for the log. */
function placesOf({ bind, quic }: DispatcherValues, { port, api, dataDir, tls }: Places): Record<string, string> {
  const transports = quic ? { transports: 'tcp, quic' } : {};
  const certificate = tls === null ? {} : { certificate: tls.fingerprint };
  return { workers: placeOf(bind, port), ...transports, api, data: dataDir, version, ...certificate };
}

function policyOf({ maxWorkers, maxQueueSize, heartbeatTimeoutMs }: DispatcherValues): Policy {
  return { workersMax: maxWorkers, queueMax: maxQueueSize, silenceMs: heartbeatTimeoutMs };
}

interface Shown extends Pick<DispatcherFacts, 'clusterId' | 'apiPort' | 'scheme'> {
  readonly values: DispatcherValues;
  readonly dataDir: string;
  readonly keyring: Keyring;
  /** Hex. */
  readonly publicKey: string;
  /** TCP port for workers. */
  readonly port: number;
  readonly log: Log;
}

/** Lets others find it, by beacons and by mDNS; closed, it says goodbye by both. */
function beSeen(dispatcher: Dispatcher, { clusterId, apiPort, scheme, ...shown }: Shown): Announcing {
  const id = nodeId(shown.dataDir);
  const beacons = announceDispatcher({
    ...{ ...shown, id },
    waiting: () => dispatcher.state.counts.blocked + dispatcher.state.counts.queued,
  });
  const fingerprint = fingerprintOf(shown.publicKey);
  const facts = { protocol: protocolVersion, id, apiPort, scheme, fingerprint, clusterId };
  const announcing = advertise({ ...shown, facts });
  return {
    get counts() {
      return announcing.counts;
    },
    close: async () => {
      await Promise.all([announcing.close(), beacons.stop()]);
    },
  };
}

/** What is found out before anything is touched. Error: `usage`. */
function checked(values: DispatcherValues) {
  checkLists(values);
  return { apiBind: apiInterface(values), notify: notifySetup(values) };
}

/** Entries that could never match are mistakes. Error: `usage`. */
function checkLists({ allowWorker, allowHost, allowOrigin }: DispatcherValues): void {
  for (const name of allowWorker) checkName('--allow-worker', name);
  for (const name of allowHost) {
    if (hostName(name) === name.toLowerCase()) continue;
    throw new OctasklyError('usage', `--allow-host "${name}" is not a host name such as nas.home, without a port.`);
  }
  for (const origin of allowOrigin) {
    if (URL.canParse(origin) && new URL(origin).origin === origin.toLowerCase()) continue;
    throw new OctasklyError('usage', `--allow-origin "${origin}" is not an origin such as https://panel.home:8443.`);
  }
}

/** The interface for the API. Error: `usage` where anybody could call it without a token. */
function apiInterface(values: DispatcherValues): string {
  const bind = values.apiBind ?? (values.requireAuth === 'true' ? '0.0.0.0' : '127.0.0.1');
  if (values.requireAuth === 'false' && !isLoopbackHost(bind)) {
    throw new OctasklyError(
      'usage',
      `--require-auth false with --api-bind ${bind} would let anybody on the network run commands; leave --require-auth at auto, or bind to 127.0.0.1.`,
    );
  }
  return bind;
}

interface Serving {
  readonly values: DispatcherValues;
  readonly apiBind: string;
  readonly denied: ApiOptions['denied'];
  readonly prune: NonNullable<ApiOptions['prune']>;
  readonly installing: Installing;
  readonly log: Log;
}

function restOf(
  dispatcher: Dispatcher,
  { values, apiBind, installing, ...given }: Serving,
): ReturnType<typeof createApi> {
  const host = hostname().toLowerCase();
  const lower = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase());
  const options: ApiOptions = {
    ...given,
    version,
    clock: systemClock,
    sha256Hex,
    defaultTimeoutMs: values.taskTimeoutMs,
    hosts: lower([host, `${host}.local`, apiBind, ...values.allowHost]),
    origins: lower(values.allowOrigin),
    requireAuth: values.requireAuth,
    submitRate: values.submitRate,
    page: withDocs(dashboardPages()),
    installs: installing.handingOut,
    ...(dispatcher.fleet === null ? {} : { updates: dispatcher.fleet }),
  };
  installing.serve(dispatcher, dispatcher.trust, options);
  return createApi(dispatcher, dispatcher.trust, options);
}

function apiAddress(
  values: Pick<DispatcherValues, 'apiPort'>,
  host: string,
  tls: { readonly cert: string; readonly key: string } | null,
): HttpAddress {
  return { host, port: values.apiPort, bodyBytesMax: limits.blobBytesMax, ...(tls === null ? {} : { tls }) };
}
