/** `logs ID`: a task's output as its bytes; with `-f` until it ends. `logs --node WORKER`: the worker's own log. */

import { limits } from '../../api/limits.ts';
import type { logsOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { followTask } from '../follow.ts';
import type { Values } from '../option.ts';
import { usage } from '../parse.ts';
import { oneTask } from '../selectors.ts';
import { workerLog } from '../worker-log.ts';

/** Throws `usage` for what does not go together. */
function check({ node, lines, stdout, stderr }: Values<typeof logsOptions>, words: readonly string[]): void {
  if (stdout && stderr) throw usage('--stdout and --stderr exclude each other.');
  if (node === undefined) {
    if (lines !== undefined) throw usage("--lines is for --node: a task's output is given in full.");
    if (words.length === 0) throw usage('logs needs the id of a task, or --node with the name of a worker.');
    return;
  }
  if (words.length > 0)
    throw usage(`--node gives the log of a worker, and "${words[0]}" names a task: give one of them.`);
  if (stdout || stderr) throw usage('--stdout and --stderr are for tasks: the log of a worker is one stream.');
}

export const logs: ClientAction<typeof logsOptions> = async (context, values, words) => {
  check(values, words);
  const { client, terminal } = context;
  const { node, lines, follow } = values;
  if (node !== undefined) return workerLog(context, { node, lines: lines ?? limits.logLinesDefault, follow });
  const { id } = await oneTask(client, words[0] ?? '');
  if (values.stdout || values.stderr) {
    const stream = values.stderr ? 'stderr' : 'stdout';
    for await (const chunk of client.output(id, { stream, follow })) await terminal.stdout.write(chunk);
  } else if (follow) {
    await followTask(context, id);
  } else {
    for await (const chunk of client.output(id, { stream: 'stdout' })) await terminal.stdout.write(chunk);
    for await (const chunk of client.output(id, { stream: 'stderr' })) await terminal.stderr.write(chunk);
  }
  return 0;
};
