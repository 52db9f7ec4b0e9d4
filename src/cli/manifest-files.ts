/**
 * Inputs of manifests: where a task names a path of this machine instead of an uploaded file, the file is uploaded and
 * named. Everything else is left to the API, which says what is wrong where.
 */

import type { BatchRequest } from '../api/schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import type { CommandContext } from './context.ts';
import { type InputFile, InputFinder } from './inputs.ts';
import { inputOf } from './request.ts';
import { Uploader } from './upload.ts';

function inputsOf(task: unknown): readonly unknown[] {
  const inputs: unknown = typeof task === 'object' && task !== null && 'inputs' in task ? task.inputs : null;
  return Array.isArray(inputs) ? inputs : [];
}

/**
 * The request with its local files uploaded. `directory`: what relative paths start from.
 * Throws `usage` naming the task for a file that is not there; else as `Uploader.upload`.
 */
export async function stageManifest(
  context: CommandContext,
  request: BatchRequest,
  directory: string,
  signal?: AbortSignal,
): Promise<BatchRequest> {
  const finder = new InputFinder(context, directory);
  const found: InputFile[] = [];
  const tasks: BatchRequest['tasks'] = [];
  for (const [index, task] of request.tasks.entries()) {
    const inputs = inputsOf(task);
    const paths = inputs.filter((input) => typeof input === 'string');
    if (paths.length === 0) {
      tasks.push(task);
      continue;
    }
    const files = await finder.find(paths, signal).catch((error: unknown) => {
      if (!(error instanceof OctasklyError)) throw error;
      throw new OctasklyError(error.code, `Task ${index + 1} of the manifest: ${error.message}`, { cause: error });
    });
    found.push(...files);
    const uploaded = (task.inputs ?? []).filter((input) => typeof input !== 'string');
    tasks.push({ ...task, inputs: [...uploaded, ...files.map(inputOf)] });
  }
  await new Uploader(context).upload(found, { shown: true, signal });
  return { ...request, tasks };
}
