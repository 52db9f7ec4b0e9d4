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
import { type HttpServer, serveHttp } from '../runtime/http.ts';
import { openKeyring } from '../runtime/keyring.ts';
import { dispatcherGate, fingerprintOf, sha256Hex } from '../runtime/keys.ts';
import { createOutputStore } from '../runtime/outputs.ts';
import { shieldMemory } from '../runtime/own-secrets.ts';
import { storeFiles } from '../runtime/store-files.ts';
import { openStore } from '../store/store.ts';
import { version } from '../version.ts';
import { protocolVersion } from '../wire/messages.ts';
import { announceDispatcher } from './announcing.ts';
import { absolute, checkName, givenSecret, logOf, nameFromHost, onStopSignals } from './common.ts';
import { advertise } from './finding.ts';
import { startRetention } from './retention.ts';
import { listenForWorkers } from './transports.ts';
import { startDetails, trustSetup } from './trust.ts';

/** How long open requests may go on after a stop. */
const stopGraceMs = 1000;

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
  return 0;
}

/** Starts a dispatcher with settled options. Errors: `usage`, `in_use`, `io`, `forbidden`, `storage_*`. */
export async function startDispatcher(values: DispatcherValues, log: Log): Promise<RunningDispatcher> {
  const apiBind = apiInterface(values);
  checkLists(values);
  const dataDir = absolute(values.dataDir);
  ensurePrivateDir(dataDir);
  const closers: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
  };
  try {
    const lock = lockDispatcher(dataDir);
    closers.push(() => lock.release());
    const keyring = openKeyring({ dataDir, given: givenSecret(values), log, clock: systemClock });
    const staticKeypair = nodeKey(dataDir);
    const tls = await tlsOf(values, dataDir);
    const store = openStore(absolute(values.dbPath ?? join(dataDir, 'octaskly.db')), storeFiles);
    closers.push(() => store.close());
    const clusterId = clusterIdOf(store, systemRandom);
    const denyList = openDenyList({ file: absolute(values.denyList ?? join(dataDir, 'deny.toml')), log });
    closers.push(() => denyList.close());
    const blobs = createBlobStore({ directory: join(dataDir, 'blobs'), log });
    const outputs = createOutputStore({ directory: dataDir, blobs, log });
    let listener: LinkListener | null = null;
    let api: HttpServer | null = null;
    const dispatcher = new Dispatcher({
      ...{ clock: systemClock, store, outputs, blobs, log, version },
      policy: policyOf(values),
      trust: trustSetup({
        ...{ values, keyring, publicKey: staticKeypair.publicKey.toHex() },
        port: () => listener?.port ?? values.port,
        api: () => ({ scheme: tls === null ? 'http' : 'https', bind: apiBind, port: api?.port ?? values.apiPort }),
      }),
      runId: Date.now().toString(36),
      clusterId,
      peersAllowed: values.p2pEnabled,
      node: { id: nodeId(dataDir), name: nameFromHost(hostname()) },
      linksEnded: () => listener?.counts ?? {},
    });
    outputs.sweep(dispatcher.state.tasks);
    const gate = dispatcherGate(() => keyring.valid(systemClock.wall()), { strangers: true });
    const onTurnedAway = (remote: string, code: string): void => dispatcher.trust.turnedAway(remote, code);
    const linking = { crypto: nativeCrypto, staticKeypair, gate, log, onTurnedAway };
    const { bind: host, port, quic } = values;
    listener = await listenForWorkers(linking, { host, port, quic }, (link) => dispatcher.accept(link));
    closers.push(() => listener?.close());
    api = serveRest(dispatcher, { values, apiBind, tls, denied: denyList.denied, log });
    closers.push(() => api?.stop(stopGraceMs));
    // First of all what others are told, then the sockets, then the files.
    closers.push(() => dispatcher.close());
    const retention = startRetention({ store, blobs, log, dispatcher, retentionMs: values.retentionMs });
    closers.push(() => retention.stop());
    dispatcher.trust.noteStart({ version, ...startDetails(values, { api: api.url }) });
    closers.push(announceApi(dataDir, localUrlOf(tls === null ? 'http' : 'https', apiBind, api.port), log));
    if (tls?.notice) log.warn(tls.notice);
    // Files that options name, which may be descriptors of the caller, were read by now.
    shieldMemory();
    log.info('dispatcher ready', placesOf(values, { port: listener.port, api: api.url, dataDir, tls }));
    const publicKey = staticKeypair.publicKey.toHex();
    const shown = { values, dataDir, keyring, clusterId, publicKey, port: listener.port, apiPort: api.port, log };
    closers.push(beSeen(dispatcher, { ...shown, scheme: tls === null ? 'http' : 'https' }));
    return { port: listener.port, apiUrl: api.url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
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

/** Lets others find it, by beacons and by mDNS; returns what says goodbye to both. */
function beSeen(dispatcher: Dispatcher, { clusterId, apiPort, scheme, ...shown }: Shown): () => Promise<unknown> {
  const id = nodeId(shown.dataDir);
  const beacons = announceDispatcher({
    ...{ ...shown, id },
    waiting: () => dispatcher.state.counts.blocked + dispatcher.state.counts.queued,
  });
  const fingerprint = fingerprintOf(shown.publicKey);
  const facts = { protocol: protocolVersion, id, apiPort, scheme, fingerprint, clusterId };
  const withdraw = advertise({ ...shown, facts });
  return () => Promise.all([withdraw(), beacons.stop()]);
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
  readonly tls: { readonly cert: string; readonly key: string } | null;
  readonly denied: ApiOptions['denied'];
  readonly log: Log;
}

function serveRest(dispatcher: Dispatcher, { values, apiBind, tls, denied, log }: Serving): HttpServer {
  const host = hostname().toLowerCase();
  const lower = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase());
  const api = createApi(dispatcher, dispatcher.trust, {
    version,
    clock: systemClock,
    log,
    sha256Hex,
    defaultTimeoutMs: values.taskTimeoutMs,
    hosts: lower([host, `${host}.local`, apiBind, ...values.allowHost]),
    origins: lower(values.allowOrigin),
    requireAuth: values.requireAuth,
    submitRate: values.submitRate,
    denied,
  });
  return serveHttp((request, peer) => api.fetch(request, peer), {
    host: apiBind,
    port: values.apiPort,
    bodyBytesMax: limits.blobBytesMax,
    ...(tls === null ? {} : { tls }),
  });
}
