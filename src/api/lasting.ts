/**
 * Answers that last go on only while their caller would still be let in: a token that is revoked, has expired, or was signed
 * with a secret that was changed ends them within `holdsEveryMs`. It judges nothing itself; `Call.holds` does.
 */

import type { Clock, Timer } from '../ports/time.ts';

/** How often a caller of an answer that lasts is judged anew. */
export const holdsEveryMs = 1000;

/** What decides how long an answer lasts. */
export interface Lasting {
  /** False once the caller would not be let in any more. */
  readonly holds: () => boolean;
  readonly clock: Clock;
}

/** Calls `onEnd` once when the caller does not hold any more. Returns what stops asking. */
export function whileHolds({ holds, clock }: Lasting, onEnd: () => void): () => void {
  let timer: Timer | null = null;
  const look = (): void => {
    timer = clock.after(holdsEveryMs, () => {
      if (holds()) look();
      else onEnd();
    });
  };
  look();
  return () => timer?.cancel();
}
