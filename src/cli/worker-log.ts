/**
 * A worker's own log on standard output: its last lines, or those and what comes. Following is asking again every second:
 * what both answers have in common was shown already.
 */

import { limits } from '../api/limits.ts';
import { OctasklyError } from '../base/errors.ts';
import { harmless } from '../base/harmless.ts';
import { sleep } from '../client/backoff.ts';
import { isTransient } from '../client/http.ts';
import { type CommandContext, note } from './context.ts';
import { findWorker } from './known-workers.ts';

const lookMs = 1000;

/** The lines of `now` that follow those of `before`: both are the end of one log, the one later than the other. */
export function newLines(before: readonly string[], now: readonly string[]): readonly string[] {
  for (let common = Math.min(before.length, now.length); common > 0; common--) {
    const start = before.length - common;
    if (now.slice(0, common).every((line, place) => line === before[start + place])) return now.slice(common);
  }
  return now;
}

/** Prints the log. Resolves with exit status 0; with `follow` never. Throws what the client throws. */
export async function workerLog(
  { client, terminal }: CommandContext,
  { node, lines, follow }: { readonly node: string; readonly lines: number; readonly follow: boolean },
): Promise<number> {
  const { id, name } = await findWorker(client, node);
  const write = async (shown: readonly string[]): Promise<void> => {
    // In a pipe too: what is behind it shows it on a terminal, most likely.
    const clean = shown.map((line) => `${harmless(line)}\n`);
    if (clean.length > 0) await terminal.stdout.write(clean.join(''));
  };
  let known = await client.workerLog(id, follow ? limits.logLinesMax : lines);
  await write(known.slice(-lines));
  let away = false;
  while (follow) {
    await sleep(lookMs, undefined);
    try {
      const now = await client.workerLog(id, limits.logLinesMax);
      await write(newLines(known, now));
      known = now;
      away = false;
    } catch (error) {
      if (!isAway(error)) throw error;
      if (!away) await note(terminal, `${name} cannot be asked just now; going on when it can.`);
      away = true;
    }
  }
  return 0;
}

function isAway(error: unknown): boolean {
  return isTransient(error) || (error instanceof OctasklyError && ['worker_away', 'rate_limited'].includes(error.code));
}
