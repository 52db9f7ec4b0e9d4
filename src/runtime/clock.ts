/** The real clock and the real randomness. */

import { randomBytes } from 'node:crypto';
import type { Clock, Random, Timer } from '../ports/time.ts';

/** Longest wait setTimeout knows; longer ones are waited for in steps. */
const stepMsMax = 2 ** 31 - 1;

function after(delayMs: number, action: () => void): Timer {
  let handle: ReturnType<typeof setTimeout>;
  const wait = (leftMs: number): void => {
    const stepMs = Math.min(leftMs, stepMsMax);
    handle = setTimeout(() => (leftMs > stepMs ? wait(leftMs - stepMs) : action()), stepMs);
  };
  wait(Math.max(0, delayMs));
  return { cancel: () => clearTimeout(handle) };
}

export const systemClock: Clock = {
  steady: () => performance.now(),
  wall: () => Date.now(),
  after,
  // After the poll phase: what the sockets of this round delivered is taken in together.
  soon: (action) => void setImmediate(action),
};

export const systemRandom: Random = { bytes: (count) => new Uint8Array(randomBytes(count)) };
