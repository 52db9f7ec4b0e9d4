/** The dispatcher role: opens what a dispatcher needs, serves workers and the API, closes in good order. */

import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Identity } from '../api/access.ts';
import { createApi } from '../api/app.ts';
import { limits } from '../api/schemas.ts';
import { verifyToken } from '../api/token.ts';
import { OctasklyError } from '../base/errors.ts';
import type { DispatcherValues } from '../cli/options.ts';
import { Dispatcher } from '../dispatcher/dispatcher.ts';
import type { LinkListener } from '../ports/links.ts';
import type { Log } from '../ports/time.ts';
import { createBlobStore } from '../runtime/blobs.ts';
import { systemClock } from '../runtime/clock.ts';
import { nativeCrypto, pskFromSecret } from '../runtime/crypto.ts';
import { dispatcherSecret, ensureDir, lockDispatcher, nodeKey } from '../runtime/data-dir.ts';
import { type HttpServer, serveHttp } from '../runtime/http.ts';
import { createLinks } from '../runtime/links.ts';
import { createOutputStore } from '../runtime/outputs.ts';
import { storeFiles } from '../runtime/store-files.ts';
import { sha256Hex, tokenHmac } from '../runtime/token-key.ts';
import { openStore } from '../store/store.ts';
import { version } from '../version.ts';
import { absolute, givenSecret, logOf, onStopSignals } from './common.ts';
import { startRetention } from './retention.ts';

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
  const dataDir = absolute(values.dataDir);
  ensureDir(dataDir);
  const closers: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
  };
  try {
    const lock = lockDispatcher(dataDir);
    closers.push(() => lock.release());
    const secret = dispatcherSecret(dataDir, givenSecret(values), log);
    const store = openStore(absolute(values.dbPath ?? join(dataDir, 'octaskly.db')), storeFiles);
    closers.push(() => store.close());
    const blobs = createBlobStore({ directory: join(dataDir, 'blobs'), log });
    const outputs = createOutputStore({ directory: dataDir, blobs, log });
    let listener: LinkListener | null = null;
    const dispatcher = new Dispatcher({
      clock: systemClock,
      store,
      outputs,
      blobs,
      log,
      policy: {
        workersMax: values.maxWorkers,
        queueMax: values.maxQueueSize,
        silenceMs: values.heartbeatTimeoutMs,
      },
      version,
      runId: Date.now().toString(36),
      linksEnded: () => listener?.counts ?? {},
    });
    outputs.sweep(dispatcher.state.tasks);
    const links = await listenForWorkers(dispatcher, { secret, dataDir, values, log });
    listener = links;
    closers.push(() => links.close());
    const api = serveRest(dispatcher, { secret, apiBind, values, log });
    closers.push(() => api.stop(stopGraceMs));
    // First of all what others are told, then the sockets, then the files.
    closers.push(() => dispatcher.close());
    const retention = startRetention({ store, blobs, log, retentionMs: values.retentionMs });
    closers.push(() => retention.stop());
    log.info('dispatcher ready', { workers: `${values.bind}:${links.port}`, api: api.url, data: dataDir, version });
    return { port: links.port, apiUrl: api.url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The interface for the API. Error: `usage` where anybody could call it without a token. */
function apiInterface(values: DispatcherValues): string {
  const bind = values.apiBind ?? (values.requireAuth === 'true' ? '0.0.0.0' : '127.0.0.1');
  const loopback = bind === 'localhost' || bind === '::1' || bind.startsWith('127.');
  if (values.requireAuth === 'false' && !loopback) {
    throw new OctasklyError(
      'usage',
      `--require-auth false with --api-bind ${bind} would let anybody on the network run commands; leave --require-auth at auto, or bind to 127.0.0.1.`,
    );
  }
  return bind;
}

interface Serving {
  readonly secret: string;
  readonly values: DispatcherValues;
  readonly log: Log;
}

function listenForWorkers(
  dispatcher: Dispatcher,
  { secret, dataDir, values, log }: Serving & { dataDir: string },
): Promise<LinkListener> {
  const links = createLinks({ crypto: nativeCrypto, staticKeypair: nodeKey(dataDir), psk: pskFromSecret(secret), log });
  return links.listen({ host: values.bind, port: values.port }, (link) => dispatcher.accept(link));
}

function serveRest(
  dispatcher: Dispatcher,
  { secret, apiBind, values, log }: Serving & { apiBind: string },
): HttpServer {
  const hmacSha256 = tokenHmac(secret);
  const host = hostname().toLowerCase();
  const api = createApi(dispatcher, {
    version,
    clock: systemClock,
    log,
    sha256Hex,
    defaultTimeoutMs: values.taskTimeoutMs,
    hosts: [host, `${host}.local`, apiBind.toLowerCase()],
    origins: [],
    requireAuth: values.requireAuth,
    verifyToken: (token): Identity => {
      const verified = verifyToken(token, { nowSeconds: Date.now() / 1000, hmacSha256 });
      return verified.ok ? { ok: true, actor: verified.claims.sub, role: verified.claims.role } : verified;
    },
  });
  return serveHttp((request, peer) => api.fetch(request, peer), {
    host: apiBind,
    port: values.apiPort,
    bodyBytesMax: limits.blobBytesMax,
  });
}
