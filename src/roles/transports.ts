/** By what workers and dispatchers reach each other: TCP always, QUIC beside it where it is wanted. */

import type { LinkListener, Links } from '../ports/links.ts';
import type { Log } from '../ports/time.ts';
import type { Transport } from '../ports/transport.ts';
import { createFallbackTransport, type Patience } from '../runtime/fallback.ts';
import { createLinks, type LinksOptions, linkLimits } from '../runtime/links.ts';
import { createQuicTransport, quicLimits, quicUnable } from '../runtime/quic.ts';
import { createTcpTransport } from '../runtime/tcp.ts';

/**
 * QUIC connects within a round trip or two: what takes longer is nobody there, a packet that was lost, or UDP blocked.
 * When the dispatcher is known to be there, a lost packet is sent again within a second.
 */
const usual: Patience = { briefMs: 1000, patienceMs: 1500 };
/** When UDP went silent in the middle: so that a worker is back within a second where it is blocked now. */
const doubtful: Patience = { briefMs: 300, patienceMs: 400 };

/** The transport a worker dials with. */
export function dialTransport(name: 'tcp' | 'quic', log: Log): Transport {
  const tcp = createTcpTransport(linkLimits);
  if (name === 'tcp') return tcp;
  return createFallbackTransport({ better: quic(), other: tcp, unable: quicUnable, usual, doubtful, log });
}

function quic(): Transport {
  return createQuicTransport({ ...linkLimits, ...quicLimits });
}

/**
 * Listens for workers by TCP and, where `quic` is true, by QUIC on the UDP port of the same number; both as one. Errors:
 * `in_use`, `io`.
 */
export async function listenForWorkers(
  options: LinksOptions,
  { host, port, quic: wantsQuic }: { readonly host: string; readonly port: number; readonly quic: boolean },
  accept: Parameters<Links['listen']>[1],
): Promise<LinkListener> {
  const tcp = createLinks(options);
  if (!wantsQuic) return tcp.listen({ host, port }, accept);
  // First of all QUIC: a worker that gets through by TCP and not by QUIC stays with TCP.
  const byQuic = await createLinks({ ...options, transport: quic() }).listen({ host, port }, accept);
  try {
    return both(await tcp.listen({ host, port: byQuic.port }, accept), byQuic);
  } catch (error) {
    await byQuic.close();
    throw error;
  }
}

function both(first: LinkListener, second: LinkListener): LinkListener {
  return {
    port: first.port,
    get counts() {
      const sum: Record<string, number> = { ...first.counts };
      for (const [code, count] of Object.entries(second.counts)) sum[code] = (sum[code] ?? 0) + count;
      return sum;
    },
    close: async () => {
      await Promise.all([first.close(), second.close()]);
    },
  };
}
