/**
 * How long to wait before the next attempt: exponential in the number of failures, capped, with jitter so that tasks
 * which failed together do not return together. The jitter is a hash of task and attempt (FNV-1a): the same every time,
 * which lets a simulation repeat itself.
 */

/** Longest wait between two attempts. */
export const backoffMsMax = 300_000;

function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

/** Wait before the attempt after the `failures`-th failure (1 = the first): between half of and the full backoff. */
export function backoffMs(taskId: string, options: { baseMs: number; failures: number }): number {
  const full = Math.min(backoffMsMax, options.baseMs * 2 ** Math.min(options.failures - 1, 30));
  const jitter = hash(`${taskId}:${options.failures}`) / 2 ** 32;
  return Math.round(full * (0.5 + jitter / 2));
}
