/**
 * Lanes: what travels apart on one link where the transport can carry several streams, so that a long transfer does not
 * hold up a sign of life. Which message takes which lane is this table and nothing else.
 *
 * Within a lane messages arrive in order; between lanes there is no order. So messages whose order matters share one:
 * what a worker tells of its attempts (`output`) from adopting a task over its bytes and reports to the goodbye after the
 * last of them; what is told to it (`control`) from the assignment over stdin to the acknowledgement; and all that is
 * said of the bytes of files (`blobs`).
 */

import type { DispatcherMessage, WorkerMessage } from './messages.ts';
import type { PeerMessage } from './peer-messages.ts';

/** `control` comes first and always exists: on it the link is opened. */
export const lanes = ['control', 'output', 'blobs'] as const;
export type Lane = (typeof lanes)[number];

type Kind = (WorkerMessage | DispatcherMessage | PeerMessage)['kind'];

/** What is not here goes on `control`. */
const table: Readonly<Partial<Record<Kind, Lane>>> = {
  output: 'output',
  report: 'output',
  stdinTaken: 'output',
  handedOver: 'output',
  adopted: 'output',
  leaving: 'output',
  goodbye: 'output',
  runAnswered: 'output',
  blobWanted: 'blobs',
  blobData: 'blobs',
  blobRefused: 'blobs',
  blobAsked: 'blobs',
  blobHere: 'blobs',
};

const laneByKind: ReadonlyMap<string, Lane> = new Map(Object.entries(table));

/** The lane of a message, wherever it goes. */
export function laneOf(message: { readonly kind: string }): Lane {
  return laneByKind.get(message.kind) ?? 'control';
}
