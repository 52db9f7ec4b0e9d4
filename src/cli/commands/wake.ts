/** `wake WORKER`. */

import type { ClientAction } from '../command.ts';
import { findWorker } from '../known-workers.ts';
import type { reachOptions } from '../shared-options.ts';

export const wake: ClientAction<typeof reachOptions> = async ({ client }, _values, words) => {
  await client.wake((await findWorker(client, words[0] ?? '')).id);
  return 0;
};
