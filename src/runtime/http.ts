/**
 * An HTTP server on `Bun.serve` for an application that is one function from request to answer. It tells the application
 * who is on the other side and lets it keep silent connections open; what is asked and answered is not its business.
 *
 * Measured on Bun 1.4.5: a body that is pulled is pulled only as fast as the socket takes it, and is cancelled when the
 * client goes away.
 *
 * What somebody without a token can cost (measured with 2,000 connections at once, plain and TLS; others were answered
 * within 10 ms): Bun ends a connection that sends nothing, its header byte by byte, or no handshake 10 to 14 s after it
 * was made, whatever trickles in; until then it takes 1 to 7 KB. A body that comes at less than about 16 KB/s is ended
 * after 60 s and takes 5 to 10 KB. Request line and header end at `headBytesMax`
 * with 431, so that an oversized token is still answered by the application. Pipelined requests whose answers are
 * not taken end the connection. Bun reads on whatever a client sends after its answer, without keeping it; a long body
 * that nobody asked for therefore ends the connection.
 * The number of connections is bounded by nothing but the open files the system grants (Bun takes the hard limit): Bun
 * shows a connection only with its first request. When they are used up, others wait until the silent ones are ended.
 * Passing every byte through a listener of ours that counts would bound them per address, for twice the copying, and
 * would hide the address from the application; a firewall does it better.
 */

import http from 'node:http';
import { OctasklyError, reasonOf } from '../base/errors.ts';

/**
 * Longest request line and header, bytes; Bun's own limit is 16 KiB. A longer one, and what is no HTTP/1.1 request at all
 * (no Host, a malformed header or length, an unknown method), is answered by Bun with an empty 4xx and closed, and never
 * reaches the application.
 */
const headBytesMax = 128 * 1024;
/** After its first request, a connection without progress in either direction is closed after this long, unless the application says otherwise. */
const idleSecondsDefault = 60;
/** What may follow of a body that nobody wants without ending the connection, bytes. */
const unwantedBodyBytesMax = 64 * 1024;

/** Answers one request. `peer.keepOpen(seconds)` allows this one to be silent that long (at most 255; 0 = without end). */
export type HttpApplication = (
  request: Request,
  peer: { readonly remote: string | null; readonly keepOpen: (idleSeconds: number) => void },
) => Response | Promise<Response>;

export interface HttpAddress {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** PEM texts; present: HTTPS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Bytes of a request body, above which Bun itself answers 413. Applications check their own, lower limits. */
  readonly bodyBytesMax: number;
}

export interface HttpServer {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Takes no new connections, lets requests in progress end for up to `graceMs`, then closes what is left. */
  stop(graceMs: number): Promise<void>;
}

function listenError(error: unknown, { host, port }: HttpAddress): OctasklyError {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  const what = `Cannot listen on ${host}:${port} for HTTP`;
  if (code === 'EADDRINUSE') {
    return new OctasklyError('in_use', `${what}: another program uses that port. Stop it, or choose another port.`, {
      cause: error,
    });
  }
  if (code === 'EACCES') {
    return new OctasklyError('io', `${what}: ports below 1024 need special rights. Choose another port.`, {
      cause: error,
    });
  }
  return new OctasklyError('io', `${what}: ${reasonOf(error)}.`, { cause: error });
}

/** True when more of the body may follow than is worth reading for the sake of the connection. */
function leavesBody(request: Request, response: Response): boolean {
  const { headers } = request;
  const isLong = headers.has('transfer-encoding') || Number(headers.get('content-length')) > unwantedBodyBytesMax;
  return isLong && (response.status >= 400 || !request.bodyUsed);
}

/** Starts serving. Errors: `in_use`, `io`. */
export function serveHttp(application: HttpApplication, address: HttpAddress): HttpServer {
  const { host, port, tls, bodyBytesMax } = address;
  // Bun has one limit for the whole process, and only this way to it.
  Object.assign(http, { maxHeaderSize: headBytesMax });
  const listen = () =>
    Bun.serve({
      hostname: host,
      port,
      ...(tls === undefined ? {} : { tls: { cert: tls.cert, key: tls.key } }),
      maxRequestBodySize: bodyBytesMax,
      idleTimeout: idleSecondsDefault,
      // Never Bun's page with sources and stack. This alone would also let a second program share the port unnoticed.
      development: false,
      reusePort: false,
      fetch: async (request, server) => {
        const response = await application(request, {
          remote: server.requestIP(request)?.address ?? null,
          keepOpen: (idleSeconds) => server.timeout(request, idleSeconds),
        });
        if (leavesBody(request, response)) response.headers.set('connection', 'close');
        return response;
      },
    });
  let server: ReturnType<typeof listen>;
  try {
    server = listen();
  } catch (error) {
    throw listenError(error, address);
  }
  const bound = server.port ?? port;
  return {
    host,
    port: bound,
    url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    async stop(graceMs) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, graceMs);
      });
      await Promise.race([server.stop(), patience]);
      clearTimeout(timer);
      await server.stop(true);
    },
  };
}
