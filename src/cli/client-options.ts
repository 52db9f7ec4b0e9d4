/**
 * THE table, second part: the commands that talk to a dispatcher. Most of their flags make sense in one call only and are
 * neither environment variables nor keys of `config.toml`. The first part, with what all share, is `options.ts`.
 */

import { sandboxLevels } from '../core/isolation.ts';
import { outputPlaces } from '../core/task.ts';
import { roles } from '../core/trust.ts';
import {
  boolean,
  bytes,
  choice,
  decimal,
  duration,
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
import { day, discoveryOptions, printOptions, reachOptions } from './options.ts';

const taskOptions = oneCall({
  timeoutMs: duration('timeout', {
    defaultText: "the dispatcher's",
    minMs: 1,
    maxMs: 30 * day,
    help: 'Time limit of one attempt',
  }),
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
  inputs: strings('in', { placeholder: 'PATH', help: 'File or directory to bring along, repeatable' }),
  outputs: strings('out', { placeholder: 'GLOB', help: 'Files to bring back, repeatable' }),
  outputsAt: choice('outputs-at', outputPlaces, {
    defaultText: 'dispatcher',
    help: 'Where files of --out are kept: the dispatcher, or the worker until somebody wants them',
  }),
  workdir: string('workdir', { placeholder: 'PATH', help: 'Directory on the worker to run in' }),
  after: strings('after', { placeholder: 'ID', help: 'Start when this task is completed, repeatable' }),
  name: string('name', { help: 'Name of the task' }),
  maxOutputBytes: bytes('max-output', { defaultText: '10 MB', help: 'Bytes kept of each output stream' }),
});

/** Flags shared by the commands that submit. */
export const submitFlags = {
  ...taskOptions,
  ...oneCall({ tag: pairs('tag', { help: 'Tag to find the task by, repeatable' }) }),
} satisfies OptionTable;

export const submitOptions = {
  ...submitFlags,
  ...oneCall({
    wait: boolean('wait', { help: 'Show the output, wait for the end, exit as the task did' }),
  }),
  ...printOptions,
  ...reachOptions,
} satisfies OptionTable;

export const runOptions = {
  ...submitFlags,
  ...oneCall({
    stdin: boolean('stdin', { default: true, help: 'Do not pass standard input on (a terminal never is)' }),
    p2p: boolean('p2p', { help: 'Place it on the best worker heard on this network, without a dispatcher' }),
  }),
  discoveryPort: discoveryOptions.discoveryPort,
  ...reachOptions,
} satisfies OptionTable;

export const mapOptions = {
  ...taskOptions,
  ...oneCall({
    tag: strings('tag', {
      bare: '',
      placeholder: '[K=V]',
      help: 'Alone: begin each output line with its argument; with K=V: tag the tasks',
    }),
    keepOrder: boolean('keep-order', { short: 'k', help: 'Print in the order of the arguments' }),
    argFile: strings('arg-file', { short: 'a', placeholder: 'FILE', help: 'Take arguments from the lines of FILE' }),
    joblog: string('joblog', { placeholder: 'FILE', help: 'Write one line per ended task to FILE' }),
    dryRun: boolean('dry-run', { help: 'Print the commands, submit nothing' }),
  }),
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
  }),
  ...printOptions,
  ...reachOptions,
} satisfies OptionTable;

/** Filters of a list of tasks. */
export const filterFlags = oneCall({
  status: strings('status', { placeholder: 'STATUS', help: 'Only tasks in this state, repeatable' }),
  worker: string('worker', { placeholder: 'ID', help: 'Only tasks of this worker' }),
  batch: string('batch', { placeholder: 'ID', help: 'Only tasks of this batch' }),
  tag: string('tag', { placeholder: 'K=V', help: 'Only tasks with this tag' }),
  since: string('since', {
    placeholder: 'TIME',
    help: 'Only tasks younger than 30m, 2h, … or since an ISO 8601 instant',
  }),
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
    follow: boolean('follow', { short: 'f', help: 'Go on until the task ends' }),
    stdout: boolean('stdout', { help: 'Only its standard output' }),
    stderr: boolean('stderr', { help: 'Only its standard error, printed on standard output' }),
  }),
  ...reachOptions,
} satisfies OptionTable;

/** Commands that print data and have no flags of their own. */
export const lookOptions = { ...printOptions, ...reachOptions } satisfies OptionTable;

/** `invite`: what is not given is the dispatcher's to choose. */
export const inviteOptions = {
  ...oneCall({
    uses: int('uses', { defaultText: '1', min: 1, max: 1000, help: 'Devices that may join with it' }),
    expiresMs: duration('expires', {
      defaultText: '1h',
      minMs: 1000,
      maxMs: 365 * day,
      help: 'How long it can be used',
    }),
    name: string('name', { help: 'Name of the device, for one use' }),
    qr: perhaps('qr', { defaultText: 'on a terminal', help: 'Draw a QR code' }),
  }),
  ...lookOptions,
} satisfies OptionTable;

/** `token`: what is not given is the dispatcher's to choose. */
export const tokenOptions = {
  ...oneCall({
    role: choice('role', roles, { defaultText: 'client', help: 'What its bearer may do' }),
    name: string('name', { help: 'Who bears it: its tasks go by this name' }),
    expiresMs: duration('expires', {
      defaultText: '90d',
      minMs: 1000,
      maxMs: 3650 * day,
      help: 'How long it is valid',
    }),
  }),
  ...lookOptions,
} satisfies OptionTable;

export const auditOptions = {
  ...oneCall({
    since: string('since', { placeholder: 'TIME', help: 'Only younger than 30m, 2h, … or since an ISO 8601 instant' }),
    type: string('type', { placeholder: 'EVENT', help: 'Only entries of this kind' }),
    actor: string('actor', { placeholder: 'NAME', help: 'Only what this one did' }),
    limit: int('limit', { short: 'l', defaultText: 'all', min: 1, max: 1_000_000, help: 'Most entries, the newest' }),
    dbPath: path('db-path', { help: 'verify: this SQLite file, instead of asking the dispatcher' }),
  }),
  output: choice('output', ['table', 'json', 'jsonl', 'quiet'], {
    short: 'o',
    default: 'table',
    help: 'table for people, json, jsonl with one entry a line, quiet for ids only',
  }),
  ...reachOptions,
} satisfies OptionTable;

export const secretCommandOptions = {
  ...oneCall({
    graceMs: duration('grace', {
      default: day,
      defaultText: '1d',
      minMs: 0,
      maxMs: 365 * day,
      help: 'How long the old secret stays valid',
    }),
  }),
  ...lookOptions,
} satisfies OptionTable;

export const outputsOptions = {
  ...oneCall({
    dir: path('dir', { short: 'd', defaultText: 'this directory, when files are named', help: 'Bring the files here' }),
    stdout: boolean('stdout', { help: 'Write the one named file to standard output' }),
  }),
  ...printOptions,
  ...reachOptions,
} satisfies OptionTable;

export const uiOptions = {
  ...oneCall({
    ascii: boolean('ascii', { help: 'Draw with ASCII characters only (default: if the locale is not UTF-8)' }),
    mouse: boolean('mouse', { default: true, help: 'Leave the mouse to the terminal' }),
  }),
  ...reachOptions,
} satisfies OptionTable;

export const retryOptions = {
  ...oneCall({ failed: boolean('failed', { help: 'All that failed or timed out' }) }),
  ...lookOptions,
} satisfies OptionTable;

export type FilterValues = Values<typeof filterFlags>;
export type SubmitFlagValues = Omit<Values<typeof submitFlags>, 'tag'>;
