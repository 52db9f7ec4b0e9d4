/** `submit CMD`: hands in one task with its files; with `--wait` stays until it has ended and brings files back. */

import { reasonOf } from '../../base/errors.ts';
import type { submitOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { BrokenPipe, type CommandContext, note } from '../context.ts';
import { followTask } from '../follow.ts';
import { bringBack } from '../outputs.ts';
import { type OutputForm, writeJson } from '../print.ts';
import { commandOfWords, notifying, requestOf } from '../request.ts';
import { stageFiles } from '../staging.ts';
import { exitOfSignal, exitOfTask, exitOwnFailure } from '../status.ts';

/** Turns signals into the end of what can be left in the middle. */
class Leave extends AbortController {
  status = exitOwnFailure;
  readonly stop: () => void;

  constructor({ terminal }: CommandContext) {
    super();
    this.stop = terminal.onSignal((signal) => {
      this.status = exitOfSignal(signal);
      this.abort(new Error('interrupted'));
    });
  }
}

export const submit: ClientAction<typeof submitOptions> = async (context, values, words) => {
  const { client, terminal } = context;
  const request = {
    ...(await requestOf(client, values, values.tag)),
    command: commandOfWords(words),
    ...notifying(values.notify),
  };
  const leave = new Leave(context);
  try {
    const files = await stageFiles(context, values, leave.signal).catch((error: unknown) => {
      if (leave.signal.aborted) return null;
      throw error;
    });
    if (files === null) {
      await note(terminal, 'Interrupted; nothing was submitted.');
      return leave.status;
    }
    if (!values.wait) leave.stop();
    const task = await client.submitTask({ ...request, ...files });
    if (values.wait) return await waitFor(context, task.id, values.output, leave);
    await (values.output === 'json' ? writeJson(terminal, task) : terminal.stdout.write(`${task.id}\n`));
    return 0;
  } finally {
    leave.stop();
  }
};

async function waitFor(context: CommandContext, id: string, form: OutputForm, leave: Leave): Promise<number> {
  const { client, terminal } = context;
  const { signal } = leave;
  let hasEnded = false;
  try {
    const [ended] = form === 'table' ? [await followTask(context, id, signal)] : await client.waitFor([id], { signal });
    if (ended === undefined) return exitOwnFailure;
    hasEnded = true;
    if (form === 'json') await writeJson(terminal, ended);
    const { status, message } = exitOfTask(ended);
    if (message !== null) await note(terminal, message);
    const isAllHere = await bringBack(context, { id, patterns: ended.outputs, shown: true, signal });
    return status === 0 && !isAllHere ? exitOwnFailure : status;
  } catch (error) {
    if (signal.aborted) {
      const rest = `Its files are not all here: octaskly outputs ${id} --dir .`;
      await note(terminal, hasEnded ? `Interrupted. ${rest}` : `Stopped waiting; task ${id} goes on.`);
      return leave.status;
    }
    if (error instanceof BrokenPipe) {
      const rest = hasEnded ? '' : ` Task ${id} goes on: octaskly wait ${id}`;
      await note(terminal, `Nobody reads the output any more.${rest}`);
      return exitOfSignal('SIGPIPE');
    }
    await note(terminal, reasonOf(error));
    return exitOwnFailure;
  }
}
