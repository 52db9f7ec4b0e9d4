/** `batch FILE`: submits the tasks of a file, all or none. */

import type { ClientAction } from '../command.ts';
import { note } from '../context.ts';
import { formatOf, parseManifest } from '../manifest.ts';
import type { batchOptions } from '../options.ts';
import { usage } from '../parse.ts';
import { writeJson, writeTasks } from '../print.ts';
import { readAll } from '../text.ts';

export const batch: ClientAction<typeof batchOptions> = async (context, values, words) => {
  const { client, terminal, parseYaml } = context;
  const file = words[0] ?? '';
  const format = values.format ?? formatOf(file) ?? 'json';
  const text = file === '-' ? await readAll(terminal.stdin.chunks()) : await terminal.readText(file);
  if (text === null) throw usage(`There is no file ${file}.`);
  const manifest = parseManifest(text, file === '-' ? 'standard input' : file, format, parseYaml);
  const request = values.name === undefined ? manifest : { ...manifest, name: values.name };
  const answer = await client.submitBatch(request);
  if (!values.wait) {
    if (values.output === 'json') await writeJson(terminal, answer);
    else await terminal.stdout.write(`${answer.id}\n`);
    return 0;
  }
  if (values.output !== 'json') await note(terminal, `Batch ${answer.id} has ${answer.task_ids.length} tasks.`);
  const tasks = await client.waitFor(answer.task_ids, { batches: [answer.id] });
  await writeTasks(context, tasks, values.output);
  return tasks.every((task) => task.status === 'completed') ? 0 : 1;
};
