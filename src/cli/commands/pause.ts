/** `pause` and `resume`: whether the dispatcher starts tasks. */

import type { ClientAction } from '../command.ts';
import type { reachOptions } from '../shared-options.ts';

export const pause: ClientAction<typeof reachOptions> = async ({ client }) => {
  await client.pause();
  return 0;
};

export const resume: ClientAction<typeof reachOptions> = async ({ client }) => {
  await client.resume();
  return 0;
};
