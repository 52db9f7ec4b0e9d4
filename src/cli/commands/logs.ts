/** `logs ID`: a task's output as its bytes; with `-f` until it ends. */

import type { logsOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { followTask } from '../follow.ts';
import { usage } from '../parse.ts';
import { oneTask } from '../selectors.ts';

export const logs: ClientAction<typeof logsOptions> = async (context, values, words) => {
  const { client, terminal } = context;
  if (values.stdout && values.stderr) throw usage('--stdout and --stderr exclude each other.');
  const { id } = await oneTask(client, words[0] ?? '');
  if (values.stdout || values.stderr) {
    const stream = values.stderr ? 'stderr' : 'stdout';
    for await (const chunk of client.output(id, { stream, follow: values.follow })) await terminal.stdout.write(chunk);
  } else if (values.follow) {
    await followTask(context, id);
  } else {
    for await (const chunk of client.output(id, { stream: 'stdout' })) await terminal.stdout.write(chunk);
    for await (const chunk of client.output(id, { stream: 'stderr' })) await terminal.stderr.write(chunk);
  }
  return 0;
};
