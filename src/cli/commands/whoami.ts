/** `whoami`: who the dispatcher takes this caller for. */

import type { ClientAction } from '../command.ts';
import { writeFacts, writeJson } from '../print.ts';
import type { lookOptions } from '../shared-options.ts';

export const whoami: ClientAction<typeof lookOptions> = async ({ client, terminal }, values) => {
  const identity = await client.trust.whoami();
  if (values.output === 'json') await writeJson(terminal, identity);
  else if (values.output === 'quiet') await terminal.stdout.write(`${identity.name}\n`);
  else {
    await writeFacts(terminal, [
      ['Name', identity.name],
      ['Role', identity.role],
    ]);
  }
  return 0;
};
