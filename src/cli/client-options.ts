/**
 * A part of the table of `options.ts`: the commands that talk to a dispatcher, but for those of `trust-options.ts`. Most of
 * their flags make sense in one call only and are neither environment variables nor keys of `config.toml`.
 */

import { limits } from '../api/limits.ts';
import { sandboxLevels } from '../core/isolation.ts';
import { finalStatuses, outputPlaces, taskStatuses } from '../core/task.ts';
import { day } from './keeping-options.ts';
import { parseHalt } from './map/halt.ts';
import { parseJobLimit, parseTimeLimit } from './map/pace.ts';
import { parseDelimiter, parseSplitter } from './map/splitting.ts';
import { parseNotify } from './notify.ts';
import {
  boolean,
  bytes,
  choice,
  choices,
  custom,
  decimal,
  duration,
  flags,
  int,
  megabytes,
  type OptionTable,
  oneCall,
  pairs,
  path,
  perhaps,
  priority,
  string,
  strings,
  type Values,
} from './option.ts';
import { discoveryOptions, lookOptions, printOptions, reachOptions } from './shared-options.ts';

const timeoutOption = oneCall({
  timeoutMs: duration('timeout', {
    defaultText: "the dispatcher's",
    minMs: 1,
    maxMs: 30 * day,
    help: 'Time limit of one attempt',
  }),
});

const taskOptions = oneCall({
  retries: int('retries', { defaultText: '0', min: 0, max: 100, help: 'Further attempts after a failed one' }),
  priority: priority('priority', { defaultText: 'normal', help: 'low, normal, high, critical or -100 to 100' }),
  cpus: decimal('cpus', { min: 0, max: 4096, help: 'Cores the task needs' }),
  memoryMb: megabytes('mem', { help: 'Memory the task needs' }),
  gpus: int('gpus', { min: 0, max: 64, help: 'GPUs the task needs' }),
  label: pairs('label', { aliases: ['require'], help: 'Label the worker must have, repeatable' }),
  env: pairs('env', { help: 'Environment variable of the task, repeatable' }),
  cpuTimeMs: duration('cpu-time', { minMs: 1000, maxMs: 365 * day, help: 'Processor time of the whole task, at most' }),
  memoryLimitMb: megabytes('mem-limit', { help: 'Memory of the whole task, at most' }),
  diskLimitMb: megabytes('disk-limit', { help: 'Disk the task may fill, at most' }),
  openFilesMax: int('max-open-files', { min: 16, max: 1_048_576, help: 'Open files of each process, at most' }),
  processesMax: int('max-processes', { min: 1, max: 1_048_576, help: 'Processes and threads of the task, at most' }),
  sandbox: choice('sandbox', sandboxLevels, { help: 'Least isolation: none, basic, strict or very-strict' }),
  network: boolean('network', { help: 'The task needs the network (strict gives none otherwise)' }),
  inputs: strings('in', {
    placeholder: 'PATH',
    completes: 'file',
    help: 'File or directory to bring along, repeatable',
  }),
  outputs: strings('out', { placeholder: 'GLOB', help: 'Files to bring back, repeatable' }),
  outputsAt: choice('outputs-at', outputPlaces, {
    defaultText: 'dispatcher',
    help: 'Where files of --out are kept: the dispatcher, or the worker until somebody wants them',
  }),
  workdir: string('workdir', { aliases: ['wd'], placeholder: 'PATH', help: 'Directory on the worker to run in' }),
  after: strings('after', {
    placeholder: 'ID',
    completes: 'task',
    help: 'Start when this task is completed, repeatable',
  }),
  name: string('name', { help: 'Name of the task' }),
  maxOutputBytes: bytes('max-output', {
    ...{ max: 2 ** 30, maxText: '1G', defaultText: '10 MB; run and map: 1G' },
    help: 'Bytes kept of each output stream, at most 1G; what goes beyond is discarded',
  }),
});

const notifyOption = {
  notify: custom('notify', parseNotify, {
    ...{ bare: 'here', placeholder: '[URL]' },
    help: 'At the end ring this terminal and desktop; with URL: tell this webhook (or ntfy:URL, slack:URL)',
  }),
};

/** Flags shared by the commands that submit. */
const submitFlags = {
  ...timeoutOption,
  ...taskOptions,
  ...oneCall({ tag: pairs('tag', { help: 'Tag to find the task by, repeatable' }) }),
} satisfies OptionTable;

export const submitOptions = {
  ...submitFlags,
  ...oneCall({
    wait: boolean('wait', { help: 'Show the output, wait for the end, exit as the task did' }),
    notify: strings('notify', {
      placeholder: 'URL',
      help: 'Tell this webhook (or ntfy:URL, slack:URL) of the end, repeatable',
    }),
  }),
  ...printOptions,
  ...reachOptions,
} satisfies OptionTable;

export const runOptions = {
  ...submitFlags,
  ...oneCall({
    stdin: boolean('stdin', { default: true, help: 'Pass standard input on (a terminal is with -t alone)' }),
    ...notifyOption,
    tty: flags('tty', { short: 't', help: 'Run it in a terminal, as ssh -t; -tt: also when there is none here' }),
    nullInput: boolean('null-input', { short: 'n', help: 'As --no-stdin, as ssh -n' }),
    noTerminal: boolean('no-terminal', { short: 'T', help: 'As --no-tty, as ssh -T' }),
    p2p: boolean('p2p', {
      help: 'Place it on the best worker heard on this network, with no dispatcher needed; not with --in, --out, --outputs-at worker, --after, --tag, --retries or -t',
    }),
  }),
  discoveryPort: discoveryOptions.discoveryPort,
  ...reachOptions,
} satisfies OptionTable;

/** `map`: the names and letters are GNU parallel's. */
export const mapOptions = {
  ...oneCall({
    argFile: strings('arg-file', {
      short: 'a',
      placeholder: 'FILE',
      completes: 'file',
      help: 'Take arguments from the lines of FILE',
    }),
    jobs: custom('jobs', parseJobLimit, {
      short: 'j',
      placeholder: 'N',
      defaultText: 'no limit; 100% where {%} or --halt is used',
      help: 'Most jobs of this map under way at once; N%, +N and -N go by the slots of all workers',
    }),
    maxProcs: custom('max-procs', parseJobLimit, { short: 'P', placeholder: 'N', help: 'As -j' }),
    keepOrder: boolean('keep-order', { short: 'k', help: 'Print in the order of the arguments' }),
    tag: strings('tag', {
      bare: '',
      placeholder: '[K=V]',
      help: 'Alone: begin each output line with its argument; with K=V: tag the tasks',
    }),
    tagString: custom('tagstring', (text) => ({ value: text }), {
      placeholder: 'TEXT',
      help: 'Begin each output line with this text, its placeholders replaced; \\t is a tab',
    }),
    printed: boolean('print-commands', { short: 'v', help: 'Print each command before its output' }),
    traced: boolean('trace', { short: 't', help: 'Print each command to standard error when it is submitted' }),
    group: boolean('group', { help: 'Print the output of each job together, as it is without' }),
    willCite: boolean('will-cite', { help: 'Nothing: for command lines written for GNU parallel' }),
    maxReplaceArgs: int('max-replace-args', { short: 'N', min: 0, max: 10_000, help: 'Arguments for each job' }),
    maxArgs: int('max-args', { short: 'n', min: 0, max: 10_000, help: 'As -N' }),
    columns: custom('colsep', parseSplitter, {
      short: 'C',
      placeholder: 'REGEX',
      help: 'Split each argument where it matches; the parts are {1}, {2}, …',
    }),
    header: custom('header', (text) => (text === ':' ? { value: true } : { expected: '":"' }), {
      placeholder: ':',
      help: 'The first argument of each source is the name of its column: {name}',
    }),
    link: boolean('link', { aliases: ['xapply'], help: 'Take one argument of each source, not each with each' }),
    null: boolean('null', { short: '0', help: 'Arguments in files end with NUL, not with the line' }),
    delimiter: custom('delimiter', parseDelimiter, { short: 'd', placeholder: 'TEXT', help: 'What ends them' }),
    trim: choice('trim', ['n', 'l', 'r', 'lr', 'rl'], { default: 'n', help: 'Strip blanks: left, right or both' }),
    noRunIfEmpty: boolean('no-run-if-empty', { short: 'r', help: 'Arguments of nothing but blanks make no job' }),
    replace: string('replace-string', { short: 'I', help: 'Replace this instead of {}' }),
    quote: boolean('quote', { short: 'q', help: 'Each word of the command stays one word, whatever is in it' }),
    dryRun: boolean('dry-run', { aliases: ['dryrun'], help: 'Print the commands, submit nothing' }),
    bar: perhaps('bar', {
      defaultText: 'after a second, where standard error is a terminal',
      help: 'Show how far it is, the rate and the time left',
    }),
    eta: boolean('eta', { help: 'As --bar, without the bar' }),
    joblog: string('joblog', {
      placeholder: 'FILE',
      completes: 'file',
      help: 'Write one line per ended job to FILE; +FILE: append',
    }),
    resume: boolean('resume', { help: 'Leave out the jobs that --joblog names or that --results holds' }),
    resumeFailed: boolean('resume-failed', { help: 'Likewise, but run again what did not end well' }),
    halt: custom('halt', parseHalt, {
      aliases: ['halt-on-error'],
      placeholder: 'WHEN',
      defaultText: 'never',
      help: 'Stop early: now or soon, ",", fail, success or done, "=", N or N% (now,fail=1)',
    }),
    results: string('results', {
      aliases: ['res'],
      placeholder: 'DIR',
      completes: 'directory',
      help: 'Write output to files below DIR instead of printing it',
    }),
    timeLimit: custom('timeout', parseTimeLimit, {
      placeholder: 'TIME',
      defaultText: "the dispatcher's",
      help: 'Time limit of one attempt, 0: none; N%: of the median run time of jobs that ended well',
    }),
    ...notifyOption,
    delayMs: duration('delay', {
      default: 0,
      defaultText: 'none',
      minMs: 0,
      maxMs: day,
      help: 'Wait between two starts',
    }),
  }),
  ...taskOptions,
  ...reachOptions,
} satisfies OptionTable;

export const batchOptions = {
  ...oneCall({
    name: string('name', { help: "Name of the batch, instead of the file's" }),
    format: choice('format', ['json', 'jsonl', 'yaml'], {
      defaultText: "by the file's name",
      help: 'Form of the file',
    }),
    wait: boolean('wait', { help: 'Wait until all tasks have ended' }),
    notify: strings('notify', {
      placeholder: 'URL',
      help: 'Tell this webhook (or ntfy:URL, slack:URL) of the end, repeatable',
    }),
  }),
  ...printOptions,
  ...reachOptions,
} satisfies OptionTable;

/** Filters of a list of tasks. */
const filterFlags = oneCall({
  status: strings('status', {
    placeholder: 'STATUS',
    completes: taskStatuses,
    help: 'Only tasks in this state, repeatable',
  }),
  worker: string('worker', { placeholder: 'WORKER', completes: 'worker', help: 'Only tasks of this worker' }),
  batch: string('batch', { placeholder: 'ID', completes: 'batch', help: 'Only tasks of this batch' }),
  tag: string('tag', { placeholder: 'K=V', completes: 'tag', help: 'Only tasks with this tag' }),
  since: string('since', {
    placeholder: 'TIME',
    help: 'Only tasks younger than 30m, 2h, … or since an ISO 8601 instant',
  }),
  text: string('text', { placeholder: 'WORDS', help: 'Only tasks with these words in name or command' }),
});

export const psOptions = {
  ...filterFlags,
  ...oneCall({
    limit: int('limit', { short: 'l', default: 50, min: 1, max: 1_000_000, help: 'Most tasks shown' }),
  }),
  ...printOptions,
  ...reachOptions,
} satisfies OptionTable;

export const exportOptions = {
  ...filterFlags,
  ...oneCall({ format: choice('format', ['csv', 'jsonl'], { default: 'csv', help: 'Form of the lines' }) }),
  ...reachOptions,
} satisfies OptionTable;

export const logsOptions = {
  ...oneCall({
    follow: boolean('follow', { short: 'f', help: 'Go on until the task ends; with --node until Ctrl-C' }),
    stdout: boolean('stdout', { help: 'Only its standard output' }),
    stderr: boolean('stderr', { help: 'Only its standard error, printed on standard output' }),
    node: string('node', { placeholder: 'WORKER', completes: 'worker', help: "The worker's own log instead" }),
    lines: int('lines', {
      short: 'n',
      min: 1,
      max: limits.logLinesMax,
      defaultText: String(limits.logLinesDefault),
      help: 'How many of the last lines, with --node',
    }),
  }),
  ...reachOptions,
} satisfies OptionTable;

export const watchOptions = {
  ...oneCall({
    kind: choices('kind', ['task', 'worker', 'dispatcher'], { help: 'Only events of these, repeatable' }),
  }),
  ...lookOptions,
} satisfies OptionTable;

export const outputsOptions = {
  ...oneCall({
    dir: path('dir', {
      short: 'd',
      completes: 'directory',
      defaultText: 'this directory, when files are named',
      help: 'Bring the files here',
    }),
    stdout: boolean('stdout', { help: 'Write the one named file to standard output' }),
  }),
  ...printOptions,
  ...reachOptions,
} satisfies OptionTable;

export const uiOptions = {
  ...oneCall({
    ascii: boolean('ascii', { help: 'Draw with ASCII characters only (default: if the locale is not UTF-8)' }),
    mouse: boolean('mouse', { default: true, help: 'Take clicks and the wheel of the mouse' }),
  }),
  ...reachOptions,
} satisfies OptionTable;

export const retryOptions = {
  ...oneCall({ failed: boolean('failed', { help: 'All that failed or timed out' }) }),
  ...lookOptions,
} satisfies OptionTable;

export const pruneOptions = {
  ...oneCall({
    olderThanMs: duration('older-than', {
      default: 7 * day,
      defaultText: '7d',
      minMs: 0,
      maxMs: 36_500 * day,
      help: 'Delete what ended longer ago; 0 = all that ended',
    }),
    status: choices('status', finalStatuses, { help: 'Only tasks that ended so, repeatable' }),
    blobs: boolean('blobs', { help: 'Also files that were brought, that long ago, and that no task refers to' }),
    dryRun: boolean('dry-run', { help: 'Only say what would be deleted' }),
  }),
  ...lookOptions,
} satisfies OptionTable;

export type FilterValues = Values<typeof filterFlags>;
export type SubmitFlagValues = Omit<Values<typeof submitFlags>, 'tag'>;
