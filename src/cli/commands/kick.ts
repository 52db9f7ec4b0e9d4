/** `kick WORKER`: shuts a worker out. Its tasks start over elsewhere. */

import type { ClientAction } from '../command.ts';
import { note } from '../context.ts';
import { findWorker } from '../known-workers.ts';
import type { reachOptions } from '../shared-options.ts';

export const kick: ClientAction<typeof reachOptions> = async ({ client, terminal }, _values, words) => {
  const { id, name } = await findWorker(client, words[0] ?? '');
  await client.trust.kick(id);
  await note(terminal, `Worker ${name} (${id}) is shut out. Only a new invite or approval lets it in again.`);
  return 0;
};
