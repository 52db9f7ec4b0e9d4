/** `show ID`: everything about one task, with its attempts, its files and the end of its output. */

import type { OutputFiles } from '../../api/file-schemas.ts';
import type { AttemptView, TaskWithAttempts } from '../../api/schemas.ts';
import { formatDuration } from '../../base/duration.ts';
import { harmless } from '../../base/harmless.ts';
import { isFinal } from '../../core/task.ts';
import type { ClientAction } from '../command.ts';
import { namesOf, writeFacts, writeJson } from '../print.ts';
import { commandOf } from '../request.ts';
import { oneTask } from '../selectors.ts';
import type { lookOptions } from '../shared-options.ts';
import { formatBytes, linesOf } from '../text.ts';

const pairsOf = (record: Readonly<Record<string, string>>): string =>
  Object.entries(record)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');

function requirementOf({ requires }: TaskWithAttempts): string {
  const parts = [
    requires.cpu_cores > 0 ? `cpus=${requires.cpu_cores}` : '',
    requires.memory_mb > 0 ? `memory=${requires.memory_mb}MB` : '',
    requires.gpu > 0 ? `gpus=${requires.gpu}` : '',
    pairsOf(requires.labels),
    requires.platform ?? '',
    requires.arch ?? '',
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/** The limits asked for, by the names of their options. */
function limitsOf(task: TaskWithAttempts): string {
  const { cpu_time_limit: cpu, memory_limit_mb: memory, disk_limit_mb: disk } = task;
  const parts = [
    cpu === null ? '' : `cpu-time=${formatDuration(cpu * 1000)}`,
    memory === null ? '' : `mem=${memory}MB`,
    disk === null ? '' : `disk=${disk}MB`,
    task.max_open_files === null ? '' : `open-files=${task.max_open_files}`,
    task.max_processes === null ? '' : `processes=${task.max_processes}`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/** The level it ran at, and the one asked for where that is another. */
function sandboxOf({ sandbox_level: asked, sandbox_level_used: used, network }: TaskWithAttempts): string {
  const level =
    used === null ? (asked ?? '') : used + (asked === null || asked === used ? '' : ` (asked for ${asked})`);
  return [level, network ? 'with network' : ''].filter((part) => part !== '').join(', ');
}

/** Files shown; `outputs` gives them all. */
const filesShownMax = 10;

function fileLines(title: string, files: TaskWithAttempts['inputs'], problems: readonly string[]): string {
  if (files.length + problems.length === 0) return '';
  const lines = files.slice(0, filesShownMax).map(({ path, bytes }) => `${path} (${formatBytes(bytes)})`);
  const more = files.length > filesShownMax ? [`… and ${files.length - filesShownMax} more`] : [];
  return `\n${title}:\n${[...lines, ...more, ...problems].map((line) => `  ${harmless(line)}\n`).join('')}`;
}

/** A worker by its name and id. */
function workerOf(id: string, names: ReadonlyMap<string, string>): string {
  const name = names.get(id);
  return name === undefined || name === id ? id : `${name} (${id})`;
}

function attemptLine(attempt: AttemptView, names: ReadonlyMap<string, string>): string {
  const time = formatDuration(attempt.duration_ms);
  return `${attempt.attempt}: ${attempt.outcome.detail} on ${workerOf(attempt.worker_id, names)}${time === '' ? '' : ` after ${time}`}`;
}

/** Lines shown of the end of an output; `logs` gives the whole. */
const tailLinesMax = 10;

/** The end of an output: lines stay lines, what could steer the terminal does not. */
function tail(title: string, text: string): string {
  if (text === '') return '';
  const lines = linesOf(text).slice(-tailLinesMax);
  return `\n${title} (its end):\n${lines.map((line) => `  ${harmless(line)}\n`).join('')}`;
}

export const show: ClientAction<typeof lookOptions> = async ({ client, terminal }, values, words) => {
  const task = await client.task((await oneTask(client, words[0] ?? '')).id);
  if (values.output === 'json') await writeJson(terminal, task);
  else if (values.output === 'quiet') await terminal.stdout.write(`${task.id}\n`);
  else {
    const names = await namesOf(client, [task]);
    await writeFacts(terminal, [
      ['id', task.id],
      ['name', task.name],
      ['command', commandOf(task)],
      ['status', task.status],
      ['reason', task.reason],
      ['exit code', task.exit_code],
      ['signal', task.signal],
      ['owner', task.owner],
      ['worker', task.worker_id === null ? null : workerOf(task.worker_id, names)],
      ['attempt', task.attempt],
      ['batch', task.batch_id],
      ['retry of', task.retry_of],
      ['priority', task.priority],
      ['time limit', formatDuration(task.timeout * 1000)],
      ['requires', requirementOf(task)],
      ['depends on', task.depends_on.join(' ')],
      ['tags', pairsOf(task.tags)],
      ['limits', limitsOf(task)],
      ['sandbox', sandboxOf(task)],
      ['workdir', task.workdir],
      ['outputs wanted', task.outputs.join(' ')],
      ['created', task.created_at],
      ['started', task.started_at],
      ['completed', task.completed_at],
      ['duration', formatDuration(task.duration_ms)],
      ['cpu time', formatDuration(task.cpu_ms)],
      ['peak memory', formatBytes(task.memory_peak_bytes)],
      ['written', formatBytes(task.written_bytes)],
      ['stdout bytes', task.stdout_bytes],
      ['stderr bytes', task.stderr_bytes],
      ['discarded', task.discarded_bytes === 0 ? null : `${task.discarded_bytes} bytes`],
    ]);
    const attempts = task.attempts.map((attempt) => `  ${harmless(attemptLine(attempt, names))}\n`).join('');
    const none: OutputFiles = { outputs: [], problems: [], next_cursor: null };
    const left = task.outputs.length > 0 && isFinal(task.status) ? await client.outputFiles(task.id) : none;
    const parts = [
      attempts === '' ? '' : `\nattempts:\n${attempts}`,
      fileLines('inputs', task.inputs, []),
      fileLines(`outputs (${task.outputs.map((pattern) => harmless(pattern)).join(' ')})`, left.outputs, left.problems),
      tail('stdout', task.stdout_tail),
      tail('stderr', task.stderr_tail),
    ];
    await terminal.stdout.write(parts.join(''));
  }
  return 0;
};
