/**
 * Files a task left, to this machine: below a directory, each at its path, verified by its hash. They are fetched by their
 * hashes, which the dispatcher finds at once however many files there are. What it says about paths is not trusted: none
 * leads out of the directory.
 */

import type { OutputFiles } from '../api/file-schemas.ts';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { harmless } from '../base/harmless.ts';
import { isLiteral, pathProblem, type TaskFile } from '../core/files.ts';
import { type CommandContext, note } from './context.ts';
import { persisting } from './persisting.ts';
import { type Progress, withProgress } from './progress.ts';
import { eachOf } from './several.ts';
import { counted } from './text.ts';

const fetchesAtOnce = 8;
/** A file whose hash is wrong is fetched once more. */
const fetchesMax = 2;
/** Files named of those that fail alike. */
const pathsNamedMax = 3;

export interface FetchOptions {
  readonly files: readonly TaskFile[];
  /** Where they go. */
  readonly directory: string;
  /** Large downloads show their progress. */
  readonly shown: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Fetches all it can; gives a sentence for what it could not, one for all files that fail alike. Throws only for what is no matter of one file: the
 * signal's reason.
 */
export async function fetchFiles(context: CommandContext, options: FetchOptions): Promise<readonly string[]> {
  const { files, shown, signal } = options;
  const failed = new Map<string, string[]>();
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const fetchAll = (progress: Progress) =>
    eachOf(
      files,
      async (file) => {
        signal?.throwIfAborted();
        try {
          await fetchFile(context, options, file, progress);
        } catch (error) {
          if (signal?.aborted) throw signal.reason;
          const reason = reasonOf(error);
          failed.set(reason, [...(failed.get(reason) ?? []), file.path]);
        }
      },
      fetchesAtOnce,
    );
  await withProgress(context.terminal, { verb: 'Fetching', total, shown }, fetchAll);
  // What the system says may name the path once more, which is the task's word.
  return [...failed].map(([reason, paths]) => harmless(`Cannot fetch ${listed(paths)}: ${reason}`));
}

/** The first of them, and how many there are besides. */
function listed(paths: readonly string[]): string {
  const others = paths.length - pathsNamedMax;
  const named = paths.slice(0, pathsNamedMax).join(', ');
  return others > 0 ? `${named} and ${counted(others, 'other file')}` : named;
}

async function fetchFile(
  { client, files }: CommandContext,
  { directory, signal }: FetchOptions,
  file: TaskFile,
  progress: Progress,
): Promise<void> {
  const problem = pathProblem(file.path);
  if (problem !== null) throw new OctasklyError('refused', `Its path ${problem}.`);
  const wrong: string[] = [];
  for (let isFirst = true; wrong.length < fetchesMax; isFirst = false) {
    const incoming = await files.create(directory, file);
    // What a killed fetch left may be damaged: that does not count against what comes now.
    const isFree = isFirst && incoming.received > 0;
    let received = incoming.received;
    progress.moved(received);
    try {
      if (received < file.bytes) {
        for await (const chunk of (await client.blob(file.blob, { from: received, signal })).stream) {
          await incoming.write(chunk);
          received += chunk.length;
          progress.moved(chunk.length);
        }
      }
      const came = await incoming.finish();
      if (came === file.blob) return;
      progress.moved(-received);
      if (!isFree) wrong.push(came);
    } finally {
      await incoming.discard();
    }
  }
  // The same twice is no accident of the network.
  const where = new Set(wrong).size === 1 ? 'at the dispatcher' : 'on its way, more than once';
  throw new OctasklyError('io', `What came is not what the worker stored: it is damaged ${where}.`);
}

/** The files a task left, and what was not collected. Waits some seconds for a dispatcher that is away. */
export function listOutputs({ client }: CommandContext, id: string, signal?: AbortSignal): Promise<OutputFiles> {
  return persisting(signal, () => client.outputFiles(id, { signal }));
}

export interface BringBack {
  readonly id: string;
  /** What was asked for (`--out`); nothing is fetched when it is empty. */
  readonly patterns: readonly string[];
  readonly shown: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Brings the outputs of an ended task to the current directory; says on standard error what is missing.
 * True: all that was asked for is here.
 */
export async function bringBack(context: CommandContext, { id, patterns, shown, signal }: BringBack): Promise<boolean> {
  if (patterns.length === 0) return true;
  const { files, terminal } = context;
  let troubles: readonly string[];
  try {
    const { outputs, problems } = await listOutputs(context, id, signal);
    // The worker tells of paths that are missing; a glob may match nothing for all it knows.
    const missing = patterns
      .filter((pattern) => !isLiteral(pattern) && !pattern.startsWith('!'))
      .filter((glob) => !outputs.some(({ path }) => files.matches(glob, path)))
      .map((glob) => `It left no file that matches ${glob}.`);
    const directory = files.currentDirectory;
    troubles = [...problems, ...missing, ...(await fetchFiles(context, { files: outputs, directory, shown, signal }))];
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    troubles = [`Cannot fetch its files: ${reasonOf(error)}`];
  }
  for (const trouble of troubles) await note(terminal, `Task ${id}: ${harmless(trouble)}`);
  return troubles.length === 0;
}
