/**
 * What a worker answers when somebody wants to read its log: the last lines, as many as fit into one message. A file may
 * hold anything, as others can write to it: controls (of which NUL would be no text to the dispatcher) are escaped.
 */

import { harmless } from '../base/harmless.ts';
import { type DispatcherMessage, logLengthMax, type WorkerMessage } from '../wire/messages.ts';

type Wanted = Extract<DispatcherMessage, { kind: 'logWanted' }>;

/** `recent`: the last lines of the log, oldest first, at most as many as asked for. */
export function logAnswer(
  { request, lines: wanted }: Wanted,
  recent: (lines: number) => readonly string[],
): WorkerMessage {
  let room = logLengthMax;
  const lines = recent(wanted).map((line) => harmless(line));
  let first = lines.length;
  for (; first > 0; first--) {
    room -= lines[first - 1]?.length ?? 0;
    if (room < 0) break;
  }
  return { kind: 'logLines', request, lines: lines.slice(first).slice(-wanted) };
}
