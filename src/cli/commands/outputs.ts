/**
 * `outputs ID`: the files a task left: lists them, brings them here, or writes one to standard output. `outputs batch:ID`:
 * those of all its tasks, each in a folder of its own.
 */

import type { OutputFiles } from '../../api/file-schemas.ts';
import { OctasklyError } from '../../base/errors.ts';
import { harmless } from '../../base/harmless.ts';
import type { TaskFile } from '../../core/files.ts';
import { isFinal, type TaskStatus } from '../../core/task.ts';
import { listBatchOutputs } from '../batch-outputs.ts';
import type { outputsOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { type CommandContext, note } from '../context.ts';
import { tidyPath } from '../inputs.ts';
import type { Values } from '../option.ts';
import { fetchFiles, listOutputs } from '../outputs.ts';
import { usage } from '../parse.ts';
import { type OutputForm, writeJson, writeTable } from '../print.ts';
import { withProgress } from '../progress.ts';
import { oneTask, parseSelector } from '../selectors.ts';
import { exitOfSignal } from '../status.ts';
import { counted, formatBytes } from '../text.ts';

type OutputFile = OutputFiles['outputs'][number];

/** The file is at `path`, or below it. */
function isAt(file: OutputFile, path: string): boolean {
  const place = tidyPath(path);
  return file.path === place || file.path.startsWith(`${place}/`);
}

/** The files at or below `paths`. Throws `not_found` for a path with none. */
function chosen(files: readonly OutputFile[], paths: readonly string[], task: { id: string; status: TaskStatus }) {
  const wanted = new Set<OutputFile>();
  for (const path of paths) {
    const found = files.filter((file) => isAt(file, path));
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

/** Fetches the files, where that was asked for; else lists them. Gives the exit status. */
async function deliver(
  context: CommandContext,
  { dir, output }: Values<typeof outputsOptions>,
  {
    answer,
    named,
    isFetching,
  }: { readonly answer: OutputFiles; readonly named: OutputFile[]; readonly isFetching: boolean },
): Promise<number> {
  const { terminal, files } = context;
  const directory = dir ?? files.currentDirectory;
  const status = isFetching ? await fetchTo(context, { files: named, directory }) : 0;
  if (output === 'json') await writeJson(terminal, { ...answer, outputs: named });
  else if (!isFetching) await list(context, named, output);
  for (const problem of answer.problems) await note(terminal, harmless(problem));
  return status;
}

async function ofBatch(
  context: CommandContext,
  values: Values<typeof outputsOptions>,
  { id, paths }: { readonly id: string; readonly paths: readonly string[] },
): Promise<number> {
  if (values.stdout) throw usage('--stdout writes one file, of one task: give its id.');
  const { lacks, tasks, ...answer } = await listBatchOutputs(context, id, { paths, isAt });
  const isFetching = values.dir !== undefined || paths.length > 0;
  const status = await deliver(context, values, { answer, named: answer.outputs, isFetching });
  for (const lack of lacks) await note(context.terminal, harmless(lack));
  if (!isFetching || status !== 0) return status;
  const brought = `${counted(answer.outputs.length, 'file')} of ${counted(tasks, 'task')}`;
  if (values.output === 'table') await note(context.terminal, `Brought ${brought}.`);
  return lacks.length === 0 ? 0 : 1;
}

export const outputs: ClientAction<typeof outputsOptions> = async (context, values, words) => {
  const { client, terminal } = context;
  const [word = '', ...paths] = words;
  const selector = parseSelector(word);
  if (selector.kind === 'batch') return ofBatch(context, values, { id: selector.id, paths });
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
  const status = await deliver(context, values, { answer, named, isFetching });
  if (named.length === 0 && !isFinal(task.status)) {
    await note(terminal, `Task ${task.id} is ${task.status}; its files are collected when it ends.`);
    if (isFetching) return 1;
  }
  return status;
};
