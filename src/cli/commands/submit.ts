/** `submit CMD`: hands in one task; with `--wait` stays until it has ended. */

import { reasonOf } from '../../base/errors.ts';
import type { ClientAction } from '../command.ts';
import { BrokenPipe, note } from '../context.ts';
import { followTask } from '../follow.ts';
import type { submitOptions } from '../options.ts';
import { writeJson } from '../print.ts';
import { commandOfWords, requestOf } from '../request.ts';
import { exitOfSignal, exitOfTask, exitOwnFailure } from '../status.ts';

export const submit: ClientAction<typeof submitOptions> = async (context, values, words) => {
  const { client, terminal } = context;
  const request = { ...(await requestOf(client, values, values.tag)), command: commandOfWords(words) };
  const task = await client.submitTask(request);
  if (!values.wait) {
    await (values.output === 'json' ? writeJson(terminal, task) : terminal.stdout.write(`${task.id}\n`));
    return 0;
  }
  const interrupted = new AbortController();
  let signalStatus = exitOwnFailure;
  const stop = terminal.onSignal((signal) => {
    signalStatus = exitOfSignal(signal);
    interrupted.abort();
  });
  try {
    const { signal } = interrupted;
    const live = values.output === 'table';
    const [ended] = live ? [await followTask(context, task.id, signal)] : await client.waitFor([task.id], { signal });
    if (ended === undefined) return exitOwnFailure;
    if (values.output === 'json') await writeJson(terminal, ended);
    const { status, message } = exitOfTask(ended);
    if (message !== null) await note(terminal, message);
    return status;
  } catch (error) {
    if (interrupted.signal.aborted) {
      await note(terminal, `Stopped waiting; task ${task.id} goes on.`);
      return signalStatus;
    }
    if (error instanceof BrokenPipe) throw error;
    await note(terminal, reasonOf(error));
    return exitOwnFailure;
  } finally {
    stop();
  }
};
