/** Where sockets listen and connect, in words: addresses as people write them, and why one could not be had. */

import { OctasklyError, reasonOf } from '../base/errors.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatAddress({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Why it cannot be listened there: `in_use` or `io`. `what` is the kind of port. */
export function listenFailure(address: Endpoint, error: unknown, what = 'port'): OctasklyError {
  const place = formatAddress(address);
  if (codeOf(error) === 'EADDRINUSE') {
    const advice = 'Stop the program that uses it (perhaps another dispatcher), or choose another port.';
    const used = `Cannot listen on ${place}: ${what} ${address.port} is already in use.`;
    return new OctasklyError('in_use', `${used} ${advice}`, { cause: error });
  }
  const reason = codeOf(error) === 'EADDRNOTAVAIL' ? 'this machine has no such address' : reasonOf(error);
  return new OctasklyError('io', `Cannot listen on ${place}: ${reason}.`, { cause: error });
}

/** Why a connection did not come about, as the end of a sentence. */
export function connectFailure(error: unknown): string {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return 'nothing listens there';
    case 'ENOTFOUND':
      return 'no such host';
    case 'EAI_AGAIN':
      return 'its name cannot be resolved just now';
    case 'EHOSTUNREACH':
      return 'no such host on the network';
    case 'ENETUNREACH':
      return 'there is no way to that network from here';
    case 'ETIMEDOUT':
      return 'no answer';
    default:
      return reasonOf(error);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** That nobody answered, as the end of a sentence. `by`: what asked, ' by UDP'. */
export function noAnswer(timeoutMs: number, by = ''): string {
  return `no answer${by} within ${Number((timeoutMs / 1000).toFixed(1))} s`;
}
