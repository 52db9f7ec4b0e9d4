/** What each worker bears, now and over the last minutes: slots, processors, memory. */

import type { WorkerView } from '../../api/schemas.ts';
import { workerState } from '../../client/worker-state.ts';
import type { Cluster } from '../live.ts';
import { byName, bytesText } from '../model/format.ts';
import { type WorkerSample, workerSample } from '../model/history.ts';
import { Meter, Sparkline, Status } from '../parts/small.tsx';

const mib = 1024 * 1024;

/** Cards are for a look; a cluster with more workers than these has a list of them. */
const cardsMax = 60;

/** Load is how many would run at once if they could (`uptime`). */
function loadText({ load1, cpu_cores }: WorkerView): string {
  return load1 === null ? 'not known' : `${load1.toFixed(1)} of ${cpu_cores} ${cpu_cores === 1 ? 'core' : 'cores'}`;
}

/** The three bars of a worker. */
export function WorkerMeters({ worker }: { worker: WorkerView }) {
  const { load, memory, slots } = workerSample(worker, 0);
  const free = worker.memory_free_mb;
  return (
    <>
      <Meter label="slots" share={slots} text={`${worker.running}/${worker.slots}`} />
      <Meter label="load" share={load} warnAt={1.5} text={loadText(worker)} />
      <Meter
        label="memory"
        share={memory}
        warnAt={0.9}
        text={free === null ? 'not known' : `${bytesText(free * mib)} free`}
      />
    </>
  );
}

export function WorkerLoads({ cluster: { workers, history } }: { cluster: Cluster }) {
  const present = workers.filter(({ status }) => status !== 'offline').toSorted(byName);
  if (present.length === 0) {
    return (
      <p class="empty card">
        No worker is here. Start one on any device with <code>octaskly worker</code>, or invite it under{' '}
        <a href="#/devices">Approvals</a>.
      </p>
    );
  }
  return (
    <section aria-labelledby="loads">
      <h2 id="loads">Load of each worker</h2>
      <ul class="cards">
        {present.slice(0, cardsMax).map((worker) => (
          <li key={worker.id} class="card worker">
            <h3>
              {worker.name} <Status status={workerState(worker)} />
            </h3>
            <WorkerMeters worker={worker} />
            <Loads name={worker.name} samples={history.workers.get(worker.id) ?? []} />
          </li>
        ))}
      </ul>
      {present.length > cardsMax && <a href="#/workers">All {present.length} workers</a>}
    </section>
  );
}

function Loads({ name, samples }: { name: string; samples: readonly WorkerSample[] }) {
  const values = samples.map(({ load }) => load);
  const most = Math.max(1, ...values.map((value) => value ?? 0));
  return <Sparkline values={values} max={most} label={`Load of ${name} over the last minutes`} />;
}
