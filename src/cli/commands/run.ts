/**
 * `run CMD`: a command elsewhere as if it ran here. Four things go on at once: two streams of output, standard input,
 * and the wish to stop. The end of the task ends all of them, whatever standard input does.
 *
 * With `-t` the task gets a terminal, and this one becomes it (`terminal-session.ts`). In any case the task lives with this
 * command: it holds on to it as long as it lasts, and the dispatcher cancels what nobody holds on to.
 *
 * Files go before it and come after it (`--in`, `--out`).
 *
 * Signals: the first cancels the task and waits for its end, so that nothing runs on unseen; the second leaves without waiting for
 * the end. Where no task runs, while files move, the first one leaves.
 * A reader that goes away (`| head`) is a wish to stop too.
 */

import { limits } from '../../api/limits.ts';
import type { TaskView } from '../../api/schemas.ts';
import { reasonOf } from '../../base/errors.ts';
import { harmless } from '../../base/harmless.ts';
import { sleep } from '../../client/backoff.ts';
import { attendTask } from '../attending.ts';
import type { runOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { BrokenPipe, type CommandContext, type InterruptSignal, note } from '../context.ts';
import { followTask } from '../follow.ts';
import { announceTask } from '../notify.ts';
import { bringBack } from '../outputs.ts';
import { commandOfWords, notifying, requestOf } from '../request.ts';
import { stageFiles } from '../staging.ts';
import { exitOfSignal, exitOfTask, exitOwnFailure } from '../status.ts';
import { feedStdin } from '../stdin.ts';
import { openTerminalSession, ttyWanted } from '../terminal-session.ts';

/** So long a task waits without a word about it. */
const waitUnsaidMs = 2000;
/** How long leaving waits for the answer to a request to cancel. */
const askMaxMs = 1000;

/** Why the command leaves before the task has ended. */
class Leaving extends Error {
  override readonly name = 'Leaving';
}

/** Turns signals into a cancelled task, then into leaving. */
class Interrupts {
  readonly leave = new AbortController();
  first: InterruptSignal | null = null;
  private taskId: string | null = null;
  /** A signal has nothing to cancel: no task was submitted, or it has ended. */
  private isIdle = true;
  private cancelling: Promise<unknown> = Promise.resolve();
  /** What was said about it is written: an exit right after the end of the task must not lose it. */
  said: Promise<void> = Promise.resolve();
  private readonly context: CommandContext;
  readonly stop: () => void;

  constructor(context: CommandContext) {
    this.context = context;
    this.stop = context.terminal.onSignal((signal) => this.take(signal));
  }

  /** From here on there may be a task: a signal waits until it is known. Throws when one came before. */
  submitting(): void {
    this.leave.signal.throwIfAborted();
    this.isIdle = false;
  }

  /** From here on there is something to cancel; a signal that came earlier counts. */
  arm(taskId: string): void {
    this.taskId = taskId;
    if (this.first !== null) this.cancel(taskId);
  }

  /** No task was submitted. */
  get isBeforeTask(): boolean {
    return this.isIdle && this.taskId === null;
  }

  /** The task has ended. */
  disarm(): void {
    this.isIdle = true;
  }

  /** Somebody wants it to end. */
  take(signal: InterruptSignal): void {
    if (this.first !== null || this.isIdle) {
      this.first ??= signal;
      this.leave.abort(new Leaving());
      return;
    }
    this.first = signal;
    if (this.taskId !== null) this.cancel(this.taskId);
  }

  private cancel(taskId: string): void {
    const { client, terminal } = this.context;
    const again = this.first === 'SIGINT' ? ' (Ctrl-C again: leave at once)' : '';
    const saying = note(terminal, `Cancelling task ${taskId}${again}.`);
    this.said = saying.catch(() => {});
    const asking = Promise.all([client.cancel(taskId, { patient: true }), saying]);
    // When the dispatcher refuses to listen, waiting for the end is pointless.
    this.cancelling = asking.catch((error: unknown) => this.leave.abort(error));
  }

  /** Resolves when the dispatcher knows of the wish to cancel, or after `askMaxMs`. */
  async asked(): Promise<void> {
    await Promise.race([this.cancelling, sleep(askMaxMs, undefined)]);
  }
}

export const run: ClientAction<typeof runOptions> = async (context, values, words) => {
  const { client, terminal } = context;
  const interrupts = new Interrupts(context);
  const over = new AbortController();
  const session = await openTerminalSession(context, values.noTerminal ? 0 : ttyWanted(values.tty), () =>
    interrupts.take('SIGHUP'),
  );
  const input = session?.input ?? terminal.stdin;
  const isFed = session !== null || (values.stdin && !values.nullInput && !input.isTTY && !input.isEmpty);
  try {
    const flags = await requestOf(client, values, values.tag);
    const { leave } = interrupts;
    const request = {
      // What goes beyond is lost here: as much as can be is kept.
      max_output: limits.outputBytesMax,
      ...session?.request,
      ...flags,
      ...(await stageFiles(context, values, leave.signal)),
      command: commandOfWords(words),
      ...(values.notify?.url ? notifying([values.notify.url]) : {}),
      ...(isFed ? { stdin: { stream: true as const } } : {}),
      attached: true,
    };
    interrupts.submitting();
    const submitting = client.submitTask(request, { signal: leave.signal });
    attendTask(context, submitting, over.signal);
    const submitted = await submitting;
    const { id } = submitted;
    interrupts.arm(id);
    const from = { client, terminal: { ...terminal, stdin: input } };
    const feeding = isFed ? feedStdin(from, id, over.signal) : Promise.resolve();
    let inputFailed = false;
    feeding.catch((error: unknown) => {
      if (over.signal.aborted) return;
      // A command that saw half of its input must not look as if it had seen all of it.
      inputFailed = true;
      note(terminal, `Cannot pass standard input on, cancelling task ${id}: ${reasonOf(error)}`).catch(() => {});
      client.cancel(id, { patient: true, signal: leave.signal }).catch((why: unknown) => interrupts.leave.abort(why));
    });
    sayWhatItWaitsFor(context, id, AbortSignal.any([over.signal, leave.signal]));
    await session?.enter(submitted, leave.signal);
    const ended = await followOrCancel(context, id, leave.signal);
    const status = await settle(context, interrupts, ended);
    if (ended !== null && interrupts.first === null) await announceTask(context, values.notify, ended);
    return inputFailed ? exitOwnFailure : status;
  } catch (error) {
    if (!(error instanceof Leaving)) throw error;
    // A shell that closes sends two signals in a row: the task must not outlive that.
    await interrupts.asked();
    if (interrupts.isBeforeTask) await note(terminal, 'Interrupted; nothing was submitted.');
    return exitOfSignal(interrupts.first ?? 'SIGINT');
  } finally {
    over.abort();
    session?.close();
    interrupts.stop();
    await interrupts.said;
  }
};

/** Says on a terminal why nothing happens, when the task does not start at once. Never throws. */
function sayWhatItWaitsFor({ client, terminal }: CommandContext, id: string, signal: AbortSignal): void {
  const say = async (): Promise<void> => {
    await sleep(waitUnsaidMs, signal);
    const { status } = await client.task(id, { signal });
    if (status !== 'queued' && status !== 'blocked') return;
    const { summary } = await client.explain(id, { signal });
    await note(terminal, `${harmless(summary).replace(/\.$/, '')}; 'octaskly explain ${id}' says more.`);
  };
  if (terminal.stderr.isTTY) say().catch(() => undefined);
}

/** The ended task; null when the local reader went away and the task was cancelled for it. */
async function followOrCancel(context: CommandContext, id: string, signal: AbortSignal): Promise<TaskView | null> {
  try {
    return await followTask(context, id, signal);
  } catch (error) {
    if (!(error instanceof BrokenPipe)) throw error;
    await context.client.cancel(id, { patient: true, signal });
    return null;
  }
}

async function settle(context: CommandContext, interrupts: Interrupts, task: TaskView | null): Promise<number> {
  if (task === null) return exitOfSignal('SIGPIPE');
  // Cancelled by our own signal: the shell expects to read that signal, and the person knows why.
  if (task.status === 'cancelled' && interrupts.first !== null) return exitOfSignal(interrupts.first);
  const { status, message } = exitOfTask(task);
  if (message !== null) await note(context.terminal, message);
  interrupts.disarm();
  const { signal } = interrupts.leave;
  const isAllHere = await bringBack(context, { id: task.id, patterns: task.outputs, shown: true, signal });
  return status === 0 && !isAllHere ? exitOwnFailure : status;
}
