/** The whole at a glance: figures, charts of the last minutes, the load of each worker, and what is to be done. */

import { useAction } from '../hooks.ts';
import type { Cluster, Live } from '../live.ts';
import { countText, durationText, rateText } from '../model/format.ts';
import { throughput } from '../model/history.ts';
import { fragmentOf } from '../model/place.ts';
import { Chart } from '../parts/chart.tsx';
import { Failure } from '../parts/small.tsx';
import { useValue } from '../value.ts';
import { WorkerLoads } from './worker-loads.tsx';

export function OverviewView({ live }: { live: Live }) {
  const cluster = useValue(live.cluster);
  if (cluster === null) return <Waiting />;
  const { samples } = cluster.history;
  const at = samples.map((sample) => sample.at);
  return (
    <>
      <h1 class="hidden">Overview</h1>
      <Figures live={live} cluster={cluster} />
      <div class="charts">
        <Chart
          title="Throughput"
          at={at}
          text={rateText}
          series={[
            { label: 'ended a second', color: 'good', values: throughput(samples) },
            { label: 'of them failed', color: 'bad', values: throughput(samples, 'failed') },
          ]}
        />
        <Chart
          title="Queue"
          whole
          at={at}
          text={countText}
          series={[
            { label: 'waiting', color: 'wait', values: samples.map(({ queued }) => queued) },
            { label: 'running', color: 'accent', values: samples.map(({ running }) => running) },
          ]}
        />
      </div>
      <WorkerLoads cluster={cluster} />
    </>
  );
}

function Waiting() {
  return (
    <>
      <h1 class="hidden">Overview</h1>
      <p class="empty">Reading …</p>
    </>
  );
}

function Figures({ live, cluster: { stats, history } }: { live: Live; cluster: Cluster }) {
  const { tasks, workers, slots, queue } = stats;
  const { busy, error, run } = useAction();
  const rate = throughput(history.samples).findLast((each) => each !== null) ?? 0;
  const failed = (tasks.failed ?? 0) + (tasks.timed_out ?? 0);
  const turn = (): void =>
    run(async () => {
      await (stats.paused ? live.client.resume() : live.client.pause());
      await live.refresh();
    });
  const figures = [
    ['Running', countText(tasks.running ?? 0), 'status=running'],
    ['Waiting', countText(queue.size), 'status=queued,blocked'],
    ['Completed', countText(tasks.completed ?? 0), 'status=completed'],
    ['Failed', countText(failed), 'status=failed,timed_out'],
  ] as const;
  return (
    <section aria-label="Figures">
      <ul class="figures">
        {figures.map(([label, value, query]) => (
          <li key={label}>
            <a href={`${fragmentOf('tasks')}?${query}`}>
              <b>{value}</b>
              <span>{label}</span>
            </a>
          </li>
        ))}
        <li>
          <b>{rateText(rate)}</b>
          <span>ended a second</span>
        </li>
        <li>
          <b>
            {slots.used}/{slots.total}
          </b>
          <span>slots in use</span>
        </li>
        <li>
          <a href={fragmentOf('workers')}>
            <b>{workers.online + workers.draining}</b>
            <span>
              {workers.online + workers.draining === 1 ? 'worker' : 'workers'}
              {workers.silent > 0 && `, ${workers.silent} silent`}
              {workers.offline > 0 && `, ${workers.offline} away`}
            </span>
          </a>
        </li>
      </ul>
      <div class="bar">
        <p class="note">
          Octaskly {stats.version}, running for {durationText(stats.uptime_seconds * 1000)}
          {stats.paused && (
            <strong class="paused"> · paused: nothing is handed out until “Resume dispatching” is pressed</strong>
          )}
        </p>
        <button type="button" class="small" aria-disabled={busy} onClick={turn}>
          {stats.paused ? 'Resume dispatching' : 'Pause dispatching'}
        </button>
      </div>
      <Failure text={error} />
    </section>
  );
}
