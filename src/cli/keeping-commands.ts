/** Commands about what the dispatcher keeps: saving it, putting it back, taking it elsewhere, deleting it. */

import { exportOptions, pruneOptions } from './client-options.ts';
import { type Command, clientCommand, roleCommand } from './command.ts';
import { noWords } from './command-words.ts';
import { usual } from './exits.ts';
import { backupOptions, restoreOptions } from './options.ts';

/** In the order of the overview. */
export const keepingCommands: readonly Command[] = [
  roleCommand({
    ...{ name: 'backup', group: 'Care', usage: 'FILE', wordsMin: 1, wordsMax: 1, exits: usual },
    summary: "save this machine's dispatcher in one file, also while it runs",
    details: [
      'The file (tar, mode 600) holds the database as it is at one instant, the files and outputs of its tasks, the keys, the cluster secret, the certificate and the configuration: whoever has it can be the dispatcher. It appears when it is whole.',
      'restore puts it back. With --database-only it is the database alone, for sqlite3.',
    ],
    examples: ['backup /nas/octaskly-monday.tar', 'backup --force /nas/octaskly.tar', 'backup --database-only copy.db'],
    completes: ['file'],
    options: backupOptions,
    action: (given, values, words) => given.backup(values, words[0] ?? ''),
  }),
  roleCommand({
    ...{ name: 'restore', group: 'Care', usage: 'FILE', wordsMin: 1, wordsMax: 1, exits: usual },
    summary: 'put a backup back, where no dispatcher runs',
    details: [
      'Everything is checked before anything is touched. With --force a dispatcher that is there already is moved aside, into before-restore-TIME in the data directory. Interrupted, it leaves the old or the new, never a mixture.',
      'Workers that the backup knows come back without joining again, and go on with what it knew them to run. What was done since the backup is forgotten: tasks of then are run again, tokens and devices that were revoked since are valid again.',
    ],
    examples: ['restore /nas/octaskly-monday.tar', 'restore --data-dir /srv/octaskly /nas/octaskly.tar'],
    completes: ['file'],
    options: restoreOptions,
    action: (given, values, words) => given.restore(values, words[0] ?? ''),
  }),
  clientCommand({
    ...{ name: 'export', group: 'Care', ...noWords, exits: usual },
    summary: 'all tasks as CSV or JSONL, newest first',
    details: [
      'CSV is as in RFC 4180. A text that a spreadsheet would take for a formula, as it begins with = + - or @, gets an apostrophe in front; JSONL has all as it is.',
    ],
    examples: ['export --since 7d > week.csv', 'export --format jsonl --status failed'],
    options: exportOptions,
    load: async () => (await import('./commands/export.ts')).exportTasks,
  }),
  clientCommand({
    ...{ name: 'prune', group: 'Care', ...noWords, exits: usual },
    summary: 'delete ended tasks and stored files now, and say how much',
    role: 'admin',
    details: [
      'Tasks go with their attempts, output and files; a file that another task has too stays. Then the database gives its room back to the disk. The dispatcher does the same by itself with what is older than its --retention.',
      'The record (audit) loses what is past the --audit-retention of the dispatcher, here as by itself; no age given here makes that sooner.',
      '-o quiet prints the number of tasks alone.',
    ],
    examples: ['prune', 'prune --older-than 1d --status completed', 'prune --older-than 0 --blobs --dry-run'],
    options: pruneOptions,
    load: async () => (await import('./commands/prune.ts')).prune,
  }),
];
