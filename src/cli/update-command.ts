/** The command `update`. What it does is in `commands/update.ts`. */

import { type Command, clientCommand } from './command.ts';
import { noWords } from './command-words.ts';
import { wrong } from './exits.ts';
import { updateOptions } from './update-options.ts';

export const updateCommand: Command = clientCommand({
  ...{ name: 'update', group: 'Care', ...noWords, role: 'admin' },
  summary: 'bring this program, or all workers, to another version',
  details: [
    'The program comes from the dispatcher, or from a release (--from). It is checked, started once to hear its version, and put in the place of this one in one step; what runs goes on with the old one until it is started anew, which services of this machine are at once. The version before is kept beside it, for --rollback.',
    "What is believed: a dispatcher on this machine or behind HTTPS; anything else by the signature of the release's key, which is built into the program or given with --key. An earlier version is refused without --allow-downgrade.",
    '--fleet has the dispatcher bring its workers to its own version, one after another: drained, updated, restarted, given work again. The first that fails ends it. Update the dispatcher first.',
  ],
  examples: [
    'update --check',
    'update',
    'update --from https://HOST/octaskly/1.2.3',
    'update --rollback',
    'update --fleet --dry-run',
    'update --fleet --worker pi-2 --wait 1h',
  ],
  exits: [
    ['0', 'done, or there was nothing to do'],
    ['1', 'it failed, and what was there goes on'],
    wrong,
    ['10', '--check: there is another version'],
  ],
  options: updateOptions,
  direct: async (...given) => (await import('./commands/update.ts')).updateDirectly(...given),
  load: async () => (await import('./commands/update.ts')).update,
});
