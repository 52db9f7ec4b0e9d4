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
  let deaf = (): void => {};
  let isToStop = false;
  try {
    const worker = await startOwnWorker(values, dispatcher, log);
    deaf = onStopSignals(
      () => {
        isToStop = true;
      },
      () => {},
    );
    const status = await untilStopped(worker, log, values.leaveWithinMs);
    // A worker that was asked to end, and could not deliver its results, is no reason to stay.
    if (status === 0 || isToStop) return 0;
    deaf();
    log.warn('the worker of this process has ended; the dispatcher goes on without it');
    await untilSignalled();
    return 0;
  } finally {
    deaf();
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
      allowUpdate: 'false',
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
