/**
 * THE table of every flag, its short name, type, default and help. The environment variable (`OCTASKLY_<FLAG>`), the key
 * in `config.toml` and the help texts follow from it; nothing else in the product knows a flag's name or default.
 * Fields end in their unit: `…Ms` milliseconds, `…Mb` megabytes, `…Bytes` bytes.
 *
 * Here are the roles, and what looks at or keeps what is theirs; what several commands share is in `shared-options.ts`,
 * the flags of the commands that talk to a dispatcher in `client-options.ts` and `trust-options.ts`.
 */

import { sandboxLevels } from '../core/isolation.ts';
import { clusterEvents, clusterEventsDefault } from '../core/notification.ts';
import { installOptions } from './install-options.ts';
import { day, keepingOptions } from './keeping-options.ts';
import {
  addresses,
  boolean,
  choice,
  conditions,
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
  readable,
  string,
  strings,
  type Values,
} from './option.ts';
import {
  discoveryOptions,
  logOptions,
  peerOptions,
  placeOptions,
  printOptions,
  reachOptions,
  secretOptions,
} from './shared-options.ts';
import { workerUpdateOptions } from './worker-update-options.ts';

export const dispatcherOptions = {
  port: port('port', { short: 'p', default: 7878, help: 'TCP port for workers' }),
  bind: string('bind', { short: 'b', default: '0.0.0.0', placeholder: 'HOST', help: 'Interface for workers' }),
  quic: boolean('quic', { help: 'Also accept workers over QUIC, on the same port number (UDP)' }),
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
  allowHost: strings('allow-host', {
    placeholder: 'NAME',
    help: 'Further host name the API answers for, repeatable (this host, localhost and IP addresses always)',
  }),
  allowOrigin: strings('allow-origin', {
    placeholder: 'ORIGIN',
    help: 'Origin of foreign pages that may call the API (CORS), repeatable',
  }),
  allowWorker: strings('allow-worker', {
    placeholder: 'NAME',
    defaultText: 'all',
    help: 'Only workers with these names may join, repeatable',
  }),
  ...installOptions,
  approvals: boolean('approvals', { default: true, help: 'Let devices ask to be approved' }),
  tls: choice('tls', ['off', 'self'], {
    default: 'off',
    help: 'self: HTTPS for the API with a certificate made and kept here',
  }),
  tlsCert: readable('tls-cert', { help: 'Certificate chain for HTTPS (PEM)' }),
  tlsKey: readable('tls-key', { help: 'Private key of --tls-cert (PEM)' }),
  submitRate: int('submit-rate', {
    default: 100,
    min: 0,
    max: 1_000_000,
    help: 'Submissions a second for each token, 0 = no limit',
  }),
  denyList: path('deny-list', {
    defaultText: 'deny.toml in the data directory',
    help: 'Commands that are refused: a guard against accidents',
  }),
  requireAuth: choice('require-auth', ['true', 'false', 'auto'], {
    default: 'auto',
    bare: 'true',
    help: 'Who needs a token: everybody, nobody, or (auto) calls from other machines',
  }),
  ...secretOptions,
  ...keepingOptions,
  notify: strings('notify', {
    placeholder: 'URL',
    help: 'Tell this webhook (or ntfy:URL, slack:URL) what happens, repeatable; see octaskly docs notify',
  }),
  notifyOn: strings('notify-on', {
    placeholder: 'EVENT',
    completes: clusterEvents,
    default: clusterEventsDefault,
    defaultText: clusterEventsDefault.join(', '),
    help: 'What to tell of, repeatable; also task_completed, task_cancelled',
  }),
  notifyAllow: strings('notify-allow', {
    placeholder: 'HOST[:PORT]',
    help: "Host that clients' tasks may notify beside those of --notify, repeatable",
  }),
  ui: boolean('ui', { help: 'Show the dashboard in this terminal; leaving it stops what runs' }),
  wake: boolean('wake', {
    default: true,
    help: 'Wake sleeping workers (Wake-on-LAN) when work waits that needs them',
  }),
  heartbeatTimeoutMs: duration('heartbeat-timeout', {
    default: 60_000,
    defaultText: '60',
    minMs: 1000,
    maxMs: day,
    help: 'Silence after which a worker is lost',
  }),
  ...discoveryOptions,
  ...peerOptions,
  ...placeOptions,
  ...logOptions,
} satisfies OptionTable;

export const workerOptions = {
  name: string('name', { short: 'n', defaultText: 'host name, made unique', help: 'Letters, digits, ".", "_", "-"' }),
  id: string('id', { defaultText: 'generated once, kept', help: 'Node id' }),
  dispatcher: addresses('dispatcher', {
    short: 'd',
    aliases: ['dispatcher-addr'],
    defaultText: 'found by mDNS, else localhost',
    help: 'Where the dispatcher is; several are tried in turn',
  }),
  port: port('port', {
    short: 'p',
    aliases: ['dispatcher-port'],
    default: 7878,
    help: "Dispatcher's port where the address has none",
  }),
  transport: choice('transport', ['tcp', 'quic'], {
    default: 'tcp',
    help: 'How to reach the dispatcher; quic falls back to tcp where UDP is blocked',
  }),
  peerPort: port('peer-port', { default: 7879, help: 'TCP port for peers; the next free one when taken' }),
  ...oneCall({
    join: string('join', { placeholder: 'TOKEN', help: "Join token printed by 'octaskly invite'" }),
    newIdentity: boolean('new-identity', {
      help: 'Take a new id and key: this data directory was copied from another device',
    }),
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
  when: conditions('when', {
    defaultText: 'always',
    help: 'When to take work: idle, charging, battery>30, cool, unmetered; several with commas between',
  }),
  keepAwake: boolean('keep-awake', {
    default: true,
    help: 'Keep this machine from going to sleep while tasks run',
  }),
  cacheMb: megabytes('cache-size', {
    default: 2048,
    defaultText: '2G',
    help: 'Most disk for files kept for later tasks',
  }),
  leaveWithinMs: duration('leave-within', {
    defaultText: 'until they end; 10s as a service',
    minMs: 0,
    maxMs: 30 * day,
    help: 'How long running tasks may go on after a signal to stop; then they are handed back',
  }),
  workDir: path('work-dir', {
    completes: 'directory',
    defaultText: 'in the data directory; /var/lib/octaskly-tasks where that is closed to --task-user',
    help: 'Where task directories are made',
  }),
  ...workerUpdateOptions,
  ...discoveryOptions,
  ...peerOptions,
  ...secretOptions,
  ...placeOptions,
  ...logOptions,
} satisfies OptionTable;

/** `join`: keep a credential for the worker that is started here later. */
export const joinOptions = {
  name: workerOptions.name,
  port: workerOptions.port,
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
  when: workerOptions.when,
  keepAwake: workerOptions.keepAwake,
  cacheMb: workerOptions.cacheMb,
  workDir: workerOptions.workDir,
  leaveWithinMs: workerOptions.leaveWithinMs,
  transport: workerOptions.transport,
  peerPort: workerOptions.peerPort,
} satisfies OptionTable;

export const backupOptions = {
  ...oneCall({
    databaseOnly: boolean('database-only', { help: 'Copy the database alone, as a file for sqlite3' }),
    force: boolean('force', { help: 'Replace the file when it exists' }),
  }),
  dbPath: dispatcherOptions.dbPath,
  ...placeOptions,
} satisfies OptionTable;

export const restoreOptions = {
  ...oneCall({ force: boolean('force', { help: 'Move aside what is there' }) }),
  dbPath: dispatcherOptions.dbPath,
  ...placeOptions,
} satisfies OptionTable;

/** `peers`: who is there, heard from themselves. */
export const peersOptions = {
  ...discoveryOptions,
  watch: boolean('watch', { help: 'Go on, and show what changes' }),
  waitMs: duration('wait', {
    default: 2500,
    defaultText: '2.5s',
    minMs: 100,
    maxMs: 60_000,
    help: 'How long to listen',
  }),
  ...printOptions,
  ...placeOptions,
} satisfies OptionTable;

/** `doctor`: what a worker started here with these options would find. */
export const doctorOptions = {
  taskUser: workerOptions.taskUser,
  workDir: workerOptions.workDir,
  port: workerOptions.port,
  quic: dispatcherOptions.quic,
  apiPort: dispatcherOptions.apiPort,
  peerPort: workerOptions.peerPort,
  ...peerOptions,
  ...discoveryOptions,
  ...printOptions,
  ...placeOptions,
} satisfies OptionTable;

export type DispatcherValues = Values<typeof dispatcherOptions>;
export type WorkerValues = Values<typeof workerOptions>;
export type UpValues = Values<typeof upOptions>;
export type BackupValues = Values<typeof backupOptions>;
export type RestoreValues = Values<typeof restoreOptions>;
export type DoctorValues = Values<typeof doctorOptions>;
export type PeersValues = Values<typeof peersOptions>;
export type JoinValues = Values<typeof joinOptions>;

/** Every table, for what must know all keys: the config file is shared by all commands. */
export const allTables: readonly OptionTable[] = [
  dispatcherOptions,
  workerOptions,
  upOptions,
  reachOptions,
  printOptions,
];
