/**
 * All commands: name, words, options, example, exit statuses. What each does is in `commands/`, loaded when called.
 */

import { batchOptions, mapOptions, retryOptions, runOptions, submitOptions } from './client-options.ts';
import { type Command, clientCommand, ownCommand, roleCommand } from './command.ts';
import { many, noWords, oneWorkerWord, selectors, selectorWords } from './command-words.ts';
import { shells } from './completion/scripts.ts';
import { runDirectly } from './direct.ts';
import { done, type Exit, usual, wrong } from './exits.ts';
import { keepingCommands } from './keeping-commands.ts';
import { lookingCommands } from './looking-commands.ts';
import { foreignOptions } from './map/foreign.ts';
import { dispatcherOptions, doctorOptions, upOptions, workerOptions } from './options.ts';
import { serviceCommand } from './service-command.ts';
import { lookOptions, printOptions, reachOptions } from './shared-options.ts';
import { trustCommands } from './trust-commands.ts';
import { updateCommand } from './update-command.ts';

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
const aboutFiles =
  'With --in files and directories come along: a relative path keeps its place below the task directory, any other goes by its last name. What matches --out comes back into this directory when the task ends: paths, directories or globs (quote them).';

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
      "Several words are joined by spaces and run by the worker's shell. Quote a command that has options of its own. A true or false behind a switch is a word of the command: --wait=true.",
      'With --wait the exit statuses are those of run; Ctrl-C then stops waiting, the task goes on.',
      aboutFiles,
    ],
    examples: ["submit 'ffmpeg -i /nas/in.mkv /nas/out.mp4' --cpus 2 --name encode", 'submit --wait make test'],
    exits: [...usual, ...asTask.slice(0, 4).map(([status, meaning]): Exit => [status, `with --wait: ${meaning}`])],
    completes: ['file'],
    options: submitOptions,
    load: async () => (await import('./commands/submit.ts')).submit,
  }),
  clientCommand({
    ...{ name: 'run', group: 'Work', usage: 'CMD...', wordsMin: 1, wordsMax: many, failureStatus: 125 },
    summary: 'run a command elsewhere as if it ran here',
    details: [
      'Like ssh: the words are joined by spaces, and options behind the first word belong to the command. Output and errors appear as they come, standard input is passed on when it is a file or pipe, and Ctrl-C cancels the task (twice: leaves at once). The task lives with the command: killed or cut off for 15 s, it is cancelled.',
      'With -t it runs in a terminal: keys go to it as you press them, Ctrl-C too, and it follows the size of yours. ~. at the start of a line leaves and cancels it.',
      aboutFiles,
      'With --p2p the task goes to a worker directly, from the data directory of a dispatcher or of a worker that has joined. What only a dispatcher can do is refused then: --in, --out, --outputs-at worker, --after, --tag, --retries and -t. It is run once: when its worker is lost, it is not run elsewhere.',
    ],
    examples: [
      'run uname -a',
      'run -t bash -i',
      'run --p2p uname -a',
      "run --cpus 4 'xz -9 -T4' < disk.img > disk.img.xz",
      "run --in report.tex --in figures --out report.pdf 'latexmk -pdf report.tex'",
      'run --sandbox strict --mem-limit 512M --cpu-time 5m --in tool.sh ./tool.sh',
    ],
    exits: asTask,
    optionsEnd: 'first word',
    completes: ['file'],
    options: runOptions,
    load: async () => (await import('./commands/run.ts')).run,
    direct: runDirectly,
  }),
  clientCommand({
    ...{ name: 'map', group: 'Work', usage: '[CMD...] [::: ARG...] [:::: FILE...]', wordsMin: 0, wordsMax: many },
    summary: 'run a command once for each argument, as GNU parallel does',
    details: [
      'Arguments stand behind :::, in the lines of the files behind :::: or -a, or come from standard input. Several sources are combined, each with each; behind :::+ and ::::+ one goes side by side with the source before. They replace {} (quoted for the shell), {.} without extension, {/} without directory, {//} the directory, {/.} the name without both, {#} the number of the job, {%} its slot, {1} {2.} {-1} one of several; a command without any gets {} at its end. Without a command the arguments are the commands.',
      'Output of each job is printed together, when it has ended. Options behind the first word belong to the command, unless that word is a whole quoted command.',
      'The same replacements are made in --in and --out, for each job; files come back as each job ends.',
      'The jobs live with the command: killed or cut off for 15 s, what has not ended is cancelled. Ctrl-Z stops the command alone.',
    ],
    examples: [
      "map 'gzip -9 -k {}' ::: /nas/logs/*.log",
      "map --in {} --out {.}.mkv 'ffmpeg -i {} {.}.mkv' ::: *.avi",
      'map -k --tag flac -s {} < list-of-wavs.txt',
      "map -j8 --joblog log --resume-failed --timeout 200% 'render {1} {2}' ::: a b :::: frames",
      'map --halt now,fail=1 --results out test-case ::: 1 2 3',
    ],
    exits: [
      ['0', 'all jobs completed'],
      ['1-100', 'that many did not, or files of --out or some of the output are missing'],
      ['101', 'more than 100 did not'],
      ['N', '--halt with =1: as the job that stopped it; with N%: the percentage that failed'],
      ['125', "Octaskly's own failure"],
      ['130, 143', 'interrupted; what had not ended was cancelled'],
      ['141', 'nobody reads the output any more; likewise'],
      wrong,
    ],
    optionsEnd: 'unquoted word',
    failureStatus: 125,
    completes: ['file'],
    options: mapOptions,
    foreign: foreignOptions,
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
    completes: ['file'],
    options: batchOptions,
    load: async () => (await import('./commands/batch.ts')).batch,
  }),
];

const changing: readonly Command[] = [
  clientCommand({
    ...{ name: 'cancel', group: 'Changing', ...selectorWords, exits: usual },
    summary: 'end tasks, waiting or running',
    details: [`${selectors} It prints the ids, as they are cancelled.`],
    examples: ['cancel last', 'cancel tag:project=film'],
    options: lookOptions,
    load: async () => (await import('./commands/cancel.ts')).cancel,
  }),
  clientCommand({
    ...{ name: 'retry', group: 'Changing', ...selectorWords, usage: '[SELECTOR...]', wordsMin: 0, exits: usual },
    summary: 'submit ended tasks again, as new ones',
    details: [`${selectors} Selectors of many mean the tasks that ended and did not complete.`],
    examples: ['retry --failed', 'retry batch:01hq3v5k9m2x'],
    options: retryOptions,
    load: async () => (await import('./commands/retry.ts')).retry,
  }),
  clientCommand({
    ...{ name: 'drain', group: 'Changing', ...oneWorkerWord, exits: usual },
    summary: 'give a worker no new tasks',
    role: 'dispatcher',
    examples: ['drain attic-pi'],
    options: reachOptions,
    load: async () => (await import('./commands/drain.ts')).drain,
  }),
  clientCommand({
    ...{ name: 'undrain', group: 'Changing', ...oneWorkerWord, exits: usual },
    summary: 'give a worker tasks again',
    role: 'dispatcher',
    examples: ['undrain attic-pi'],
    options: reachOptions,
    load: async () => (await import('./commands/drain.ts')).undrain,
  }),
  clientCommand({
    ...{ name: 'wake', group: 'Changing', ...oneWorkerWord, exits: usual },
    summary: 'wake the machine of a sleeping worker (Wake-on-LAN)',
    details: [
      'The dispatcher calls it over the network it shares with it, by the address of its network card, which the worker told when it joined. When work waits for it the dispatcher does so by itself. octaskly docs power says what the machine needs for that.',
    ],
    role: 'dispatcher',
    examples: ['wake office-pc'],
    options: reachOptions,
    load: async () => (await import('./commands/wake.ts')).wake,
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
  clientCommand({
    ...{ name: 'notify', group: 'Care', usage: 'test [URL] | send URL TEXT... | key', wordsMin: 1, wordsMax: many },
    summary: 'send a notification by hand; key: what webhooks are signed with',
    details: [
      "test goes to URL, or to the destinations of the dispatcher's --notify. A URL is a JSON webhook, or what is known of its host; slack:URL and ntfy:URL say it.",
      'test waits for the first try, 12 s at most, and ends with 1 when it did not arrive.',
      'key needs the role admin.',
    ],
    examples: ['notify test', 'notify test ntfy:https://ntfy.sh/my-topic', 'notify key'],
    exits: usual,
    completes: [['test', 'send', 'key'], null],
    options: lookOptions,
    load: async () => (await import('./commands/notify.ts')).notify,
  }),
  ...keepingCommands,
  serviceCommand,
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
    completes: [['sandbox', 'net'], null],
    options: doctorOptions,
    action: (given, values, words) => given.doctor(values, words[0] ?? null, words[1] ?? null),
  }),
  updateCommand,
  roleCommand({
    ...{ name: 'version', group: 'Care', ...noWords, exits: [done, wrong] },
    summary: 'the version of this program',
    details: [
      '-o quiet prints the number alone; -o json also the commit and the kind of device it was built for, what runs it, the versions of the protocol it speaks, and the fingerprint of the key whose releases it trusts.',
    ],
    examples: ['version', 'version -o json'],
    options: printOptions,
    action: (given, values) => given.version(values),
  }),
];

const reading: readonly Command[] = [
  ownCommand({
    ...{ name: 'docs', group: 'Help', usage: '[COMMAND|PAGE]', wordsMin: 0, wordsMax: 1, completes: ['page'] },
    summary: 'what there is to read: a page, or a command in full; no network needed',
    details: [
      'Without a word it lists the pages. On a terminal a page is shown by PAGER, or by less or more; elsewhere it is plain text.',
    ],
    examples: ['docs', 'docs map', 'docs security'],
    exits: [done, wrong],
    options: {},
    load: async () => (await import('./commands/docs.ts')).docs,
  }),
  ownCommand({
    ...{ name: 'completion', group: 'Help', usage: 'bash|zsh|fish', wordsMin: 1, wordsMax: 1, completes: [shells] },
    summary: 'the script by which a shell completes commands, options, task ids, workers and files',
    details: [
      'Put it where the shell looks, as below, or have it read when the shell starts: eval "$(octaskly completion bash)" in ~/.bashrc, or the same with zsh in ~/.zshrc, behind compinit.',
    ],
    examples: [
      'completion bash > ~/.local/share/bash-completion/completions/octaskly',
      'completion zsh > ~/.zfunc/_octaskly',
      'completion fish > ~/.config/fish/completions/octaskly.fish',
    ],
    exits: [done, wrong],
    options: {},
    load: async () => (await import('./commands/completion.ts')).completion,
  }),
];

/** In the order of the overview. `help` is answered before any of these. */
export const commands: readonly Command[] = [
  ...roles,
  ...work,
  ...lookingCommands,
  ...changing,
  ...trustCommands,
  ...care,
  ...reading,
];
