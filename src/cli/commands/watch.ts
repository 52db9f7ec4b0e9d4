/**
 * `watch`: what happens, one line for each event, until it is interrupted. Waits for a dispatcher that is away and goes on
 * where it was; where events may have been missed, it says so on standard error.
 */

import type { FeedEvent } from '../../api/schemas.ts';
import { cut } from '../../base/harmless.ts';
import type { watchOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { type CommandContext, columnsOf, hasColor, type InterruptSignal, note } from '../context.ts';
import { jsonText, type OutputForm, workerNames } from '../print.ts';
import { exitOfSignal } from '../status.ts';
import { paintStatus } from '../table.ts';

const kindCells = 10;
const statusCells = 9;

export const watch: ClientAction<typeof watchOptions> = async (context, values) => {
  const { client, terminal } = context;
  // A dispatcher that is not there at the start is more likely a wrong address than a lost one.
  await client.health();
  const leave = new AbortController();
  let ended: InterruptSignal | null = null;
  const stop = terminal.onSignal((signal) => {
    ended = signal;
    leave.abort();
  });
  try {
    await follow(context, { ...values, signal: leave.signal });
    return 0;
  } catch (error) {
    if (ended === null) throw error;
    return exitOfSignal(ended);
  } finally {
    stop();
  }
};

interface Wanted {
  readonly kind: readonly FeedEvent['kind'][];
  readonly output: OutputForm;
  readonly signal: AbortSignal;
}

async function follow(context: CommandContext, { kind, output, signal }: Wanted): Promise<void> {
  const { client, terminal } = context;
  let names: ReadonlyMap<string, string> = new Map();
  let isFirst = true;
  for await (const item of client.events({ signal })) {
    if (item.kind === 'gap') {
      if (!isFirst) await note(terminal, "the dispatcher started anew; events may be missing here: 'octaskly ps'.");
      isFirst = false;
    }
    const isWorker = item.kind === 'event' && item.event.kind === 'worker';
    if (output === 'table' && (item.kind === 'gap' || isWorker)) names = await namesNow(context, names);
    if (item.kind === 'gap' || (kind.length > 0 && !kind.includes(item.event.kind))) continue;
    await terminal.stdout.write(lineOf(item.event, { context, output, names }));
  }
}

/** A list of workers that cannot be had now is no reason to stop. */
function namesNow({ client }: CommandContext, before: ReadonlyMap<string, string>) {
  return workerNames(client).catch(() => before);
}

interface Writing {
  readonly context: CommandContext;
  readonly output: OutputForm;
  readonly names: ReadonlyMap<string, string>;
}

function lineOf(event: FeedEvent, { context: { terminal }, output, names }: Writing): string {
  if (output === 'json') return `${jsonText(event, 0)}\n`;
  const width = columnsOf(terminal) ?? Number.MAX_SAFE_INTEGER;
  const ruler = { textWidth: (text: string) => terminal.textWidth(text) };
  if (output === 'quiet') return `${cut(event.id, width, ruler)}\n`;
  const { at, kind, id, status, worker_id: worker, detail } = event;
  const named = kind === 'worker' ? (names.get(id) ?? id) : id;
  const padded = status.padEnd(statusCells);
  const on = worker === null ? [] : [`on ${names.get(worker) ?? worker}`];
  // What names it is never cut: where a line is too short for all, the date goes first, then the time, then the kind.
  const time = at.slice(at.indexOf('T') + 1);
  const heads = [[at, kind.padEnd(kindCells)], [time, kind.padEnd(kindCells)], [kind.padEnd(kindCells)], []];
  const least = padded.length + 2 + terminal.textWidth(named);
  const fits = (head: readonly string[]): boolean => head.join('  ').length + 2 * head.length + least <= width;
  const head = (heads.find(fits) ?? []).map((part) => `${part}  `).join('');
  const behind = [named, ...on, ...(detail === null || detail === '' ? [] : [detail])].join('  ');
  // The colour must not be counted, and what strangers wrote must not colour.
  const left = width - head.length - padded.length - 2;
  if (left < 1) return `${cut(head + padded, width, ruler)}\n`;
  return `${head}${hasColor(terminal) ? paintStatus(padded) : padded}  ${cut(behind, left, ruler)}\n`;
}
