/**
 * Holding on to tasks that live with the command that submitted them: one task of `run` by a request that stays open, the
 * batches of `map` by a word every few seconds, one call for all of them however many jobs they have.
 *
 * Who stops this command for a while (Ctrl-Z) does not want its tasks to end: before it stops, it asks for a day of patience.
 * A failed call is no error here: the next one comes soon, and who follows the tasks tells of a dispatcher that is away.
 */

import { limits } from '../api/limits.ts';
import { sleep } from '../client/backoff.ts';
import type { CommandContext } from './context.ts';

/** A third of the dispatcher's patience: two words may be lost. */
const renewEveryMs = 5000;

type Attending = Pick<CommandContext, 'client' | 'terminal'>;

/**
 * Holds on to a task that is being submitted until `signal` aborts: a stop between its acceptance and the answer is told of
 * as well. Never throws.
 */
export function attendTask(
  { client, terminal }: Attending,
  submitting: Promise<{ id: string }>,
  signal: AbortSignal,
): void {
  let pause = new AbortController();
  const hold = async (): Promise<void> => {
    const { id } = await submitting;
    pause = new AbortController();
    await client.attend(id, { signal: AbortSignal.any([signal, pause.signal]) });
  };
  const held = (): void => {
    hold().catch(() => undefined);
  };
  held();
  const release = terminal.onSuspend?.({
    before: async () => {
      const { id } = await submitting;
      // Else the next request would take the day back.
      pause.abort();
      await client.keepAttended([id], { seconds: limits.awaySecondsMax, signal });
    },
    after: () => {
      // Takes the day back at once: the command may be killed before it has held for long.
      submitting.then(({ id }) => client.keepAttended([id], { signal })).catch(() => undefined);
      held();
    },
  });
  signal.addEventListener('abort', () => release?.(), { once: true });
}

/** Holds on to the batches that `idsNow` names, until `signal` aborts. Never rejects. */
export async function attendBatches(
  { client, terminal }: Attending,
  idsNow: () => readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const renew = async (seconds?: number): Promise<void> => {
    const ids = idsNow();
    if (ids.length > 0) await client.keepAttended(ids, { signal, ...(seconds === undefined ? {} : { seconds }) });
  };
  let isAway = false;
  const release = terminal.onSuspend?.({
    before: () => {
      isAway = true;
      return renew(limits.awaySecondsMax);
    },
    after: () => {
      isAway = false;
      renew().catch(() => undefined);
    },
  });
  while (!signal.aborted) {
    await sleep(renewEveryMs, signal).catch(() => undefined);
    if (!isAway && !signal.aborted) await renew().catch(() => undefined);
  }
  release?.();
}
