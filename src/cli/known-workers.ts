/** Finds a worker by what a person calls it: its name, its id, or the beginning of its id. */

import type { WorkerView } from '../api/schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import { nearestIs } from '../base/nearest.ts';
import type { Client } from '../client/client.ts';
import { usage } from './parse.ts';

/** Throws `not_found` with the nearest name, `conflict` for the beginning of several ids. */
export async function findWorker(client: Client, word: string): Promise<WorkerView> {
  if (word === '') throw usage('The name of a worker is empty.');
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
  const hint = names.length === 0 ? ' None is known.' : nearestIs(word, names);
  throw new OctasklyError('not_found', `There is no worker "${word}".${hint} 'octaskly workers' lists workers.`);
}
