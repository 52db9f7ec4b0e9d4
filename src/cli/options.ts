/**
 * THE table of every flag, its short name, type, default and help. The environment variable (`OCTASKLY_<FLAG>`), the key
 * in `config.toml` and the help texts follow from it; nothing else in the product knows a flag's name or default.
 * Fields end in their unit: `…Ms` milliseconds, `…Mb` megabytes, `…Bytes` bytes.
 */

import { sandboxLevels } from '../core/isolation.ts';
import {
  addresses,
  boolean,
  bytes,
  choice,
  decimal,
  duration,
  gpuCount,
  int,
  megabytes,
  type OptionTable,
  oneCall,
  pairs,
  path,
  port,
  priority,
  string,
  strings,
  type Values,
} from './option.ts';

const day = 86_400_000;

/** Where things are kept and how a node talks about itself. */
export const placeOptions = {
  dataDir: path('data-dir', {
    default: '~/.octaskly',
    help: 'Directory of database, secret, node key and config.toml',
  }),
  config: path('config', { defaultText: 'config.toml in the data directory', help: 'Config file (TOML)' }),
};

const secretOptions = {
  secret: string('secret', {
    aliases: ['secret-key'],
    defaultText: 'generated once, kept in the data directory',
    help: 'Cluster secret; better given by environment or file',
    secret: true,
  }),
  secretFile: path('secret-file', { insteadOf: 'secret', help: 'File that holds the cluster secret' }),
};

const logOptions = {
  verbose: boolean('verbose', { short: 'v', help: 'Say more' }),
  quiet: boolean('quiet', { short: 'q', help: 'Say only what went wrong' }),
  logFile: path('log-file', { defaultText: 'standard error', help: 'Write the log to this file' }),
  logFormat: choice('log-format', ['text', 'json'], { default: 'text', help: 'Form of the log' }),
};

export const dispatcherOptions = {
  port: port('port', { short: 'p', default: 7878, help: 'TCP port for workers' }),
  bind: string('bind', { short: 'b', default: '0.0.0.0', placeholder: 'HOST', help: 'Interface for workers' }),
  apiPort: port('api-port', { default: 3000, help: 'Port of the REST API' }),
  apiBind: string('api-bind', {
    placeholder: 'HOST',
    defaultText: '127.0.0.1, or 0.0.0.0 when auth is required',
    help: 'Interface for the REST API',
  }),
  maxWorkers: int('max-workers', {
    short: 'w',
    default: 10,
    min: 1,
    max: 100_000,
    help: 'Most workers connected at once',
  }),
  taskTimeoutMs: duration('task-timeout', {
    short: 't',
    default: 3_600_000,
    defaultText: '3600',
    minMs: 1,
    maxMs: 30 * day,
    help: 'Time limit of a task that names none',
  }),
  maxQueueSize: int('max-queue-size', {
    default: 10_000,
    min: 1,
    max: 100_000_000,
    help: 'Most tasks waiting; past it submissions are refused',
  }),
  requireAuth: choice('require-auth', ['true', 'false', 'auto'], {
    default: 'auto',
    bare: 'true',
    help: 'Who needs a token: everybody, nobody, or (auto) calls from other machines',
  }),
  ...secretOptions,
  dbPath: path('db-path', { defaultText: 'octaskly.db in the data directory', help: 'SQLite file' }),
  retentionMs: duration('retention', {
    default: 30 * day,
    defaultText: '30d',
    minMs: 1000,
    maxMs: 36_500 * day,
    help: 'Ended tasks older than this are deleted',
  }),
  heartbeatTimeoutMs: duration('heartbeat-timeout', {
    default: 60_000,
    defaultText: '60',
    minMs: 1000,
    maxMs: day,
    help: 'Silence after which a worker is lost',
  }),
  ...placeOptions,
  ...logOptions,
} satisfies OptionTable;

export const workerOptions = {
  name: string('name', { short: 'n', defaultText: 'host name, made unique', help: 'Letters, digits, ".", "_", "-"' }),
  id: string('id', { defaultText: 'generated once, kept', help: 'Node id' }),
  dispatcher: addresses('dispatcher', {
    short: 'd',
    aliases: ['dispatcher-addr'],
    defaultText: 'localhost',
    help: 'Where the dispatcher is; several are tried in turn',
  }),
  port: port('port', {
    short: 'p',
    aliases: ['dispatcher-port'],
    default: 7878,
    help: "Dispatcher's port where the address has none",
  }),
  maxJobs: int('max-jobs', { short: 'j', default: 4, min: 1, max: 1024, help: 'Tasks run at once' }),
  cpuCores: decimal('cpu-cores', {
    short: 'c',
    min: 0,
    max: 4096,
    defaultText: 'detected',
    help: 'Cores to offer',
  }),
  memoryMb: megabytes('memory', { short: 'm', defaultText: 'detected', help: 'Memory to offer' }),
  gpu: gpuCount('gpu', { defaultText: 'detected', help: 'GPUs to offer: true, false or a count' }),
  label: pairs('label', { help: 'Label that tasks can require, repeatable' }),
  sandboxLevel: choice('sandbox-level', sandboxLevels, {
    default: 'basic',
    help: 'Least isolation of tasks here; a task may ask for more',
  }),
  taskUser: string('task-user', {
    placeholder: 'NAME',
    defaultText: 'octaskly-task if it exists',
    help: 'For a worker started as root: account that runs tasks at strict and above',
  }),
  cacheMb: megabytes('cache-size', {
    default: 2048,
    defaultText: '2G',
    help: 'Most disk for files kept for later tasks',
  }),
  workDir: path('work-dir', {
    defaultText: 'in the data directory; /var/lib/octaskly where that is closed to --task-user',
    help: 'Where task directories are made',
  }),
  ...secretOptions,
  ...placeOptions,
  ...logOptions,
} satisfies OptionTable;

/** `up`: a dispatcher and one worker that talks to it. */
export const upOptions = {
  ...dispatcherOptions,
  name: workerOptions.name,
  maxJobs: workerOptions.maxJobs,
  cpuCores: workerOptions.cpuCores,
  memoryMb: workerOptions.memoryMb,
  gpu: workerOptions.gpu,
  label: workerOptions.label,
  sandboxLevel: workerOptions.sandboxLevel,
  taskUser: workerOptions.taskUser,
  cacheMb: workerOptions.cacheMb,
  workDir: workerOptions.workDir,
} satisfies OptionTable;

export const backupOptions = { dbPath: dispatcherOptions.dbPath, ...placeOptions } satisfies OptionTable;

/** How a command reaches the dispatcher. */
export const reachOptions = {
  api: string('api', {
    default: 'http://127.0.0.1:3000',
    placeholder: 'URL',
    help: "Address of the dispatcher's REST API",
  }),
  token: string('token', {
    defaultText: 'made from the secret in the data directory, if readable',
    help: 'Access token; better given by environment or file',
    secret: true,
  }),
  tokenFile: path('token-file', { insteadOf: 'token', help: 'File that holds the access token' }),
  ...placeOptions,
} satisfies OptionTable;

/** How a command prints data. */
export const printOptions = {
  output: choice('output', ['table', 'json', 'quiet'], {
    short: 'o',
    default: 'table',
    help: 'table for people, json as the API gives it, quiet for ids only',
  }),
} satisfies OptionTable;

/** `doctor`: what a worker started here with these options would find. */
export const doctorOptions = {
  taskUser: workerOptions.taskUser,
  workDir: workerOptions.workDir,
  ...printOptions,
  ...placeOptions,
} satisfies OptionTable;

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
  }),
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

export type DispatcherValues = Values<typeof dispatcherOptions>;
export type WorkerValues = Values<typeof workerOptions>;
export type UpValues = Values<typeof upOptions>;
export type PrintValues = Values<typeof printOptions>;
export type BackupValues = Values<typeof backupOptions>;
export type DoctorValues = Values<typeof doctorOptions>;
export type ReachValues = Values<typeof reachOptions>;
export type FilterValues = Values<typeof filterFlags>;
export type SubmitFlagValues = Omit<Values<typeof submitFlags>, 'tag'>;

/** Every table, for what must know all keys: the config file is shared by all commands. */
export const allTables: readonly OptionTable[] = [
  dispatcherOptions,
  workerOptions,
  upOptions,
  reachOptions,
  printOptions,
];
