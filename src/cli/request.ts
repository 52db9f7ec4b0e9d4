/**
 * From the shared submit flags to the request of the API, and back from tasks to what people call them.
 */

import type { TaskRequest, TaskView } from '../api/schemas.ts';
import type { Client } from '../client/client.ts';
import { pathProblem } from '../core/files.ts';
import type { SubmitFlagValues } from './client-options.ts';
import { type InputFile, tidyPath } from './inputs.ts';
import type { Pair } from './option.ts';
import { usage } from './parse.ts';
import { oneTask } from './selectors.ts';

/** Everything of a request but the command and its files. Ids of `--after` may be prefixes and `last`; they are looked up. */
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
    ...(flags.cpuTimeMs === undefined ? {} : { cpu_time_limit: flags.cpuTimeMs / 1000 }),
    ...(flags.memoryLimitMb === undefined ? {} : { memory_limit_mb: flags.memoryLimitMb }),
    ...(flags.diskLimitMb === undefined ? {} : { disk_limit_mb: flags.diskLimitMb }),
    ...(flags.openFilesMax === undefined ? {} : { max_open_files: flags.openFilesMax }),
    ...(flags.processesMax === undefined ? {} : { max_processes: flags.processesMax }),
    ...(flags.sandbox === undefined ? {} : { sandbox_level: flags.sandbox }),
    ...(flags.network ? { network: true } : {}),
    ...(flags.outputsAt === undefined ? {} : { outputs_at: flags.outputsAt }),
    ...(Object.keys(requires).length === 0 ? {} : { requires }),
    ...(after.length === 0 ? {} : { depends_on: after }),
    ...(tags.length === 0 ? {} : { tags: Object.fromEntries(tags) }),
  };
}

/**
 * The files of a request. Patterns (`--out`) are taken without `./` and a slash at the end; `.` is everything.
 * Throws `usage` for a pattern that leads out of the task directory.
 */
export function filesOf(
  inputs: readonly InputFile[],
  patterns: readonly string[],
): Pick<TaskRequest, 'inputs' | 'outputs'> {
  const outputs = patterns.map((pattern) => {
    const tidy = pattern.startsWith('/') ? pattern : tidyPath(pattern) || '**';
    const problem = pathProblem(tidy);
    if (problem !== null) throw usage(`--out ${pattern} is not below the task directory: it ${problem}.`);
    return tidy;
  });
  return {
    ...(inputs.length === 0 ? {} : { inputs: inputs.map(inputOf) }),
    ...(outputs.length === 0 ? {} : { outputs }),
  };
}

/** An uploaded file as a request names it. */
export function inputOf({ path, blob, bytes, executable }: InputFile) {
  return { path, blob, bytes, ...(executable ? { executable } : {}) };
}

/** The destinations that a request names; none says nothing of them. */
export function notifying(urls: readonly string[]): { readonly notify?: string[] } {
  return urls.length === 0 ? {} : { notify: [...urls] };
}

/** A task's command as one line. */
export function commandOf(task: Pick<TaskView, 'command' | 'argv'>): string {
  return task.command ?? task.argv?.join(' ') ?? '';
}

/** A command as `sh -c` takes it: one that begins with - or + would be taken for options of the shell. */
export function shellCommand(command: string): string {
  return /^[-+]/.test(command) ? ` ${command}` : command;
}

/** The words of a command line as one command for the shell. Throws `usage` when there is nothing in them. */
export function commandOfWords(words: readonly string[]): string {
  const command = words.join(' ');
  if (command.trim() === '') throw usage('The command is empty.');
  return shellCommand(command);
}
