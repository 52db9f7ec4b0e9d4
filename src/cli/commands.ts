/**
 * All commands: name, words, options, example, exit statuses. What each does is in `commands/`, loaded when called.
 */

import {
  batchOptions,
  exportOptions,
  logsOptions,
  lookOptions,
  mapOptions,
  outputsOptions,
  psOptions,
  retryOptions,
  runOptions,
  submitOptions,
  uiOptions,
} from './client-options.ts';
import { type Command, clientCommand, roleCommand } from './command.ts';
import { runDirectly } from './direct.ts';
import { done, type Exit, usual, wrong } from './exits.ts';
import {
  backupOptions,
  dispatcherOptions,
  doctorOptions,
  peersOptions,
  printOptions,
  reachOptions,
  upOptions,
  workerOptions,
} from './options.ts';
import { trustCommands } from './trust-commands.ts';

const stopped: Exit = ['0', 'stopped in good order'];
const roleExits = [
  stopped,
  ['1', 'it could not go on'],
  ['2', 'the command line or the configuration is not valid'],
] as const;
const asTask: readonly Exit[] = [
  ['n', "the task's exit status"],
  ['124', 'the task timed out'],
  ['125', "Octaskly's own failure, a limit exceeded, or a file of --out that is missing"],
  ['128+n', 'ended by signal n'],
  ['2', 'the command line is not valid'],
];
const noWords = { usage: '', wordsMin: 0, wordsMax: 0 } as const;
const oneTaskWord = { usage: 'ID', wordsMin: 1, wordsMax: 1 } as const;
const many = Number.POSITIVE_INFINITY;
const aboutFiles =
  'With --in files and directories come along: a relative path keeps its place below the task directory, any other goes by its last name. What matches --out comes back into this directory when the task ends: paths, directories or globs (quote them).';
const selectors = 'A selector is an id or its beginning, last, all, batch:ID, tag:k=v or status:STATE.';

const roles: readonly Command[] = [
  roleCommand({
    ...{ name: 'dispatcher', aliases: ['d'], group: 'Roles', ...noWords, exits: roleExits },
    summary: 'take tasks and hand them to workers',
    examples: ['dispatcher --port 7878 --api-port 3000'],
    options: dispatcherOptions,
    action: (given, values) => given.dispatcher(values),
  }),
  roleCommand({
    ...{ name: 'worker', aliases: ['w'], group: 'Roles', ...noWords, exits: roleExits },
    summary: 'run tasks of a dispatcher',
    examples: ['worker --dispatcher 192.168.1.10 --max-jobs 4 --label zone=attic'],
    options: workerOptions,
    action: (given, values) => given.worker(values),
  }),
  roleCommand({
    ...{ name: 'up', group: 'Roles', ...noWords, exits: roleExits },
    summary: 'a dispatcher and one worker in one process, for a first try',
    examples: ['up'],
    options: upOptions,
    action: (given, values) => given.up(values),
  }),
];

const work: readonly Command[] = [
  clientCommand({
    ...{ name: 'submit', group: 'Work', usage: 'CMD...', wordsMin: 1, wordsMax: many },
    summary: 'hand in a command and print its id',
    details: [
      "Several words are joined by spaces and run by the worker's shell. Quote a command that has options of its own.",
      'With --wait the exit statuses are those of run; Ctrl-C then stops waiting, the task goes on.',
      aboutFiles,
    ],
    examples: ["submit 'ffmpeg -i /nas/in.mkv /nas/out.mp4' --cpus 2 --name encode", 'submit --wait make test'],
    exits: [...usual, ...asTask.slice(0, 4).map(([status, meaning]): Exit => [status, `with --wait: ${meaning}`])],
    options: submitOptions,
    load: async () => (await import('./commands/submit.ts')).submit,
  }),
  clientCommand({
    ...{ name: 'run', group: 'Work', usage: 'CMD...', wordsMin: 1, wordsMax: many, failureStatus: 125 },
    summary: 'run a command elsewhere as if it ran here',
    details: [
      'Like ssh: the words are joined by spaces, and options behind the first word belong to the command. Output and errors appear as they come, standard input is passed on when it is a file or pipe, and Ctrl-C cancels the task (twice: leaves at once).',
      aboutFiles,
    ],
    examples: [
      'run uname -a',
      "run --cpus 4 'xz -9 -T4' < disk.img > disk.img.xz",
      "run --in report.tex --in figures --out report.pdf 'latexmk -pdf report.tex'",
      'run --sandbox strict --mem-limit 512M --cpu-time 5m --in tool.sh ./tool.sh',
    ],
    exits: asTask,
    optionsEnd: 'first word',
    options: runOptions,
    load: async () => (await import('./commands/run.ts')).run,
    direct: runDirectly,
  }),
  clientCommand({
    ...{ name: 'map', group: 'Work', usage: 'CMD... [::: ARG...] [:::: FILE...]', wordsMin: 1, wordsMax: many },
    summary: 'run a command once for each argument',
    details: [
      'Arguments stand behind :::, in the lines of the files behind :::: or -a, or come from standard input. Several sources are combined, each with each. They replace {} (quoted for the shell), {.} without extension, {/} without directory, {//} the directory, {/.} the name without both, {#} the number of the job, {1} {2.} one source; a command without any gets {} at its end. Output of each job is printed together, when it has ended.',
      'Options behind the first word belong to the command, unless that word is a whole quoted command.',
      'The same replacements are made in --in and --out, for each job; files come back as each job ends.',
    ],
    examples: [
      "map 'gzip -9 -k {}' ::: /nas/logs/*.log",
      "map --in {} --out {.}.mp3 'ffmpeg -i {} {.}.mp3' ::: *.wav",
      'map -k --tag flac -s {} < list-of-wavs.txt',
    ],
    exits: [
      ['0', 'all jobs completed'],
      ['1-100', 'that many did not, or left files of --out that are missing'],
      ['101', 'more than 100 did not'],
      ['125', "Octaskly's own failure"],
      wrong,
    ],
    optionsEnd: 'unquoted word',
    failureStatus: 125,
    options: mapOptions,
    load: async () => (await import('./commands/map.ts')).map,
  }),
  clientCommand({
    ...{ name: 'batch', group: 'Work', usage: 'FILE', wordsMin: 1, wordsMax: 1 },
    summary: 'submit the tasks of a file together',
    details: [
      'The file holds {"name"?, "tasks": [...]} or a list of tasks as JSON or YAML, or one task a line as JSONL; "-" is standard input. Tasks are as in the API: {"name": "b", "command": "make", "depends_on": ["a"]}. There inputs may also be paths of files and directories here, from the folder of the file: {"inputs": ["data/x.csv"]}; they are uploaded first.',
    ],
    examples: ['batch nightly.yaml --wait'],
    exits: [done, ['1', 'it failed; with --wait also: not all tasks completed'], wrong],
    options: batchOptions,
    load: async () => (await import('./commands/batch.ts')).batch,
  }),
];

const looking: readonly Command[] = [
  clientCommand({
    ...{ name: 'ps', aliases: ['tasks'], group: 'Looking', ...noWords, exits: usual },
    summary: 'list tasks, newest first',
    examples: ['ps --status running', 'ps --tag project=film --since 2h -o json'],
    options: psOptions,
    load: async () => (await import('./commands/ps.ts')).ps,
  }),
  clientCommand({
    ...{ name: 'show', group: 'Looking', ...oneTaskWord, exits: usual },
    summary: 'everything about one task',
    examples: ['show last'],
    options: lookOptions,
    load: async () => (await import('./commands/show.ts')).show,
  }),
  clientCommand({
    ...{ name: 'logs', group: 'Looking', ...oneTaskWord, exits: usual },
    summary: "a task's output, standard output and error kept apart",
    examples: ['logs -f last'],
    options: logsOptions,
    load: async () => (await import('./commands/logs.ts')).logs,
  }),
  clientCommand({
    ...{ name: 'outputs', group: 'Looking', usage: 'ID [PATH...]', wordsMin: 1, wordsMax: many },
    summary: 'files a task left (--out): list them, or bring them here',
    details: [
      'Without --dir and paths it lists them. A path is one of these files, or a directory and all below it; files keep their paths below --dir, and replace files that are there.',
    ],
    examples: ['outputs last', 'outputs last --dir results', 'outputs 01hq3v5k9m2x report.txt --stdout'],
    exits: [done, ['1', 'it failed, or a file is not there or could not be brought'], wrong],
    options: outputsOptions,
    load: async () => (await import('./commands/outputs.ts')).outputs,
  }),
  clientCommand({
    ...{ name: 'wait', group: 'Looking', usage: 'SELECTOR...', wordsMin: 1, wordsMax: many },
    summary: 'wait until tasks have ended',
    details: [`${selectors} Selectors of many mean the tasks that have not ended when the command starts.`],
    examples: ['wait batch:01hq3v5k9m2x'],
    exits: [['0', 'all completed'], ['1', 'some did not, or it failed'], wrong],
    options: lookOptions,
    load: async () => (await import('./commands/wait.ts')).wait,
  }),
  clientCommand({
    ...{ name: 'explain', group: 'Looking', ...oneTaskWord, exits: usual },
    summary: 'why a task waits, or what ended it',
    examples: ['explain last'],
    options: lookOptions,
    load: async () => (await import('./commands/explain.ts')).explain,
  }),
  clientCommand({
    ...{ name: 'workers', group: 'Looking', ...noWords, exits: usual },
    summary: 'list workers and what they have',
    role: 'dispatcher',
    examples: ['workers'],
    options: lookOptions,
    load: async () => (await import('./commands/workers.ts')).workers,
  }),
  roleCommand({
    ...{
      name: 'peers',
      group: 'Looking',
      ...noWords,
      exits: [done, ['1', 'it failed, or there is no key to ask with'], wrong],
    },
    summary: 'list nodes of the cluster on this network, with no dispatcher needed',
    details: [
      'Asks everybody on the local network and prints what they say of themselves. Works from the data directory of a dispatcher or of a worker that has joined, and needs neither of them to run. Who is here runs a worker or a dispatcher with --discovery on (the default).',
      'With --watch it goes on until Ctrl-C: redrawn on a terminal, else a line for each change (with -o json an object a line).',
    ],
    examples: ['peers', 'peers --watch', 'peers --wait 5s -o json'],
    options: peersOptions,
    action: (given, values) => given.peers(values),
  }),
  clientCommand({
    ...{ name: 'stats', group: 'Looking', ...noWords, exits: usual },
    summary: 'counts of tasks, workers and slots',
    role: 'dispatcher',
    examples: ['stats -o json'],
    options: lookOptions,
    load: async () => (await import('./commands/stats.ts')).stats,
  }),
  clientCommand({
    ...{ name: 'ui', group: 'Looking', ...noWords },
    summary: 'dashboard in this terminal',
    role: 'dispatcher',
    details: [
      'Counts, workers and tasks as they change; opens a task with its live output, cancels, retries and explains it. Press ? in it for the keys. Colours can be switched off by NO_COLOR.',
    ],
    examples: ['ui', 'ui --api http://192.168.1.10:3000'],
    exits: [done, ['1', 'no dispatcher reachable'], ['2', 'the command line is not valid, or there is no terminal']],
    options: uiOptions,
    load: async () => (await import('./commands/ui.ts')).ui,
  }),
];

const changing: readonly Command[] = [
  clientCommand({
    ...{ name: 'cancel', group: 'Changing', usage: 'SELECTOR...', wordsMin: 1, wordsMax: many, exits: usual },
    summary: 'end tasks, waiting or running',
    details: [selectors],
    examples: ['cancel last', 'cancel tag:project=film'],
    options: lookOptions,
    load: async () => (await import('./commands/cancel.ts')).cancel,
  }),
  clientCommand({
    ...{ name: 'retry', group: 'Changing', usage: '[SELECTOR...]', wordsMin: 0, wordsMax: many, exits: usual },
    summary: 'submit ended tasks again, as new ones',
    details: [`${selectors} Selectors of many mean the tasks that ended and did not complete.`],
    examples: ['retry --failed', 'retry batch:01hq3v5k9m2x'],
    options: retryOptions,
    load: async () => (await import('./commands/retry.ts')).retry,
  }),
  clientCommand({
    ...{ name: 'drain', group: 'Changing', usage: 'WORKER', wordsMin: 1, wordsMax: 1, exits: usual },
    summary: 'give a worker no new tasks',
    role: 'dispatcher',
    examples: ['drain attic-pi'],
    options: reachOptions,
    load: async () => (await import('./commands/drain.ts')).drain,
  }),
  clientCommand({
    ...{ name: 'undrain', group: 'Changing', usage: 'WORKER', wordsMin: 1, wordsMax: 1, exits: usual },
    summary: 'give a worker tasks again',
    role: 'dispatcher',
    examples: ['undrain attic-pi'],
    options: reachOptions,
    load: async () => (await import('./commands/drain.ts')).undrain,
  }),
  clientCommand({
    ...{ name: 'pause', group: 'Changing', ...noWords, exits: usual },
    summary: 'start no further tasks anywhere; what runs goes on',
    role: 'dispatcher',
    examples: ['pause'],
    options: reachOptions,
    load: async () => (await import('./commands/pause.ts')).pause,
  }),
  clientCommand({
    ...{ name: 'resume', group: 'Changing', ...noWords, exits: usual },
    summary: 'start tasks again after a pause',
    role: 'dispatcher',
    examples: ['resume'],
    options: reachOptions,
    load: async () => (await import('./commands/pause.ts')).resume,
  }),
];

const care: readonly Command[] = [
  roleCommand({
    ...{ name: 'backup', group: 'Care', usage: 'FILE', wordsMin: 1, wordsMax: 1, exits: usual },
    summary: "copy this machine's database consistently, also while the dispatcher runs",
    examples: ['backup /nas/octaskly-monday.db'],
    options: backupOptions,
    action: (given, values, words) => given.backup(values, words[0] ?? ''),
  }),
  clientCommand({
    ...{ name: 'export', group: 'Care', ...noWords, exits: usual },
    summary: 'all tasks as CSV or JSONL, newest first',
    examples: ['export --since 7d > week.csv', 'export --format jsonl --status failed'],
    options: exportOptions,
    load: async () => (await import('./commands/export.ts')).exportTasks,
  }),
  roleCommand({
    ...{ name: 'doctor', group: 'Care', usage: '[sandbox | net [HOST[:PORT]]]', wordsMin: 0, wordsMax: 2 },
    summary: 'what is wrong on this machine, and how to get what is missing',
    details: [
      'Topics: sandbox, the levels of isolation and how each limit is kept, found out by trying; net, why two nodes do not see each other: interfaces, multicast sent and heard, firewall, the dispatchers found, and with HOST also its name, port, cluster, version and clock. Without a topic it looks at both, in short. It changes nothing, and takes some six seconds at most.',
      'With -o quiet it prints the names of what is wrong, one a line (doctor sandbox: the levels that are there); notes are no trouble and are left out.',
    ],
    exits: [
      ['0', 'nothing is wrong'],
      ['1', 'something was found'],
      ['2', 'the command line is not valid'],
    ],
    examples: ['doctor', 'doctor net', 'doctor net 192.168.1.10', 'doctor sandbox -o json'],
    options: doctorOptions,
    action: (given, values, words) => given.doctor(values, words[0] ?? null, words[1] ?? null),
  }),
  roleCommand({
    ...{ name: 'version', group: 'Care', ...noWords, exits: [done, wrong] },
    summary: 'the version of this program',
    examples: ['version', 'version -o json'],
    options: printOptions,
    action: (given, values) => given.version(values),
  }),
];

/** In the order of the overview. `help` is answered before any of these. */
export const commands: readonly Command[] = [...roles, ...work, ...looking, ...changing, ...trustCommands, ...care];
