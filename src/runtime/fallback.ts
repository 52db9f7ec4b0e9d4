/**
 * A `Transport` that dials one way and, where that does not get through, another: QUIC where UDP passes, else TCP. Each
 * dial tries the better way anew, so that a network which lets it pass again is used as it is. It listens the better way
 * only: whoever takes both listens twice.
 */

import { reasonOf } from '../base/errors.ts';
import type { Log } from '../ports/time.ts';
import type { Transport } from '../ports/transport.ts';

export interface FallbackOptions {
  readonly better: Transport;
  readonly other: Transport;
  /** Time the better way has to connect. */
  readonly patienceMs: number;
  readonly log: Log;
}

/** The log is told once that the other way is used, and again when that changes. Errors of a dial are those of the other way. */
export function createFallbackTransport({ better, other, patienceMs, log }: FallbackOptions): Transport {
  let isFallenBack = false;
  const note = (fallenBack: boolean, fields: Readonly<Record<string, unknown>>): void => {
    if (fallenBack === isFallenBack) return;
    isFallenBack = fallenBack;
    const [worse, best] = [other.name.toUpperCase(), better.name.toUpperCase()];
    if (fallenBack) log.warn(`${best} does not get through (is UDP blocked?); ${worse} is used instead`, fields);
    else log.info(`${best} gets through again and is used`, fields);
  };
  return {
    name: better.name,
    listen: (address, take) => better.listen(address, take),
    async dial({ host, port, timeoutMs }, take) {
      const startedAt = performance.now();
      let reason: string;
      try {
        await better.dial({ host, port, timeoutMs: Math.min(patienceMs, timeoutMs) }, take);
        note(false, { host, port });
        return;
      } catch (error) {
        reason = reasonOf(error);
      }
      const leftMs = Math.max(1, timeoutMs - (performance.now() - startedAt));
      await other.dial({ host, port, timeoutMs: leftMs }, take);
      note(true, { host, port, reason });
    },
  };
}
