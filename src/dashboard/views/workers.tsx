/** Every worker on record: what it has, how it fares, and the orders one can give. */

import type { WorkerView } from '../../api/schemas.ts';
import { workerState } from '../../client/worker-state.ts';
import { useAction, useNow } from '../hooks.ts';
import type { Live } from '../live.ts';
import { agoText, byName, bytesText } from '../model/format.ts';
import { fragmentOf } from '../model/place.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Failure, Status } from '../parts/small.tsx';
import { useValue } from '../value.ts';
import { WorkerMeters } from './worker-loads.tsx';

export function WorkersView({ live }: { live: Live }) {
  const cluster = useValue(live.cluster);
  const now = useNow(5000);
  // By name alone: a card stays where it is when its worker goes silent.
  const workers = (cluster?.workers ?? []).toSorted(byName);
  return (
    <>
      <h1>Workers</h1>
      {cluster !== null && workers.length === 0 && (
        <p class="empty card">
          None yet. Start one with <code>octaskly worker</code> on any device, or invite it under{' '}
          <a href="#/devices">Approvals</a>.
        </p>
      )}
      <ul class="cards wide">
        {workers.map((worker) => (
          <li key={worker.id} class="card worker">
            <Worker live={live} worker={worker} now={now} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Worker({ live, worker, now }: { live: Live; worker: WorkerView; now: number }) {
  const { name, platform, arch, cpu_cores, memory_mb, gpu, labels, battery_percent, charging, temperature_c } = worker;
  const state = workerState(worker);
  const facts = [
    `${platform}/${arch}`,
    `${cpu_cores} ${cpu_cores === 1 ? 'core' : 'cores'}`,
    bytesText(memory_mb * 1024 * 1024),
    ...(gpu > 0 ? [`${gpu} GPU`] : []),
    ...(battery_percent === null ? [] : [`battery ${battery_percent} %${charging === true ? ', charging' : ''}`]),
    ...(temperature_c === null ? [] : [`${Math.round(temperature_c)} °C`]),
    `isolation ${worker.sandbox.least}`,
    `version ${worker.version}`,
  ];
  return (
    <>
      <h2>
        {name} <Status status={state} />
      </h2>
      {worker.status !== 'offline' && <WorkerMeters worker={worker} />}
      <p class="facts">{facts.join(' · ')}</p>
      {Object.keys(labels).length > 0 && (
        <p class="labels">
          {Object.entries(labels).map(([key, value]) => (
            <span class="label" key={key}>
              {key}={value}
            </span>
          ))}
        </p>
      )}
      <p class="note">
        {state === 'resting' && `takes no work for now: ${worker.resting}; `}
        {state === 'asleep' && 'sleeps, and is woken when work needs it; '}
        {state === 'waking' && `is being woken, called ${worker.wake?.tries} times; `}
        {worker.address ?? 'not connected'}, seen {agoText(worker.last_seen_at, now)}
        {worker.kept_outputs > 0 && `, keeps ${worker.kept_outputs} files`}
      </p>
      <Orders live={live} worker={worker} />
    </>
  );
}

function Orders({ live, worker: { id, name, status } }: { live: Live; worker: WorkerView }) {
  const { busy, error, run } = useAction();
  const order = (action: () => Promise<void>) => (): void =>
    run(async () => {
      await action();
      await live.refresh();
    });
  const { client } = live;
  return (
    <>
      <div class="bar">
        <a href={fragmentOf('tasks', null, { worker: name })}>
          Its tasks<span class="hidden"> ({name})</span>
        </a>
        {status === 'draining' ? (
          <button type="button" class="small" aria-disabled={busy} onClick={order(() => client.undrain(id))}>
            Undrain<span class="hidden"> {name}</span>
          </button>
        ) : (
          <button type="button" class="small" aria-disabled={busy} onClick={order(() => client.drain(id))}>
            Drain<span class="hidden"> {name}</span>
          </button>
        )}
        <Confirm
          label="Kick …"
          of={name}
          yes={`Yes, shut ${name} out`}
          busy={busy}
          onYes={order(() => client.trust.kick(id))}
        />
      </div>
      <Failure text={error} />
    </>
  );
}
