/**
 * `--notify` of `run` and `map`: rings where the person is, or has the dispatcher tell a destination.
 *
 * Here it rings the terminal (BEL), and shows a message: by the desktop's own program where that works, else by the escape
 * that the terminal knows: OSC 777 (rxvt-unicode, foot, VTE) or OSC 9 (iTerm2, and most others). Only on a terminal; in a
 * file or pipe it writes nothing. Whether anybody sees it, no program is told.
 */

import type { TaskView } from '../api/schemas.ts';
import { reasonOf } from '../base/errors.ts';
import { harmless } from '../base/harmless.ts';
import { parseDestination } from '../core/destination.ts';
import { type CommandContext, note, type Terminal } from './context.ts';
import type { Parsed } from './option.ts';

/** Where to: a destination, or null for this terminal and desktop. */
export interface NotifyChoice {
  readonly url: string | null;
}

/** Takes a destination, or `here`, which the flag alone stands for. */
export function parseNotify(text: string): Parsed<NotifyChoice> {
  if (text === 'here') return { value: { url: null } };
  const parsed = parseDestination(text);
  if ('value' in parsed) return { value: { url: text } };
  return { expected: 'left out, or an address such as https://example.org/hook or ntfy:https://ntfy.sh/topic' };
}

/** Cells of a message: what a desktop shows of it. */
const textLengthMax = 200;
const title = 'Octaskly';

/** A cut through the middle of a character leaves U+FFFD of it. */
const beginning = (text: string): string => text.slice(0, textLengthMax).toWellFormed();

/** Tells whoever sits here. Never throws: what was to be told of has happened. */
export async function ring({ terminal }: Pick<CommandContext, 'terminal'>, text: string): Promise<void> {
  const line = harmless(beginning(text));
  const isShown = (await terminal.notifyDesktop?.(title, line)) ?? false;
  if (!terminal.stderr.isTTY) return;
  const message = isShown || terminal.env.TERM === 'dumb' ? '' : messageEscape(terminal, line);
  await terminal.stderr.write(`${message}\x07`).catch(() => undefined);
}

function messageEscape({ env }: Pick<Terminal, 'env'>, line: string): string {
  const hasTitles = /^(?:rxvt|foot)/.test(env.TERM ?? '') || env.VTE_VERSION !== undefined;
  // A semicolon would end the title or, behind a digit, make another command of OSC 9.
  return hasTitles ? `\x1b]777;notify;${title};${line.replaceAll(';', ',')}\x1b\\` : `\x1b]9;${title}: ${line}\x1b\\`;
}

/** Tells of a task that was followed here, unless a destination was named, which the dispatcher tells. */
export async function announceTask(
  context: Pick<CommandContext, 'terminal'>,
  choice: NotifyChoice | undefined,
  { id, name, command, status }: Pick<TaskView, 'id' | 'name' | 'command' | 'status'>,
): Promise<void> {
  if (choice?.url !== null) return;
  await ring(context, `Task ${id} (${name ?? command ?? ''}) ${status === 'timed_out' ? 'timed out' : status}`);
}

/** Sees, before anything runs, to whether a destination may be told. Throws what the client throws. */
export async function checkNotify({ client }: Pick<CommandContext, 'client'>, choice?: NotifyChoice): Promise<void> {
  if (typeof choice?.url !== 'string') return;
  await client.notifications.send({ url: choice.url, event: 'map_ended', text: title, check: true });
}

/** Tells of a map that has ended: here, or where its destination is. What goes wrong is said and changes nothing else. */
export async function announceMap(
  context: Pick<CommandContext, 'terminal' | 'client'>,
  choice: NotifyChoice | undefined,
  {
    name,
    ended,
    failed,
    interrupted = false,
  }: { readonly name: string; readonly ended: number; readonly failed: number; readonly interrupted?: boolean },
): Promise<void> {
  if (choice === undefined) return;
  const completed = ended - failed;
  const what = interrupted ? `interrupted: ${completed}` : `ended: ${completed} of ${ended}`;
  const text = `Map ${what} jobs completed, ${failed} failed (${harmless(name)})`;
  if (choice.url === null) {
    // Whoever interrupts it here knows.
    if (!interrupted) await ring(context, text);
    return;
  }
  const request = { url: choice.url, event: 'map_ended', text: beginning(text) } as const;
  await context.client.notifications.send(request).catch((error: unknown) => {
    return note(context.terminal, `Cannot tell of the end: ${reasonOf(error)}`);
  });
}
