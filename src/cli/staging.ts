/** What must be true of files before a task is submitted: found, hashed, and uploaded. */

import type { TaskRequest } from '../api/schemas.ts';
import type { CommandContext } from './context.ts';
import { InputFinder } from './inputs.ts';
import { filesOf } from './request.ts';
import { Uploader } from './upload.ts';

/**
 * The files of one task's request, their content uploaded. Throws as `InputFinder.find`, `filesOf`, `Uploader.upload`.
 */
export async function stageFiles(
  context: CommandContext,
  { inputs, outputs }: { readonly inputs: readonly string[]; readonly outputs: readonly string[] },
  signal: AbortSignal,
): Promise<Pick<TaskRequest, 'inputs' | 'outputs'>> {
  const found = await new InputFinder(context, context.files.currentDirectory).find(inputs, signal);
  const files = filesOf(found, outputs);
  await new Uploader(context).upload(found, { shown: true, signal });
  signal.throwIfAborted();
  return files;
}
