/** `outputs ID`: the files a task left: lists them, brings them here, or writes one to standard output. */

import type { OutputFiles } from '../../api/file-schemas.ts';
import { OctasklyError } from '../../base/errors.ts';
import { harmless } from '../../base/harmless.ts';
import type { TaskFile } from '../../core/files.ts';
import { isFinal, type TaskStatus } from '../../core/task.ts';
import type { outputsOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { type CommandContext, note } from '../context.ts';
import { tidyPath } from '../inputs.ts';
import { fetchFiles, listOutputs } from '../outputs.ts';
import { usage } from '../parse.ts';
import { type OutputForm, writeJson, writeTable } from '../print.ts';
import { withProgress } from '../progress.ts';
import { oneTask } from '../selectors.ts';
import { exitOfSignal } from '../status.ts';
import { formatBytes } from '../text.ts';

type OutputFile = OutputFiles['outputs'][number];

/** The files at or below `paths`. Throws `not_found` for a path with none. */
function chosen(files: readonly OutputFile[], paths: readonly string[], task: { id: string; status: TaskStatus }) {
  const wanted = new Set<OutputFile>();
  for (const path of paths) {
    const place = tidyPath(path);
    const found = files.filter((file) => file.path === place || file.path.startsWith(`${place}/`));
    if (found.length === 0) {
      const why = isFinal(task.status) ? '' : ` It is ${task.status}; its files are collected when it ends.`;
      throw new OctasklyError('not_found', `Task ${task.id} left no file ${path}.${why}`);
    }
    for (const file of found) wanted.add(file);
  }
  return [...wanted];
}

async function list({ terminal }: CommandContext, files: readonly OutputFile[], form: OutputForm): Promise<void> {
  if (form === 'quiet') {
    // For a program a path is exact, whatever is in it.
    const shown = (path: string): string => (terminal.stdout.isTTY ? harmless(path) : path);
    await terminal.stdout.write(files.map(({ path }) => `${shown(path)}\n`).join(''));
    return;
  }
  // Where a file is matters only where some are elsewhere.
  const isSpread = files.some(({ at }) => typeof at === 'string');
  const rows = files.map(({ bytes, executable, blob, path, at }) => {
    return [formatBytes(bytes), executable ? 'x' : '', blob, ...(isSpread ? [at ?? ''] : []), path];
  });
  const titles = [{ title: 'SIZE', align: 'right' as const }, { title: 'X' }, { title: 'HASH', flexible: true }];
  await writeTable(terminal, [...titles, ...(isSpread ? [{ title: 'AT' }] : []), { title: 'PATH' }], rows);
}

/** Writes one file to standard output; its bytes are not held back until their hash is known. Gives the exit status. */
async function print({ client, terminal, files }: CommandContext, file: TaskFile): Promise<number> {
  if (file.bytes === 0) return 0;
  const hash = files.contentHash();
  const { stream } = await client.blob(file.blob);
  const shown = !terminal.stdout.isTTY;
  await withProgress(terminal, { verb: 'Fetching', total: file.bytes, shown }, async ({ moved }) => {
    for await (const chunk of stream) {
      hash.update(chunk);
      await terminal.stdout.write(chunk);
      moved(chunk.length);
    }
  });
  if (hash.finish() === file.blob) return 0;
  const name = harmless(file.path);
  await note(terminal, `${name} is not what the worker stored: it is damaged. Do not use what was written of it.`);
  return 1;
}

async function fetchTo(
  context: CommandContext,
  facts: { readonly files: readonly TaskFile[]; readonly directory: string },
): Promise<number> {
  const { terminal } = context;
  const leave = new AbortController();
  let signalStatus = 1;
  const stop = terminal.onSignal((signal) => {
    signalStatus = exitOfSignal(signal);
    leave.abort(new Error('interrupted'));
  });
  try {
    const failures = await fetchFiles(context, { ...facts, shown: true, signal: leave.signal });
    for (const failure of failures) await note(terminal, failure);
    return failures.length === 0 ? 0 : 1;
  } catch (error) {
    if (!leave.signal.aborted) throw error;
    await note(terminal, 'Interrupted; not all files are here.');
    return signalStatus;
  } finally {
    stop();
  }
}

export const outputs: ClientAction<typeof outputsOptions> = async (context, values, words) => {
  const { client, terminal, files } = context;
  const [word = '', ...paths] = words;
  if (values.stdout && (paths.length !== 1 || values.dir !== undefined)) {
    throw usage('--stdout writes one file: name it behind the id, without --dir.');
  }
  const task = await oneTask(client, word);
  const answer = await listOutputs(context, task.id);
  const named = paths.length === 0 ? answer.outputs : chosen(answer.outputs, paths, task);
  const [first, second] = named;
  if (values.stdout && first !== undefined) {
    if (second !== undefined) throw usage(`${paths[0]} is a directory of ${named.length} files; --stdout writes one.`);
    return print(context, first);
  }
  const isFetching = values.dir !== undefined || paths.length > 0;
  const directory = values.dir ?? files.currentDirectory;
  const status = isFetching ? await fetchTo(context, { files: named, directory }) : 0;
  if (values.output === 'json') await writeJson(terminal, { ...answer, outputs: named });
  else if (!isFetching) await list(context, named, values.output);
  for (const problem of answer.problems) await note(terminal, harmless(problem));
  if (named.length === 0 && !isFinal(task.status)) {
    await note(terminal, `Task ${task.id} is ${task.status}; its files are collected when it ends.`);
    if (isFetching) return 1;
  }
  return status;
};
