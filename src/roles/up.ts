/** A dispatcher and one worker in one process: for a first try, and for a machine that does both. */

import type { UpValues } from '../cli/options.ts';
import type { ProcessLog } from '../runtime/log.ts';
import { logOf, onStopSignals } from './common.ts';
import { type RunningDispatcher, startDispatcher } from './dispatcher.ts';
import { type RunningWorker, startWorker, untilStopped } from './worker.ts';

/**
 * Runs both until a signal ends them. Exit status 0. A worker that cannot go on, because it was shut out for one, leaves
 * the dispatcher running: others depend on that.
 */
export async function runUp(values: UpValues): Promise<number> {
  const log = logOf(values);
  const dispatcher = await startDispatcher(values, log);
  try {
    const worker = await startOwnWorker(values, dispatcher, log);
    if ((await untilStopped(worker, log, values.leaveWithinMs)) === 0) return 0;
    log.warn('the worker of this process has ended; the dispatcher goes on without it');
    await untilSignalled();
    return 0;
  } finally {
    await dispatcher.stop();
  }
}

/** A worker for the dispatcher of this process. Errors: those of `startWorker`. */
export function startOwnWorker(values: UpValues, { port }: RunningDispatcher, log: ProcessLog): Promise<RunningWorker> {
  const host = values.bind === '0.0.0.0' || values.bind === '::' ? '127.0.0.1' : values.bind;
  return startWorker(
    {
      ...values,
      // By the secret that is kept now: a file given with an option can perhaps be read once only.
      ...{ secret: undefined, secretFile: undefined, join: undefined, newIdentity: false },
      id: undefined,
      dispatcher: [{ host, port }],
    },
    log,
  );
}

function untilSignalled(): Promise<void> {
  return new Promise((resolve) => {
    onStopSignals(resolve, () => process.exit(130));
  });
}
