/**
 * The `Transport` port over QUIC (RFC 9000) by `node:quic`: a bidirectional stream for each lane, opened by the dialler,
 * whose first byte says which one it is. Certificates mean nothing here: who the other side is, the session above finds out.
 *
 * Traps of the runtime that this file exists to hide:
 * - A socket for all addresses answers from the one the system prefers, and the dialler drops that as a stranger's: so
 *   there is one for each address (`every-address.ts`). Addresses with a zone, as link-local ones have, cannot be said.
 * - A dialler's endpoint binds 127.0.0.1 unless it is told otherwise; an address that is in use shows only when the
 *   endpoint has closed itself.
 * - `writeSync` takes all or nothing, at most what `desiredSize` says; then `Stream.drainableProtocol` tells of room.
 * - Rejections of `opened`, of every `closed` and of endpoints end the process unless they are caught.
 * - `destroy` without a code says nothing to the other side, which then waits for its idle timeout.
 * - A peer that is gone shows as a `closed` that resolves, after the idle timeout (whole seconds); one that was started
 *   anew, as `quic-forgotten.ts` says.
 */

import { createPrivateKey } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { constants } from 'node:os';
import type { QuicEndpoint, QuicSession } from 'node:quic';
import { type OctasklyError, reasonOf } from '../base/errors.ts';
import { isLinkLocal6 } from '../discovery/mdns/networks.ts';
import type { Carrier, CarrierHandlers, Transport, TransportListener } from '../ports/transport.ts';
import { lanes } from '../wire/lanes.ts';
import { passingCertificate } from './certificate.ts';
import { type Endpoint, formatAddress, listenFailure, noAnswer } from './endpoints.ts';
import { listenAtEveryAddress, ownAddresses } from './every-address.ts';
import { zoned } from './networks.ts';
import { QuicCarrier } from './quic-carrier.ts';
import { watchForgotten } from './quic-forgotten.ts';
import type { CarrierLimits } from './tcp.ts';

export interface QuicLimits extends CarrierLimits {
  /** Silence after which a connection is lost; whole seconds count. */
  readonly idleTimeoutMs: number;
  /** Most connections of a listener, authenticated or not. */
  readonly connectionsMax: number;
}

/** The runtime keeps nothing alive by itself for long: longer than the wait between two heartbeats, which is 5 s. */
export const quicLimits: Omit<QuicLimits, keyof CarrierLimits> = {
  idleTimeoutMs: 8000,
  connectionsMax: 8192,
};

/**
 * Stateless resets of a listener's endpoint, in a second and in a row. Each packet for a connection that is not known gets
 * one for every endpoint of the process; few are enough to be noticed (`quic-forgotten.ts`).
 */
const resets = { statelessResetRate: 50, statelessResetBurst: 2 };
/**
 * How long a dialler's port stays open after its connection: what is still sent to it must not meet a closed port. The
 * error that comes of it is the listener's socket's, and the runtime then sends nothing by that, to anybody, for a second.
 */
const deafMs = 1000;

type Take = (carrier: Carrier) => CarrierHandlers;

const everywhere: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
/** Where one socket serves both, addresses of IPv4 come as `::ffff:10.0.0.2` (RFC 4291, 2.5.5.2). */
const mapped = /^::ffff:(?=\d+\.)/i;

const alpn = 'octaskly/4';
const serverName = 'octaskly';

/** Connections by QUIC. Nothing is loaded before the first of them. */
export function createQuicTransport(limits: QuicLimits): Transport {
  return {
    name: 'quic',
    listen: (address, take) => listen(address, limits, take),
    dial: (target, take) => dial(target, limits, take),
  };
}

/** The runtime's QUIC, without its warning that it is an experiment: which the user cannot do anything about. */
async function loadQuic(): Promise<typeof import('node:quic')> {
  const emitWarning = process.emitWarning;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]): void => {
    if (rest[0] !== 'ExperimentalWarning') Reflect.apply(emitWarning, process, [warning, ...rest]);
  }) as typeof emitWarning;
  try {
    return await import('node:quic');
  } finally {
    process.emitWarning = emitWarning;
  }
}

function transportParams({ idleTimeoutMs }: QuicLimits, streams: number) {
  return {
    maxIdleTimeout: Math.ceil(idleTimeoutMs / 1000),
    initialMaxStreamsBidi: streams,
    initialMaxStreamsUni: 0,
    maxDatagramFrameSize: 0,
  };
}

/** Every address of this machine means those of IPv6 as well. Where they cannot be told, one socket has to do for all. */
async function listen(address: Endpoint, limits: QuicLimits, take: Take): Promise<TransportListener> {
  const { host, port } = address;
  let connections = 0;
  const taking = (session: QuicSession): void => {
    if (connections >= limits.connectionsMax) {
      session.closed.catch(() => {});
      session.opened.catch(() => {});
      session.destroy(undefined, { code: 0 });
      return;
    }
    connections += 1;
    accept(session, { limits, take, onGone: () => (connections -= 1) });
  };
  const open = (place: Endpoint): Promise<TransportListener> => listenAt(place, limits, taking);
  if (!everywhere.has(host)) return open(address);
  const listener = await listenAtEveryAddress({ port, open, addresses: ownAddresses });
  return listener ?? open({ host: '::', port }).catch(() => open({ host: '0.0.0.0', port }));
}

async function listenAt(
  address: Endpoint,
  limits: QuicLimits,
  taking: (session: QuicSession) => void,
): Promise<TransportListener> {
  const quic = await loadQuic();
  const { key, cert } = await passingCertificate(serverName);
  // It is closed and gone when it is asked for what went wrong.
  const failure = Promise.withResolvers<unknown>();
  const endpoint = new quic.QuicEndpoint({
    address: formatAddress(address),
    maxConnectionsTotal: limits.connectionsMax,
    ...resets,
  });
  endpoint.closed.then(() => failure.resolve(null), failure.resolve);
  await quic.listen(taking, {
    endpoint,
    alpn: [alpn],
    sni: { '*': { keys: [createPrivateKey(key)], certs: [Buffer.from(cert)] } },
    transportParams: transportParams(limits, lanes.length),
  });
  const bound = endpoint.address;
  if (bound === undefined) throw bindFailure(address, await failure.promise);
  const { port } = bound;
  return { port, stop: () => void endpoint.close().catch(() => {}) };
}

/** The runtime tells the system's error number in words: "Bind failure (98)". */
function bindFailure(address: Endpoint, error: unknown): OctasklyError {
  const number = Number(/\((\d+)\)/.exec(reasonOf(error))?.[1]);
  const { EADDRINUSE, EADDRNOTAVAIL } = constants.errno;
  const code = { [EADDRINUSE]: 'EADDRINUSE', [EADDRNOTAVAIL]: 'EADDRNOTAVAIL' }[number];
  const known = Object.assign(new Error(reasonOf(error), { cause: error }), code === undefined ? {} : { code });
  return listenFailure(address, known, 'UDP port');
}

interface Acceptance {
  readonly limits: QuicLimits;
  readonly take: Take;
  onGone(): void;
}

function accept(session: QuicSession, { limits, take, onGone }: Acceptance): void {
  // Streams may come before the word that the handshake is complete.
  const carrier = new QuicCarrier(session, { role: 'listener', limits });
  carrier.whenGone(onGone);
  session.opened.then(
    ({ remote: { address, port } }) => carrier.open({ host: address.replace(mapped, ''), port }, take),
    // What never was a connection needs no words.
    () => {},
  );
}

async function dial(target: Parameters<Transport['dial']>[0], limits: QuicLimits, take: Take): Promise<void> {
  const { port, timeoutMs } = target;
  const deadline = performance.now() + timeoutMs;
  const quic = await loadQuic();
  const host = await addressOf(target.host);
  const endpoint = new quic.QuicEndpoint({ address: isIP(host) === 6 ? '[::]:0' : '0.0.0.0:0' });
  endpoint.closed.catch(() => {});
  let session: QuicSession | null = null;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(noAnswer(timeoutMs, ' by UDP'))), deadline - performance.now());
  try {
    session = await quic.connect(formatAddress({ host, port }), {
      endpoint,
      alpn,
      servername: serverName,
      verifyPeer: 'manual',
      handshakeTimeout: timeoutMs,
      transportParams: transportParams(limits, 0),
    });
    const carrier = new QuicCarrier(session, { role: 'dialler', limits });
    const unwatch = watchForgotten(session, endpoint, (end) => carrier.cut(end));
    carrier.whenGone(() => {
      unwatch();
      setTimeout(() => void endpoint.close().catch(() => {}), deafMs).unref();
    });
    await Promise.race([session.opened, late.promise]);
    carrier.open({ host, port }, take);
  } catch (error) {
    drop(session, endpoint);
    throw new Error(dialFailure(error, timeoutMs), { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Transport error codes: 2 is CONNECTION_REFUSED (RFC 9000, 20.1), 296 what the runtime makes of silence. */
function dialFailure(error: unknown, timeoutMs: number): string {
  switch (/^QUIC transport error (\d+)/.exec(reasonOf(error))?.[1]) {
    case '2':
      return 'nothing listens there';
    case '296':
      return noAnswer(timeoutMs, ' by UDP');
    default:
      return reasonOf(error);
  }
}

function drop(session: QuicSession | null, endpoint: QuicEndpoint): void {
  session?.destroy(undefined, { code: 0 });
  endpoint.destroy();
}

/** Why an address cannot be dialled by QUIC at all; null = it can. */
export function quicUnable(host: string): string | null {
  const { address } = zoned(host);
  return isIP(address) === 6 && isLinkLocal6(address) ? 'QUIC does not reach link-local addresses (fe80::…)' : null;
}

/** QUIC dials addresses only. */
async function addressOf(host: string): Promise<string> {
  const unable = quicUnable(host);
  if (unable !== null) throw new Error(unable);
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new Error('no such host', { cause: error });
  }
}
