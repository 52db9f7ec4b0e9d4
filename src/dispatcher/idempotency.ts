/** Submissions that come twice: the same key and the same body get the answer of the first time. */

import type { Submission, Submitted } from '../api/backend.ts';
import { OctasklyError } from '../base/errors.ts';
import type { Store } from '../ports/store.ts';
import type { Turn } from './turn.ts';

type Idempotency = Submission['idempotency'];
type Ids = Pick<Submitted, 'batchId' | 'taskIds'>;

/** The answer an earlier submission got; null when this is the first. Error: `conflict` for the same key, another body. */
export function repeatedAnswer(turn: Turn, store: Store, idempotency: Idempotency): Submitted | null {
  if (idempotency === null) return null;
  const earlier = turn.answered.get(idempotency.key) ?? store.idempotency(idempotency.key);
  if (earlier === null) return null;
  if (earlier.bodyHash !== idempotency.bodyHash) {
    throw new OctasklyError(
      'conflict',
      // A key is stored with the name of whose it is in front, on a line of its own.
      `The idempotency key "${idempotency.key.slice(idempotency.key.lastIndexOf('\n') + 1)}" was used before with another request.`,
    );
  }
  return { ...(JSON.parse(earlier.answer) as Ids), repeated: true };
}

/** Remembers the answer, with the commit of the turn. */
export function rememberAnswer(turn: Turn, idempotency: Idempotency, { batchId, taskIds }: Ids): void {
  if (idempotency === null) return;
  const answer = JSON.stringify({ batchId, taskIds });
  turn.change({ kind: 'idempotency', ...idempotency, answer, createdAt: turn.wall });
  turn.answered.set(idempotency.key, { bodyHash: idempotency.bodyHash, answer });
}
