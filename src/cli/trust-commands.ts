/** The commands of the group "Trust": who may join, who may ask, what was done. What each does is in `commands/`. */

import { type Command, clientCommand, roleCommand } from './command.ts';
import { usual, wrong } from './exits.ts';
import { joinOptions } from './options.ts';
import { lookOptions, reachOptions } from './shared-options.ts';
import { auditOptions, inviteOptions, secretCommandOptions, tokenOptions } from './trust-options.ts';

const theCode =
  'A device that started without an invite shows six digits and waits. Compare them: they are the same here and there unless somebody sits in between. Without a code the devices that wait are listed. Where several show the same digits, one is named by its id.';

const nodes: readonly Command[] = [
  clientCommand({
    ...{ name: 'invite', group: 'Trust', usage: '[list | revoke ID]', wordsMin: 0, wordsMax: 2, exits: usual },
    summary: 'a join token for a new device, with the line to type there',
    role: 'dispatcher',
    details: [
      'Alone it makes an invite and shows its join token this once: as the line for a device that has Octaskly, as the line that installs it first, and as a QR code. -o quiet prints the token alone.',
      'While an invite can be used, the dispatcher hands out the program to devices of its network on the port of the API, and nothing else; for other kinds of device than its own it needs --dist. See octaskly docs install.',
      'list shows all invites, revoke ends one; devices that joined with it stay.',
    ],
    examples: ['invite', 'invite --uses 5 --expires 1d', 'invite --name pi-3', 'invite list'],
    completes: [['list', 'revoke'], 'invite'],
    options: inviteOptions,
    load: async () => (await import('./commands/invite.ts')).invite,
  }),
  roleCommand({
    ...{ name: 'join', group: 'Trust', usage: 'TOKEN', wordsMin: 1, wordsMax: 1 },
    summary: 'join a dispatcher by a join token; a worker started here later needs none',
    details: ["'octaskly worker --join TOKEN' does the same and goes on as the worker."],
    examples: ['join octa2AbC...', 'join octa2AbC... --name attic-pi'],
    exits: [['0', 'joined'], ['1', 'it failed: the token is used, expired or foreign, or nobody answers'], wrong],
    options: joinOptions,
    action: (given, values, words) => given.join(values, words[0] ?? ''),
  }),
  clientCommand({
    ...{ name: 'approve', group: 'Trust', usage: '[CODE]', wordsMin: 0, wordsMax: 2, exits: usual },
    summary: 'let a device join that waits and shows this code',
    role: 'dispatcher',
    details: [theCode],
    completes: ['approval', null],
    examples: ['approve', 'approve 123456'],
    options: lookOptions,
    load: async () => (await import('./commands/approve.ts')).approve,
  }),
  clientCommand({
    ...{ name: 'reject', group: 'Trust', usage: '[CODE]', wordsMin: 0, wordsMax: 2, exits: usual },
    summary: 'turn a device away that waits to join',
    role: 'dispatcher',
    details: [theCode],
    completes: ['approval', null],
    examples: ['reject 123456'],
    options: lookOptions,
    load: async () => (await import('./commands/approve.ts')).reject,
  }),
  clientCommand({
    ...{ name: 'kick', group: 'Trust', usage: 'WORKER', wordsMin: 1, wordsMax: 1, completes: ['worker'], exits: usual },
    summary: 'shut a worker out at once; its tasks start over elsewhere',
    role: 'dispatcher',
    details: ['Its key is revoked: it comes back only by a new invite or approval. To empty a worker first, drain it.'],
    examples: ['kick attic-pi'],
    options: reachOptions,
    load: async () => (await import('./commands/kick.ts')).kick,
  }),
];

const people: readonly Command[] = [
  clientCommand({
    ...{ name: 'token', group: 'Trust', usage: 'create | list | revoke ID|NAME', wordsMin: 1, wordsMax: 2 },
    summary: 'access tokens: make one, list them, end one',
    role: 'admin',
    details: [
      'A new token is printed once, alone on standard output. Its role says what it lets its bearer do: client hands in tasks, sees and cancels its own; dispatcher does so with all tasks and also with workers and invites; admin everything; worker only runs tasks.',
      'Whoever can read the secret in the data directory needs no token on this machine.',
    ],
    examples: [
      'token create --role client --name ci --expires 90d',
      'token create --name ci > ci.token',
      'token list',
      'token revoke ci',
    ],
    exits: usual,
    completes: [['create', 'list', 'revoke'], 'token'],
    options: tokenOptions,
    load: async () => (await import('./commands/token.ts')).token,
  }),
  clientCommand({
    ...{ name: 'whoami', group: 'Trust', usage: '', wordsMin: 0, wordsMax: 0, exits: usual },
    summary: 'name and role the dispatcher takes you for',
    details: ['-o quiet prints the name alone.'],
    examples: ['whoami', 'whoami --token-file ann.token'],
    options: lookOptions,
    load: async () => (await import('./commands/whoami.ts')).whoami,
  }),
  clientCommand({
    ...{ name: 'secret', group: 'Trust', usage: '[rotate]', wordsMin: 0, wordsMax: 1, exits: usual },
    summary: 'what the cluster secret is; rotate: replace it',
    role: 'admin',
    details: ['Nothing stops: the old secret, and tokens made with it, stay valid for --grace.'],
    examples: ['secret rotate', 'secret rotate --grace 7d'],
    completes: [['rotate'], null],
    options: secretCommandOptions,
    load: async () => (await import('./commands/secret.ts')).secret,
  }),
  clientCommand({
    ...{ name: 'audit', group: 'Trust', usage: '[verify]', wordsMin: 0, wordsMax: 1 },
    summary: 'the record of who did what, oldest first; verify: check it',
    role: 'admin',
    details: [
      'verify follows the chain of hashes over all entries and names the first that was changed, removed or reordered. The dispatcher does it; with --db-path, or when none runs here, this program reads the database itself.',
      'Entries older than the --audit-retention of the dispatcher are deleted, which is on record (record_cut); verify says from which entry on the record is left.',
    ],
    examples: [
      'audit --since 1h',
      'audit --since 1h -o jsonl',
      'audit --type worker_kicked --limit 20',
      'audit verify',
    ],
    exits: [
      ['0', 'done; verify: the record is sound'],
      ['1', 'it failed; verify: the record was tampered with'],
      wrong,
    ],
    completes: [['verify']],
    options: auditOptions,
    load: async () => (await import('./commands/audit.ts')).audit,
  }),
];

/** In the order of the overview. */
export const trustCommands: readonly Command[] = [...nodes, ...people];
