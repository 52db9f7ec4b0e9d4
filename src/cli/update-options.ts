/**
 * A part of the table of `options.ts`: the flags of `update`, which make sense in one call only, with those of how to reach a
 * dispatcher and how to print.
 */

import { boolean, duration, type OptionTable, oneCall, string, strings, type Values } from './option.ts';
import { printOptions, reachOptions } from './shared-options.ts';

const updateOwnOptions = oneCall({
  check: boolean('check', { help: 'Only say whether there is another version; exit status 10 when there is' }),
  from: string('from', {
    placeholder: 'URL|DIR',
    defaultText: 'the dispatcher',
    help: 'Address or directory of a release',
  }),
  version: string('version', { placeholder: 'X.Y.Z', help: 'Only this version' }),
  key: string('key', {
    placeholder: 'FILE|KEY',
    defaultText: 'the one built in',
    help: 'Public key of the release: a PEM file, or base64',
  }),
  rollback: boolean('rollback', { help: 'Go back to the version before; once more: forward again' }),
  fleet: boolean('fleet', { help: "Bring all workers to the dispatcher's version, one after another" }),
  worker: strings('worker', { placeholder: 'NAME', completes: 'worker', help: 'With --fleet: this one, repeatable' }),
  waitMs: duration('wait', {
    default: 600_000,
    defaultText: '10m',
    minMs: 0,
    maxMs: 86_400_000,
    help: 'With --fleet: how long running tasks of a worker may go on',
  }),
  allowDowngrade: boolean('allow-downgrade', { help: 'Also go to an earlier version' }),
  restart: boolean('restart', { default: true, help: 'Restart services of this machine that run the program' }),
  dryRun: boolean('dry-run', { help: 'Say what would be done, and change nothing' }),
}) satisfies OptionTable;

export const updateOptions = { ...updateOwnOptions, ...reachOptions, ...printOptions };
export type UpdateValues = Values<typeof updateOptions>;
