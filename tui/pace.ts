/**
 * Work that is asked for more often than it may be done: done at once the first time, then at most once in `everyMs`, and
 * never twice at a time; whatever was asked for meanwhile is done once more afterwards. Timers are all it touches.
 */

export interface Paced {
  ask(): void;
  /** Nothing is begun any more. */
  stop(): void;
}

/** `work` must not reject. `now`: ms on any clock. */
export function paced(everyMs: number, now: () => number, work: () => void | Promise<void>): Paced {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let busy = false;
  let wanted = false;
  let stopped = false;
  let beganAt = Number.NEGATIVE_INFINITY;

  const begin = async (): Promise<void> => {
    timer = null;
    wanted = false;
    busy = true;
    beganAt = now();
    await work();
    busy = false;
    if (wanted) ask();
  };
  const ask = (): void => {
    if (stopped || timer !== null) return;
    if (busy) {
      wanted = true;
      return;
    }
    // A clock that was set back must not hold it up.
    const passed = Math.abs(now() - beganAt);
    timer = setTimeout(() => void begin(), Math.max(0, everyMs - passed));
  };
  return {
    ask,
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/** Resolves after `delayMs`, or when `signal` aborts. */
export function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener('abort', done);
  });
}
