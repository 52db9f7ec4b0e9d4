/**
 * Notices that the other side of a QUIC connection does not answer, or was started anew. In that case it answers what it gets for a connection it does not
 * know by stateless resets (RFC 9000, 10.3), which the runtime drops because their token is of another process; so here
 * it shows only as packets that come, and none of them for the connection, although it sends. Without this, the idle
 * timeout has to pass. A stranger's packets do not end a connection that is answered; nor does a stall of this process,
 * because looks are counted, not time.
 */

import type { QuicEndpoint, QuicSession } from 'node:quic';
import type { CarrierEnd } from '../ports/transport.ts';

const lookEveryMs = 300;
/** Looks in a row at packets of which none is for the connection: an answer that is on its way has that long. */
const strangeMax = 2;
/** Looks in a row at no answer to what was sent: 4 s. A Wi-Fi in trouble is silent for less. */
const unansweredMax = 13;

/** Bytes so far. */
interface Counts {
  /** For the connection. */
  readonly received: bigint;
  readonly sent: bigint;
  /** For the connection or not. */
  readonly arrived: bigint;
}

/**
 * Calls `onLost` once: `stalled` when nothing comes back, `lost` when the other side is another process now. The endpoint has to be this session's alone. Returns what ends the looking.
 */
export function watchForgotten(
  session: QuicSession,
  endpoint: QuicEndpoint,
  onLost: (end: CarrierEnd) => void,
): () => void {
  const count = (): Counts => ({
    received: session.stats.bytesReceived,
    sent: session.stats.bytesSent,
    arrived: endpoint.stats.bytesReceived,
  });
  let answered = count();
  let [unanswered, strange] = [0, 0];
  const look = (): CarrierEnd | null => {
    const now = count();
    if (now.received !== answered.received) {
      answered = now;
      [unanswered, strange] = [0, 0];
      return null;
    }
    if (now.sent > answered.sent) unanswered += 1;
    if (unanswered > 0 && now.arrived > answered.arrived) strange += 1;
    if (strange >= strangeMax) return { cause: 'lost', detail: 'The other side was started anew.' };
    return unanswered >= unansweredMax
      ? { cause: 'stalled', detail: 'The other side does not answer any more.' }
      : null;
  };
  const timer = setInterval(() => {
    const end = look();
    if (end === null) return;
    clearInterval(timer);
    onLost(end);
  }, lookEveryMs);
  return () => clearInterval(timer);
}
