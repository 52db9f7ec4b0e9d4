/** `stats`: counts of tasks, workers, slots and the queue. */

import type { Stats } from '../../api/schemas.ts';
import { formatDuration } from '../../base/duration.ts';
import { harmless } from '../../base/harmless.ts';
import type { ClientAction } from '../command.ts';
import { writeFacts, writeJson } from '../print.ts';
import type { lookOptions } from '../shared-options.ts';

/** Nothing where nothing was ever to be told. */
function notificationFacts(found: Stats['notifications']): (readonly [string, string])[] {
  if (found === undefined) return [];
  const { last_error: lastError, ...numbers } = found;
  const counted = Object.entries(numbers).filter(([, count]) => count > 0);
  if (counted.length === 0) return [];
  const text = counted.map(([name, count]) => `${count} ${name.replaceAll('_', ' ')}`).join(', ');
  return [['notifications', lastError === null ? text : `${text}; last error: ${harmless(lastError)}`]];
}

export const stats: ClientAction<typeof lookOptions> = async ({ client, terminal }, values) => {
  const found = await client.stats();
  if (values.output === 'json') await writeJson(terminal, found);
  else if (values.output === 'quiet') await terminal.stdout.write(`${found.queue.size}\n`);
  else {
    const counts = (record: Readonly<Record<string, number>>): string =>
      Object.entries(record)
        .map(([name, count]) => `${count} ${name}`)
        .join(', ');
    await writeFacts(terminal, [
      ['dispatching', found.paused ? 'paused' : 'yes'],
      ['tasks', counts(found.tasks)],
      ['workers', counts(found.workers)],
      ['slots', `${found.slots.used} of ${found.slots.total} used`],
      ['queue', `${found.queue.size} of ${found.queue.max}`],
      ['uptime', formatDuration(found.uptime_seconds * 1000)],
      ['version', found.version],
      ['stale reports', found.stale_reports],
      ['links ended', counts(found.links_ended)],
      ...notificationFacts(found.notifications),
    ]);
  }
  return 0;
};
