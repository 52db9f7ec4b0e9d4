/**
 * Tasks that workers began on a peer's word, taken in as they are told: checked, put on record, and from then on tasks
 * as any. The deny list is not asked: the command runs already, and the worker that took it cannot ask for it. The id
 * was drawn by whoever asked, so a clock that is ahead must not push all later ids after it.
 */

import { timeOfId } from '../core/ids.ts';
import type { TaskSpec } from '../core/task.ts';
import type { Store } from '../ports/store.ts';
import type { AdoptedTask } from '../wire/messages.ts';
import { packAssignment } from '../wire/shapes.ts';
import { adoptionEntry, putOnRecord } from './record.ts';
import { assignmentOf, type Turn } from './turn.ts';

/** An id may be this far ahead of the clock here. */
const idAheadMsMax = 24 * 3600 * 1000;

interface Told {
  readonly workerId: string;
  readonly session: number;
  readonly tasks: readonly AdoptedTask[];
}

/** Takes in what a worker tells it has adopted. What is known with other content, or cannot be, it is to abandon. */
export function takeAdopted(turn: Turn, store: Pick<Store, 'task'>, { tasks, ...from }: Told): void {
  const taken: { id: string; spec: TaskSpec }[] = [];
  for (const task of tasks) {
    const { taskId, attempt } = task.assignment;
    switch (standing(turn, store, from.workerId, task)) {
      case 'new':
        putOnRecord(turn, adoptionEntry(task, { workerId: from.workerId, name: nameOf(turn, from.workerId) }));
        taken.push({ id: taskId, spec: specOf(task) });
        break;
      case 'live':
        taken.push({ id: taskId, spec: specOf(task) });
        break;
      case 'ended':
        // Its end is on its way once more, and is acknowledged as any.
        break;
      case 'other':
        turn.sendKey(from.workerId, 'abandon', { taskId, attempt });
        break;
    }
  }
  turn.apply({ kind: 'tasksAdopted', ...from, tasks: taken });
}

function standing(
  turn: Turn,
  store: Pick<Store, 'task'>,
  workerId: string,
  { assignment }: AdoptedTask,
): 'new' | 'live' | 'ended' | 'other' {
  const { taskId, attempt } = assignment;
  if (attempt !== 1 || timeOfId(taskId) > turn.wall + idAheadMsMax) return 'other';
  const live = turn.state.tasks.get(taskId);
  const known = live ?? store.task(taskId)?.task;
  if (known === undefined) return 'new';
  const isSame = JSON.stringify(packAssignment(assignmentOf(known, 1))) === JSON.stringify(packAssignment(assignment));
  if (!isSame || known.attempt !== 1 || known.workerId !== workerId) return 'other';
  return live === undefined ? 'ended' : 'live';
}

/** What was asked for, with everything a worker is not told left out: nobody's, tried once, after nothing. */
function specOf({ assignment }: AdoptedTask): TaskSpec {
  return {
    ...assignment.spec,
    ...{ retryCount: 0, retryDelayMs: 0, dependsOn: [], onDependencyFailure: 'cancel', tags: {} },
    ...{ batchId: null, retryOf: null, owner: null },
  };
}

function nameOf(turn: Turn, workerId: string): string {
  return turn.state.workers.get(workerId)?.name ?? workerId;
}
