/** `drain WORKER`, `undrain WORKER`. */

import type { ClientAction } from '../command.ts';
import { findWorker } from '../known-workers.ts';
import type { reachOptions } from '../shared-options.ts';

export const drain: ClientAction<typeof reachOptions> = async ({ client }, _values, words) => {
  await client.drain((await findWorker(client, words[0] ?? '')).id);
  return 0;
};

export const undrain: ClientAction<typeof reachOptions> = async ({ client }, _values, words) => {
  await client.undrain((await findWorker(client, words[0] ?? '')).id);
  return 0;
};
