/** The commands of the group "Looking": what there is, what happens, and why. What each does is in `commands/`. */

import { logsOptions, outputsOptions, psOptions, uiOptions, watchOptions } from './client-options.ts';
import { type Command, clientCommand, roleCommand } from './command.ts';
import { many, noWords, oneTaskWord, selectors, selectorWords } from './command-words.ts';
import { done, usual, wrong } from './exits.ts';
import { peersOptions } from './options.ts';
import { lookOptions } from './shared-options.ts';

/** In the order of the overview. */
export const lookingCommands: readonly Command[] = [
  clientCommand({
    ...{ name: 'status', group: 'Looking', ...noWords },
    summary: 'what the dispatcher does, and what to type next',
    details: [
      "'octaskly' alone says the same, or how to begin where no dispatcher answers. -o quiet prints its address.",
    ],
    examples: ['status', 'status -o json'],
    exits: [done, ['1', 'no dispatcher answers'], wrong],
    options: lookOptions,
    load: async () => (await import('./commands/status.ts')).status,
  }),
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
    ...{ name: 'logs', group: 'Looking', ...oneTaskWord, usage: 'ID | --node WORKER', wordsMin: 0, exits: usual },
    summary: "a task's output, standard output and error kept apart; or a worker's own log",
    details: [
      'With --node the worker is asked for the last lines of its own log, as it writes them: those in its memory, or in its --log-file where that has more; -n takes up to 1000.',
    ],
    examples: ['logs -f last', 'logs --node attic-pi -n 50'],
    options: logsOptions,
    load: async () => (await import('./commands/logs.ts')).logs,
  }),
  clientCommand({
    ...{ name: 'outputs', group: 'Looking', usage: 'ID|batch:ID [PATH...]', wordsMin: 1, wordsMax: many },
    summary: 'files a task left (--out): list them, or bring them here',
    details: [
      'Without --dir and paths it lists them. A path is one of these files, or a directory and all below it; files keep their paths below --dir, and replace files that are there.',
      'With batch:ID those of all its tasks, each in a folder of its own: the name of the task, or its number in the batch where it has none of its own that can be a folder.',
    ],
    examples: [
      'outputs last',
      'outputs last --dir results',
      'outputs 01hq3v5k9m2x report.txt --stdout',
      'outputs batch:01hq3v5k9m2x --dir results',
    ],
    exits: [
      done,
      ['1', 'it failed, a file is not there or could not be brought, or a task of the batch has not ended'],
      wrong,
    ],
    completes: ['task', 'output'],
    options: outputsOptions,
    load: async () => (await import('./commands/outputs.ts')).outputs,
  }),
  clientCommand({
    ...{ name: 'wait', group: 'Looking', ...selectorWords },
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
  clientCommand({
    ...{ name: 'watch', group: 'Looking', ...noWords },
    summary: 'what happens, a line for each event, until Ctrl-C',
    details: [
      'Events of tasks, workers and the dispatcher as they come. It waits for a dispatcher that is away and goes on where it was; where events may be missing it says so on standard error. With -o json an object a line, with -o quiet the ids alone. A token of the role client sees its own tasks.',
    ],
    examples: ['watch', 'watch --kind worker', 'watch -o json | jq \'select(.status == "failed")\''],
    exits: [['130, 143', 'interrupted'], ['1', 'no dispatcher reachable'], wrong],
    options: watchOptions,
    load: async () => (await import('./commands/watch.ts')).watch,
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
    details: ['-o quiet prints the number of tasks that wait.'],
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
      'Overview, workers, tasks, what happens, and devices that ask to join, as they change. Opens a task with its live output; sorts, filters, marks, cancels, retries and explains tasks; drains workers; lets devices in. Press ? in it for the keys. docs/TERMINAL-DASHBOARD.md says more.',
      'It draws in as many colours as COLORTERM and TERM promise, in none where NO_COLOR is set, and in ASCII where the locale is not UTF-8. A dispatcher shows it in its own terminal when started with --ui.',
    ],
    examples: ['ui', 'ui --api http://192.168.1.10:3000'],
    exits: [done, ['1', 'no dispatcher reachable'], ['2', 'the command line is not valid, or there is no terminal']],
    options: uiOptions,
    load: async () => (await import('./commands/ui.ts')).ui,
  }),
];
