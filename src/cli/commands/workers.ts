/** `workers`: the workers, what they have and what of it is in use. */

import { formatDuration } from '../../base/duration.ts';
import { workerState } from '../../client/worker-state.ts';
import type { ClientAction } from '../command.ts';
import { writeIds, writeJson, writeTable } from '../print.ts';
import type { lookOptions } from '../shared-options.ts';

export const workers: ClientAction<typeof lookOptions> = async ({ client, terminal }, values) => {
  const list = await client.workers();
  if (values.output === 'json') await writeJson(terminal, list);
  else if (values.output === 'quiet') {
    await writeIds(
      terminal,
      list.workers.map(({ id }) => id),
    );
  } else {
    const rows = list.workers.map((worker) => [
      worker.name,
      workerState(worker),
      `${worker.running}/${worker.slots}`,
      `${worker.reserved.cpu_cores}/${worker.cpu_cores}`,
      `${worker.reserved.memory_mb}/${worker.memory_mb}`,
      `${worker.reserved.gpu}/${worker.gpu}`,
      worker.load1 === null ? '' : worker.load1.toFixed(2),
      formatDuration(terminal.now() - Date.parse(worker.last_seen_at)),
      `${worker.platform}/${worker.arch}`,
      worker.version,
      worker.id,
      Object.entries(worker.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ]);
    await writeTable(
      terminal,
      [
        { title: 'NAME', flexible: true },
        { title: 'STATUS' },
        { title: 'SLOTS', align: 'right' },
        { title: 'CPUS', align: 'right' },
        { title: 'MEMORY MB', align: 'right', spare: 3 },
        { title: 'GPUS', align: 'right', spare: 5 },
        { title: 'LOAD', align: 'right', spare: 2 },
        { title: 'SEEN', align: 'right', spare: 1 },
        { title: 'PLATFORM', spare: 4 },
        { title: 'VERSION', spare: 4 },
        { title: 'ID', flexible: true, spare: 7 },
        { title: 'LABELS', flexible: true, spare: 6 },
      ],
      rows,
    );
  }
  return 0;
};
