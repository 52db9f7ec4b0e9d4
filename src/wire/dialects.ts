/**
 * Which messages go which way: the two ends of a worker's link to its dispatcher. Nothing but the pairing.
 */

import { checkDispatcherMessage, halveDispatcherMessage, packDispatcherMessage } from './dispatcher-messages.ts';
import type { DispatcherMessage, WorkerMessage } from './messages.ts';
import type { Dialect } from './session.ts';
import { checkWorkerMessage, halveWorkerMessage, packWorkerMessage } from './worker-messages.ts';

/** For the worker's end. */
export const workerDialect: Dialect<WorkerMessage, DispatcherMessage> = {
  pack: packWorkerMessage,
  check: checkDispatcherMessage,
  halve: halveWorkerMessage,
};

/** For the dispatcher's end. */
export const dispatcherDialect: Dialect<DispatcherMessage, WorkerMessage> = {
  pack: packDispatcherMessage,
  check: checkWorkerMessage,
  halve: halveDispatcherMessage,
};
