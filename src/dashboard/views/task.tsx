/** One task: how it stands and why, what it writes as it writes it, its attempts, its files, and the orders one can give. */

import type { OutputFiles } from '../../api/file-schemas.ts';
import type { Explanation, TaskWithAttempts } from '../../api/schemas.ts';
import { isFinal } from '../../core/task.ts';
import { useAction, useNow, useReading } from '../hooks.ts';
import type { Live } from '../live.ts';
import { agoText, bytesText, durationText, plainLines, plainText } from '../model/format.ts';
import { fragmentOf } from '../model/place.ts';
import { Output } from '../parts/output.tsx';
import { Failure, Status, TaskLink } from '../parts/small.tsx';
import { useValue } from '../value.ts';

interface Whole {
  readonly task: TaskWithAttempts;
  readonly explanation: Explanation;
  readonly files: OutputFiles;
}

export function TaskView({ live, id }: { live: Live; id: string }) {
  const { value, error, again } = useReading(live, {
    key: `task ${id}`,
    read: () => readWhole(live, id),
    concerns: (bundle) => bundle === null || bundle.some((event) => event.kind === 'task' && event.id === id),
  });
  return (
    <>
      <p class="crumb">
        <a href={fragmentOf('tasks')}>Tasks</a> <span aria-hidden="true">›</span> {id}
      </p>
      <Failure text={error} />
      {value === null ? (
        error === null && <p class="empty">Reading …</p>
      ) : (
        <Details live={live} whole={value} again={again} />
      )}
    </>
  );
}

function Details({ live, whole, again }: { live: Live; whole: Whole; again: () => void }) {
  const { task, explanation, files } = whole;
  return (
    <>
      <div class="bar">
        <h1 class="title">{plainText(task.name ?? `Task ${task.id}`)}</h1>
        <Status status={task.status} />
        <Orders live={live} task={task} again={again} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <pre class="command" tabIndex={0}>
        {plainLines(task.command ?? (task.argv ?? []).join(' '))}
      </pre>
      <Explained explanation={explanation} />
      <div class="columns">
        <Facts live={live} task={task} />
        <Output live={live} task={task} />
      </div>
      <Attempts live={live} task={task} />
      <Files id={task.id} files={files} />
    </>
  );
}

function Orders({ live, task, again }: { live: Live; task: TaskWithAttempts; again: () => void }) {
  const { busy, error, run } = useAction();
  const { client } = live;
  const cancel = (): void => run(() => client.cancel(task.id).then(again));
  const retry = (): void =>
    run(async () => {
      const { id } = await client.retry(task.id);
      location.hash = fragmentOf('tasks', id);
    });
  return (
    <>
      {isFinal(task.status) ? (
        <button type="button" aria-disabled={busy} onClick={retry}>
          Submit again
        </button>
      ) : (
        <button type="button" class="danger" aria-disabled={busy} onClick={cancel}>
          Cancel
        </button>
      )}
      <Failure text={error} />
    </>
  );
}

function Explained({ explanation: { summary, workers, advice } }: { explanation: Explanation }) {
  return (
    <section class="card explained" aria-label="Why it stands so">
      <p>{plainText(summary)}</p>
      {workers.length > 0 && (
        <details>
          <summary>Worker by worker</summary>
          <ul>
            {workers.map(({ id, name, fits, reasons }) => (
              <li key={id}>
                <b>{name}</b>: {fits ? 'fits' : reasons.join('; ')}
              </li>
            ))}
          </ul>
        </details>
      )}
      {advice.map((each) => (
        <p key={each} class="advice">
          {plainText(each)}
        </p>
      ))}
    </section>
  );
}

function Facts({ live, task }: { live: Live; task: TaskWithAttempts }) {
  const now = useNow(task.status === 'running' ? 1000 : 30_000);
  const names = useValue(live.names);
  const ran =
    task.status === 'running' && task.started_at !== null ? now - Date.parse(task.started_at) : task.duration_ms;
  const facts: [string, string | null][] = [
    ['Worker', task.worker_id === null ? null : (names.get(task.worker_id) ?? task.worker_id)],
    ['Exit', task.exit_code === null ? task.signal : `${task.exit_code}`],
    ['Reason', task.reason],
    ['Took', durationText(ran)],
    ['Processor time', durationText(task.cpu_ms)],
    ['Memory at most', task.memory_peak_bytes === null ? null : bytesText(task.memory_peak_bytes)],
    ['Submitted', agoText(task.created_at, now)],
    ['Started', task.started_at === null ? null : agoText(task.started_at, now)],
    ['Time limit', durationText(task.timeout * 1000)],
    ['Priority', `${task.priority}`],
    ['Retries', task.retry_count === 0 ? null : `${task.retry_count}`],
    ['Isolation', task.sandbox_level_used ?? task.sandbox_level],
    ['Owner', task.owner],
    [
      'Tags',
      Object.entries(task.tags)
        .map(([key, value]) => `${key}=${value}`)
        .join(', '),
    ],
    ['Needs', needsOf(task)],
  ];
  const links: [string, readonly string[]][] = [
    ['Waits for', task.depends_on],
    ['Repeats', task.retry_of === null ? [] : [task.retry_of]],
  ];
  return (
    <dl class="card facts-list">
      {facts.map(([name, value]) =>
        value === null || value === '' ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{plainText(value)}</dd>
          </div>
        ),
      )}
      {links.map(([name, ids]) =>
        ids.length === 0 ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {ids.map((id) => (
                <span key={id}>
                  <TaskLink id={id} />{' '}
                </span>
              ))}
            </dd>
          </div>
        ),
      )}
      {task.batch_id !== null && (
        <div>
          <dt>Batch</dt>
          <dd>
            <a class="id" href={fragmentOf('tasks', null, { batch: task.batch_id })}>
              {task.batch_id}
            </a>
          </dd>
        </div>
      )}
    </dl>
  );
}

function needsOf({ requires }: TaskWithAttempts): string {
  return [
    ...(requires.cpu_cores > 0 ? [`${requires.cpu_cores} cores`] : []),
    ...(requires.memory_mb > 0 ? [`${requires.memory_mb} MiB`] : []),
    ...(requires.gpu > 0 ? [`${requires.gpu} GPU`] : []),
    ...Object.entries(requires.labels).map(([key, value]) => `${key}=${value}`),
    ...[requires.platform ?? [], requires.arch ?? []].flat(),
  ].join(', ');
}

function Attempts({ live, task: { attempts } }: { live: Live; task: TaskWithAttempts }) {
  const names = useValue(live.names);
  if (attempts.length === 0) return null;
  return (
    <section class="card">
      <h2>Attempts</h2>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">No.</th>
              <th scope="col">Worker</th>
              <th scope="col">End</th>
              <th scope="col">Took</th>
            </tr>
          </thead>
          <tbody>
            {attempts.map(({ attempt, worker_id, outcome, duration_ms }) => (
              <tr key={attempt}>
                <td>{attempt}</td>
                <td>{names.get(worker_id) ?? worker_id}</td>
                <td>{plainText(outcome.detail)}</td>
                <td>{durationText(duration_ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Files({ id, files: { outputs, problems } }: { id: string; files: OutputFiles }) {
  if (outputs.length === 0 && problems.length === 0) return null;
  const address = (path: string): string =>
    `/api/v1/tasks/${id}/outputs/${path.split('/').map(encodeURIComponent).join('/')}`;
  return (
    <section class="card">
      <h2>Files it left</h2>
      <ul class="files">
        {outputs.map(({ path, bytes, at }) => (
          <li key={path}>
            <a href={address(path)} download>
              {plainText(path)}
            </a>{' '}
            <span class="note">
              {bytesText(bytes)}
              {at !== null && `, kept by ${at}`}
            </span>
          </li>
        ))}
        {problems.map((problem) => (
          <li key={problem} class="failure">
            {plainText(problem)}
          </li>
        ))}
      </ul>
    </section>
  );
}

async function readWhole(live: Live, id: string): Promise<Whole> {
  const { client } = live;
  const [task, explanation, files] = await Promise.all([client.task(id), client.explain(id), client.outputFiles(id)]);
  live.learn(task.worker_names);
  return { task, explanation, files };
}
