/**
 * `run -t`: this terminal becomes the one the task runs in. Its keys go there as they are pressed, Ctrl-C among them; its
 * size follows; its settings are taken away when the task runs and given back in the end, whatever the end is.
 *
 * As ssh(1): once, `-t` wants a terminal here and says so where there is none; twice, the task gets one all the same.
 * While the task waits for a worker this terminal stays as it is, so that Ctrl-C still ends the command.
 */

import type { TaskRequest, TaskView } from '../api/schemas.ts';
import { Backoff, sleep } from '../client/backoff.ts';
import type { Client } from '../client/client.ts';
import { type TerminalSize, terminalNamePattern, terminalSideMax } from '../core/task.ts';
import { note, type Source, type Terminal } from './context.ts';
import { typingOf } from './typing.ts';

/** What a terminal is like that nobody looks at. */
const unseenSize: TerminalSize = { columns: 80, rows: 24 };

/** Between looks at a task that waits for a worker. */
const lookDelays = { baseMs: 10, capMs: 500 } as const;

/** How much of a terminal is wanted: as often as `-t` was given, 0 = none. `--no-tty` takes back what came before. */
export function ttyWanted(given: readonly boolean[]): number {
  return given.length - 1 - given.lastIndexOf(false);
}

export interface TerminalSession {
  /** Its part of the request. */
  readonly request: Pick<TaskRequest, 'stdin' | 'terminal'>;
  /** What goes into the task's terminal. */
  readonly input: Source;
  /** Goes over to the task's terminal once it runs; resolves then, or when it has ended, or `signal` aborts. Never rejects. */
  enter(task: TaskView, signal: AbortSignal): Promise<void>;
  /** Gives this terminal back. Idempotent. */
  close(): void;
}

/** The session, or null when there is to be none. `onLeave`: the way out (`~.`) was typed. */
export async function openTerminalSession(
  { client, terminal }: { readonly client: Client; readonly terminal: Terminal },
  wanted: number,
  onLeave: () => void,
): Promise<TerminalSession | null> {
  const { keyboard, stdin, env } = terminal;
  if (wanted === 0) return null;
  if (keyboard === null && wanted === 1) {
    await note(
      terminal,
      'Standard input is no terminal here, so the command gets none; with -tt it gets one all the same.',
    );
    return null;
  }
  const sizeNow = (): TerminalSize => clamp(keyboard?.size() ?? unseenSize);
  const name = env.TERM ?? '';
  const undo: (() => void)[] = [];
  return {
    request: {
      stdin: { stream: true },
      terminal: { ...sizeNow(), term: terminalNamePattern.test(name) ? name : 'dumb' },
    },
    input: keyboard === null ? stdin : typingOf(stdin, onLeave),
    enter: async (task, signal) => {
      if (keyboard === null || !(await hasStarted(client, task, signal))) return;
      undo.push(keyboard.raw(), keyboard.onResize(resizing(client, task.id, sizeNow, signal)));
    },
    close: () => {
      for (const back of undo.splice(0)) back();
    },
  };
}

/** A listener that tells the task of the size as it is then: one call at a time, and the last size always arrives. */
function resizing(client: Client, id: string, sizeNow: () => TerminalSize, signal: AbortSignal): () => void {
  let isOpen = false;
  let isTelling = false;
  const tell = async (): Promise<void> => {
    isTelling = true;
    while (isOpen) {
      isOpen = false;
      // A task that has just ended has no size.
      await client.resize(id, sizeNow(), { signal }).catch(() => undefined);
    }
    isTelling = false;
  };
  return () => {
    isOpen = true;
    if (!isTelling) void tell();
  };
}

/** Waits until the task is no longer waiting; true when it may have a terminal then. */
async function hasStarted(client: Client, task: TaskView, signal: AbortSignal): Promise<boolean> {
  const looks = new Backoff(lookDelays);
  let { status } = task;
  try {
    while (status === 'queued' || status === 'blocked') {
      await sleep(looks.next(), signal);
      status = (await client.task(task.id, { signal })).status;
    }
    return status === 'running';
  } catch {
    // Whoever follows the task tells of the trouble, and waits until it is over.
    return !signal.aborted;
  }
}

function clamp({ columns, rows }: TerminalSize): TerminalSize {
  const side = (cells: number): number => Math.min(Math.max(Math.trunc(cells) || 1, 1), terminalSideMax);
  return { columns: side(columns), rows: side(rows) };
}
