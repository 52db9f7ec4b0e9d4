/** The command `service`. What its words mean is in `service.ts`. */

import { serviceRoles } from '../core/service/definition.ts';
import { type Command, roleCommand } from './command.ts';
import { many } from './command-words.ts';
import { wrong } from './exits.ts';
import { allServiceOptions, serviceActions, serviceRequest, serviceTable } from './service.ts';

export const serviceCommand: Command = roleCommand({
  ...{ name: 'service', group: 'Care', usage: `${serviceActions.join('|')} [${serviceRoles.join('|')}]` },
  ...{ wordsMin: 1, wordsMax: many },
  summary: 'have a dispatcher or worker run from boot or login on, and see to it',
  details: [
    'install takes the options of the role, which are kept, those of the environment too; see them with service install ROLE --help. Installed again it is updated and started anew. A join token is used at once, and a secret goes to the data directory: neither stands in the file of the service.',
    'As root it is a service of the machine, with an account of its own; else one of your account. What keeps it running is systemd, OpenRC, launchd (macOS), the Task Scheduler (Windows) or Termux:Boot.',
    'uninstall stops it and removes what install made; data and account stay; with --all it does so for every service that runs this program file. status and logs without a role mean what is there.',
  ],
  examples: [
    'service install worker --join octa1AbC... --max-jobs 2',
    'service install dispatcher --require-auth true --dry-run',
    'service install worker --name night -- --name attic-pi',
    'service status',
    'service logs worker -f',
    'service uninstall worker',
    'service uninstall --all --dry-run',
  ],
  exits: [
    ['0', 'done; status: all that are meant run'],
    ['1', 'it failed'],
    wrong,
    ['3', 'status: one is there and does not run'],
    ['4', 'status: there is none'],
  ],
  completes: [serviceActions, serviceRoles],
  options: allServiceOptions,
  optionsFor: serviceTable,
  action: (given, values, words, sources) => given.service(serviceRequest(values, words, sources)),
});
