/**
 * What workers arrange among themselves: attempts one gave to another, and tasks one began on a peer's word.
 *
 * A peer's word is a wish, never a decision. What was handed over is an attempt that came back unstarted; the worker that
 * has it gets the next attempt when that is sound, and else anybody does. Since a worker starts nothing it was handed
 * before the new number is granted to it, and the number before is void from then on, no attempt is started by two.
 * A grant that does not arrive is found out when the worker joins again, as with any assignment.
 */

import type { HandedOver } from './events.ts';
import { adopt, passOn, reportedTask, type Step, takeBack } from './lifecycle.ts';
import { asksForAmounts, hasRoomFor, isOpen, matches } from './placement.ts';
import type { Requirement, Task, TaskSpec } from './task.ts';
import type { Worker } from './worker.ts';

/** An attempt of `giver` was handed over: it is there, or it is stale. */
export function onHandedOver(current: Step, giver: Worker, entry: HandedOver): void {
  const task = reportedTask(current, giver, entry);
  // One that was seen to run cannot have been handed over: a stray duplicate.
  if (task === null || task.phase !== 'assigned') return;
  const { workers, paused, closing } = current.state;
  const taker = workers.get(entry.to);
  const stays = paused || closing || task.cancelRequested || taker === undefined || taker === giver;
  if (stays || !takes(taker, task)) takeBack(current, task);
  else passOn(current, task, taker);
}

function takes(taker: Worker, { spec: { requires } }: Task): boolean {
  return isOpen(taker) && matches(taker, requires) && (hasRoomFor(taker, requires) || mayWaitAt(taker, requires));
}

/**
 * As much again as it has slots may wait with a peer, whatever would be sent there ahead: it waited with the giver too,
 * and whoever is idle gets it as any work that waits.
 */
function mayWaitAt({ assigned, declaration }: Worker, requires: Requirement): boolean {
  return !asksForAmounts(requires) && assigned.size < 2 * declaration.slots;
}

/** A task known here that this worker does not run as attempt 1 is somebody else's: it is to be forgotten there. */
export function onAdopted(current: Step, worker: Worker, { id, spec }: { id: string; spec: TaskSpec }): void {
  const known = current.state.tasks.get(id);
  if (known === undefined) adopt(current, { id, spec }, worker);
  else if (known.workerId !== worker.id || known.attempt !== 1 || known.phase === 'idle') {
    current.state.staleReports += 1;
    current.effects.push({ kind: 'abandon', workerId: worker.id, key: { taskId: id, attempt: 1 } });
  }
}
