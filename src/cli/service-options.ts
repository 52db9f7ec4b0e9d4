/**
 * A part of the table of `options.ts`: the flags of `service` itself, which make sense in one call only. What it keeps for a
 * role are that role's.
 */

import { initNames } from '../core/service/definition.ts';
import { day } from './keeping-options.ts';
import { boolean, choice, duration, int, type OptionTable, oneCall, string } from './option.ts';

/** `service`: which one is meant, and what keeps it running. */
export const serviceOptions = oneCall({
  user: boolean('user', { help: 'The service of this account (default, unless you are root)' }),
  system: boolean('system', { help: 'The service of this machine, from boot on (default as root)' }),
  name: string('name', {
    defaultText: 'none; for the rest of the command the only one there is',
    help: 'Tells several of one role apart; of a worker it is the name too',
  }),
  init: choice('init', initNames, { defaultText: 'what runs here', help: 'What keeps the service running' }),
}) satisfies OptionTable;

export const serviceInstallOptions = oneCall({
  runAs: string('run-as', {
    placeholder: 'NAME',
    defaultText: 'octaskly or octaskly-worker, made when missing',
    help: 'Account of a system service',
  }),
  now: boolean('now', { default: true, help: 'Start it now, and again when it runs already' }),
  linger: boolean('linger', { help: 'Let the services of this account run while it is logged out (systemd)' }),
  dryRun: boolean('dry-run', { help: 'Print the file and the commands, and change nothing' }),
}) satisfies OptionTable;

export const serviceUninstallOptions = oneCall({
  all: boolean('all', { help: 'Uninstall: every service that runs this program file, of whatever role and name' }),
}) satisfies OptionTable;

export const serviceLogOptions = oneCall({
  follow: boolean('follow', { short: 'f', help: 'Go on as it is written' }),
  since: duration('since', { minMs: 0, maxMs: 36_500 * day, help: 'Only what is younger than this: 10m, 2h, 1d' }),
  lines: int('lines', { short: 'n', default: 50, min: 0, max: 100_000, help: 'Last lines to begin with' }),
}) satisfies OptionTable;
