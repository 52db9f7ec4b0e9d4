/**
 * From the shared submit flags to the request of the API, and back from tasks to what people call them.
 */

import type { TaskRequest, TaskView } from '../api/schemas.ts';
import type { Client } from '../client/client.ts';
import type { Pair } from './option.ts';
import type { SubmitFlagValues } from './options.ts';
import { usage } from './parse.ts';
import { oneTask } from './selectors.ts';

/** Everything of a request but the command. Ids of `--after` may be prefixes and `last`; they are looked up. */
export async function requestOf(
  client: Client,
  flags: SubmitFlagValues,
  tags: readonly Pair[],
): Promise<Omit<TaskRequest, 'command' | 'argv'>> {
  const requires = {
    ...(flags.cpus === undefined ? {} : { cpu_cores: flags.cpus }),
    ...(flags.memoryMb === undefined ? {} : { memory_mb: flags.memoryMb }),
    ...(flags.gpus === undefined ? {} : { gpu: flags.gpus }),
    ...(flags.label.length === 0 ? {} : { labels: Object.fromEntries(flags.label) }),
  };
  const after: string[] = [];
  for (const word of flags.after) after.push((await oneTask(client, word)).id);
  return {
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(flags.timeoutMs === undefined ? {} : { timeout: flags.timeoutMs / 1000 }),
    ...(flags.priority === undefined ? {} : { priority: flags.priority }),
    ...(flags.retries === undefined ? {} : { retry_count: flags.retries }),
    ...(flags.env.length === 0 ? {} : { env: Object.fromEntries(flags.env) }),
    ...(flags.workdir === undefined ? {} : { workdir: flags.workdir }),
    ...(flags.maxOutputBytes === undefined ? {} : { max_output: flags.maxOutputBytes }),
    ...(Object.keys(requires).length === 0 ? {} : { requires }),
    ...(after.length === 0 ? {} : { depends_on: after }),
    ...(tags.length === 0 ? {} : { tags: Object.fromEntries(tags) }),
  };
}

/** A task's command as one line. */
export function commandOf(task: Pick<TaskView, 'command' | 'argv'>): string {
  return task.command ?? task.argv?.join(' ') ?? '';
}

/** The words of a command line as one command for the shell. Throws `usage` when there is nothing in them. */
export function commandOfWords(words: readonly string[]): string {
  const command = words.join(' ');
  if (command.trim() === '') throw usage('The command is empty.');
  return command;
}
