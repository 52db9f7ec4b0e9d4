/** `batch FILE`: submits the tasks of a file, all or none, with the files they name. */

import { limits } from '../../api/limits.ts';
import type { batchOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { type CommandContext, note } from '../context.ts';
import { formatOf, parseManifest } from '../manifest.ts';
import { stageManifest } from '../manifest-files.ts';
import { usage } from '../parse.ts';
import { writeJson, writeTasks } from '../print.ts';
import { notifying } from '../request.ts';
import { counted, readAll } from '../text.ts';
import { waitForTasks } from '../waiting.ts';

/** What paths in the file start from. */
function folderOf({ files: { currentDirectory, separator } }: CommandContext, file: string): string {
  const at = Math.max(file.lastIndexOf('/'), file.lastIndexOf(separator));
  if (file === '-' || at < 0) return currentDirectory;
  return at === 0 ? '/' : file.slice(0, at);
}

export const batch: ClientAction<typeof batchOptions> = async (context, values, words) => {
  const { client, terminal, parseYaml } = context;
  const file = words[0] ?? '';
  const format = values.format ?? formatOf(file) ?? 'json';
  const text = file === '-' ? await readAll(terminal.stdin.chunks()) : await terminal.readText(file);
  if (text === null) throw usage(`There is no file ${file}.`);
  const manifest = parseManifest(text, file === '-' ? 'standard input' : file, format, parseYaml);
  if (manifest.tasks.length > limits.batchTasksMax) {
    const most = `a batch takes ${limits.batchTasksMax} at most`;
    throw usage(
      `${file} holds ${manifest.tasks.length} tasks; ${most}: make several files of it, or use 'octaskly map'.`,
    );
  }
  const named = values.name === undefined ? manifest : { ...manifest, name: values.name };
  const request = { ...named, ...notifying(values.notify) };
  const answer = await client.submitBatch(await stageManifest(context, request, folderOf(context, file)));
  if (!values.wait) {
    if (values.output === 'json') await writeJson(terminal, answer);
    else await terminal.stdout.write(`${answer.id}\n`);
    return 0;
  }
  if (values.output !== 'json')
    await note(terminal, `Batch ${answer.id} has ${counted(answer.task_ids.length, 'task')}.`);
  const tasks = await waitForTasks(context, answer.task_ids, { batches: [answer.id] });
  await writeTasks(context, tasks, values.output);
  return tasks.every((task) => task.status === 'completed') ? 0 : 1;
};
