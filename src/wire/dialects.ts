/**
 * Which messages go which way: the two ends of a worker's link to its dispatcher, and of a link between peers. Nothing
 * but the pairing.
 */

import {
  checkDispatcherMessage,
  dispatcherMessageSince,
  halveDispatcherMessage,
  packDispatcherMessage,
} from './dispatcher-messages.ts';
import type { DispatcherMessage, WorkerMessage } from './messages.ts';
import { checkPeerMessage, halvePeerMessage, type PeerMessage, packPeerMessage } from './peer-messages.ts';
import type { Dialect } from './session.ts';
import { checkWorkerMessage, halveWorkerMessage, packWorkerMessage, workerMessageSince } from './worker-messages.ts';

/** How both ends of a kind of link speak. */
export interface Dialects<Dials, Listens> {
  readonly dialling: Dialect<Dials, Listens>;
  readonly listening: Dialect<Listens, Dials>;
}

/** For the worker's end. */
export const workerDialect: Dialect<WorkerMessage, DispatcherMessage> = {
  pack: packWorkerMessage,
  since: workerMessageSince,
  check: checkDispatcherMessage,
  halve: halveWorkerMessage,
};

/** For the dispatcher's end. */
export const dispatcherDialect: Dialect<DispatcherMessage, WorkerMessage> = {
  pack: packDispatcherMessage,
  since: dispatcherMessageSince,
  check: checkWorkerMessage,
  halve: halveDispatcherMessage,
};

/** A worker dials its dispatcher. */
export const workerDialects: Dialects<WorkerMessage, DispatcherMessage> = {
  dialling: workerDialect,
  listening: dispatcherDialect,
};

/** For both ends of a link between peers. */
export const peerDialect: Dialect<PeerMessage, PeerMessage> = {
  pack: packPeerMessage,
  check: checkPeerMessage,
  halve: halvePeerMessage,
};

/** Peers say the same, whoever of them dialled. */
export const peerDialects: Dialects<PeerMessage, PeerMessage> = { dialling: peerDialect, listening: peerDialect };
