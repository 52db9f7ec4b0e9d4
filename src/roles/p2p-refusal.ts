/** Why `run --p2p` finds nobody: which of the things that a worker needs is missing, in one sentence. Asks nobody. */

import type { Requirement } from '../core/task.ts';
import { type Peer, PeerTable, type PeerTableView } from '../discovery/peer-table.ts';

/** Names shown of many. */
const namesMax = 5;
const closedWhy = '--p2p-enabled false holds there, or at the dispatcher';
const otherWay = 'without --p2p the dispatcher places the task';

/** Why no worker that was heard can start this task now. `isMember`: it belongs to the cluster. */
export function whyNobody(
  peers: Pick<PeerTableView, 'all'>,
  requires: Requirement,
  isMember: (peer: Peer) => boolean,
): string {
  const heard = peers.all().filter(({ beacon }) => beacon.role === 'worker');
  if (heard.length === 0) {
    return `No worker of the cluster was heard on this network. "octaskly doctor net" says why; ${otherWay}.`;
  }
  if (heard.every(isClosed)) {
    return `${allOf(heard, 'heard takes', 'heard take')} no tasks of peers: ${closedWhy}; ${otherWay}.`;
  }
  const made = suitedOf(heard, requires);
  if (made.length === 0) {
    const none = heard.length === 1 ? 'The one worker heard is not' : `None of the ${heard.length} workers heard is`;
    return `${none} made for this task: the cores, memory, GPUs or labels it asks for are not there. "octaskly peers" lists what is.`;
  }
  const suited = made.filter(isMember);
  if (suited.length === 0) {
    return `${allOf(made, 'that could run it is', 'that could run it are')} no member of the cluster, as far as this data directory knows: ${namesOf(made)}. A node that was removed stays shut out until it is let in again; of a new one the dispatcher or worker of this data directory hears while it runs.`;
  }
  const open = suited.filter((peer) => !isClosed(peer));
  if (open.length === 0) {
    return `${allOf(suited, 'that could run it takes', 'that could run it take')} no tasks of peers (${namesOf(suited)}): ${closedWhy}; ${otherWay}.`;
  }
  if (open.every(({ beacon }) => beacon.draining)) {
    return `${allOf(open, 'that could run it takes', 'that could run it take')} no new work just now (draining, hot, or on battery).`;
  }
  return `${allOf(open, 'that could run it is', 'that could run it are')} busy. Try again when a task has ended; without --p2p the dispatcher lets the task wait.`;
}

/** It takes nothing of peers. */
function isClosed({ beacon }: Peer): boolean {
  return beacon.peerPort === null;
}

/** Those that would suit the task if they were open to peers and had nothing to do. */
function suitedOf(workers: readonly Peer[], requires: Requirement): readonly Peer[] {
  const idle = new PeerTable();
  for (const { beacon, from, heardAt } of workers) {
    const peerPort = beacon.peerPort ?? 1;
    idle.heard({ ...beacon, peerPort, slotsFree: beacon.slots, draining: false }, from, heardAt);
  }
  const ids = new Set(idle.ranked(requires).map(({ id }) => id));
  return workers.filter(({ id }) => ids.has(id));
}

/** The subject of a sentence on one worker, or on all of several. */
function allOf(workers: readonly Peer[], one: string, several: string): string {
  return workers.length === 1 ? `The one worker ${one}` : `All ${workers.length} workers ${several}`;
}

function namesOf(workers: readonly Peer[]): string {
  const names = workers.slice(0, namesMax).map(({ beacon }) => beacon.name);
  return workers.length > namesMax ? `${names.join(', ')} and ${workers.length - namesMax} more` : names.join(', ');
}
