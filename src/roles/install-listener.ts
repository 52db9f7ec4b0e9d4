/**
 * The way in for new devices while an invitation is open. The API listens on its own machine by default; so that the line
 * of `octaskly invite` works as it stands, the same port is opened on the addresses other devices reach, and there nothing
 * is served but the install routes. When no invitation is open any more, it is closed.
 */

import { isIP } from 'node:net';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { isLoopbackHost } from '../base/place.ts';
import { inviteAddressesMax } from '../core/invite.ts';
import type { Clock, Log, Timer } from '../ports/time.ts';
import { hostsOf } from '../runtime/addresses.ts';
import { type HttpAddress, type HttpApplication, type HttpServer, serveHttp } from '../runtime/http.ts';

/** Ports that are tried after the one wanted. */
const furtherPorts = 20;
/** What is being downloaded when the last invitation ends may go on for this long, ms. */
const graceMs = 60_000;
/** Nobody sends anything here. */
const bodyBytesMax = 1024;
const timerMsMax = 2 ** 31 - 1;

interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  /** What the workers' port is bound to: devices that could not join need not install. */
  readonly bind: string;
  readonly wantedPort: number;
  readonly tls: HttpAddress['tls'] | null;
  readonly application: HttpApplication;
}

export class InstallListener {
  readonly #parts: Parts;
  #servers: readonly HttpServer[] = [];
  #timer: Timer | null = null;
  #failure: string | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Invitations are open until then, wall ms; null = none is. Opens or closes at once. Never throws. */
  openUntil(wallMs: number | null): void {
    this.#timer?.cancel();
    const { clock } = this.#parts;
    const leftMs = wallMs === null ? 0 : wallMs - clock.wall();
    if (leftMs <= 0) {
      this.#shut();
      return;
    }
    this.#timer = clock.after(Math.min(leftMs, timerMsMax), () => this.openUntil(wallMs));
    if (this.#servers.length === 0) this.#open();
  }

  /** The first address that listens; null with the reason where none does. */
  get place(): { readonly url: string } | { readonly url: null; readonly reason: string } {
    const [first] = this.#servers;
    return first === undefined ? { url: null, reason: this.#failure ?? 'no invitation is open' } : { url: first.url };
  }

  /** Ends what is open at once. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    await Promise.all(this.#servers.map((server) => server.stop(0)));
    this.#servers = [];
  }

  #open(): void {
    const hosts = hostsOf(this.#parts.bind).filter((host) => isIP(host) !== 0 && !isLoopbackHost(host));
    const [first, ...others] = hosts.slice(0, inviteAddressesMax);
    if (first === undefined) {
      this.#failure = 'this machine has no address on a network';
      return;
    }
    try {
      const server = this.#listenNear(first);
      const more = others.map((host) => this.#listen(host, server.port)).filter((each) => each !== null);
      this.#servers = [server, ...more];
      this.#failure = null;
      const at = this.#servers.map(({ url }) => url).join(' ');
      this.#parts.log.info('while an invitation is open, new devices get the program here', { at });
    } catch (error) {
      this.#failure = reasonOf(error);
      this.#parts.log.warn('the program is not handed out to new devices', { reason: this.#failure });
    }
  }

  /** Listens on the port wanted or one of those after it. Errors: as `serveHttp`. */
  #listenNear(host: string): HttpServer {
    const wanted = this.#parts.wantedPort;
    const ports = Array.from({ length: furtherPorts + 1 }, (_, index) => wanted + index).filter(
      (port) => port < 65_536,
    );
    for (const port of ports) {
      const server = this.#listen(host, port);
      if (server !== null) return server;
    }
    throw new OctasklyError('in_use', `The ports ${wanted} to ${ports.at(-1)} of ${host} are all in use.`);
  }

  /** Null when another program has that port. Error: `io`. */
  #listen(host: string, port: number): HttpServer | null {
    const { tls, application } = this.#parts;
    try {
      return serveHttp(application, {
        host,
        port,
        bodyBytesMax,
        ...(tls === null || tls === undefined ? {} : { tls }),
      });
    } catch (error) {
      if (error instanceof OctasklyError && error.code === 'in_use') return null;
      throw error;
    }
  }

  #shut(): void {
    for (const server of this.#servers) void server.stop(graceMs);
    if (this.#servers.length > 0) this.#parts.log.info('no invitation is open: the program is not handed out any more');
    this.#servers = [];
  }
}
