/**
 * The numbers of attempts after a backup was restored.
 *
 * An attempt's number is its fencing token: it only ever grows. A restored state does not know what was given out after
 * it was saved, and workers may still run that: by the same numbers, it would be taken for what is given out now. So of
 * the tasks the state knew, every further attempt gets a number beyond all that can have been in use. The attempts that it
 * knew to be handed out keep theirs: whoever still runs one goes on. Tasks submitted later are as ever.
 */

/** Below which number no attempt is given out any more, for the tasks it is about. */
export interface AttemptFence {
  /** Greatest id of a task it is about. */
  readonly lastId: string;
  /** Greatest number that may have been given out. */
  readonly attempt: number;
}

/** Under which key of the settings it is stored. */
export const fenceSetting = 'attempt_fence';

/** More attempts than this are not made of one task between two backups. */
const gap = 1000;

/** The number of a task's next attempt. */
export function nextAttempt(
  fence: AttemptFence | null,
  { id, attempt }: { readonly id: string; readonly attempt: number },
): number {
  return (fence === null || id > fence.lastId ? attempt : Math.max(attempt, fence.attempt)) + 1;
}

/** The fence of a state that is restored: of its last id and its greatest number of an attempt. `before`: the state's own. */
export function fenceBeyond(
  { lastId, attemptMax }: { readonly lastId: string; readonly attemptMax: number },
  before: AttemptFence | null,
): AttemptFence {
  return { lastId, attempt: Math.max(attemptMax, before?.attempt ?? 0) + gap };
}

/** As it is stored. */
export function fenceText({ lastId, attempt }: AttemptFence): string {
  return `${attempt} ${lastId}`;
}

/** What `fenceText` wrote; null for anything else. */
export function fenceIn(text: string | null): AttemptFence | null {
  const [, attempt, lastId] = /^(\d{1,15}) ([0-9a-z]*)$/.exec(text ?? '') ?? [];
  return attempt === undefined || lastId === undefined ? null : { lastId, attempt: Number(attempt) };
}
