/** `drain WORKER`, `undrain WORKER`: a worker is named by its name, its id, or the beginning of its id. */

import type { WorkerView } from '../../api/schemas.ts';
import { OctasklyError } from '../../base/errors.ts';
import { nearest } from '../../base/nearest.ts';
import type { Client } from '../../client/client.ts';
import type { ClientAction } from '../command.ts';
import type { reachOptions } from '../options.ts';

async function findWorker(client: Client, word: string): Promise<WorkerView> {
  const { workers } = await client.workers();
  const exact = workers.find((worker) => worker.name === word || worker.id === word);
  if (exact !== undefined) return exact;
  const [only, ...others] = workers.filter((worker) => worker.id.startsWith(word));
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined) {
    const names = [only, ...others].map((worker) => `${worker.id} (${worker.name})`).join(', ');
    throw new OctasklyError('conflict', `"${word}" is the beginning of several ids: ${names}.`);
  }
  const names = workers.map((worker) => worker.name);
  const hint = names.length === 0 ? 'No worker is known.' : `The nearest is "${nearest(word, names)}".`;
  throw new OctasklyError('not_found', `There is no worker "${word}". ${hint}`);
}

export const drain: ClientAction<typeof reachOptions> = async ({ client }, _values, words) => {
  await client.drain((await findWorker(client, words[0] ?? '')).id);
  return 0;
};

export const undrain: ClientAction<typeof reachOptions> = async ({ client }, _values, words) => {
  await client.undrain((await findWorker(client, words[0] ?? '')).id);
  return 0;
};
