/** The list of tasks, newest first, with filters that stand in the address; pages are read as one scrolls. */

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Stats, TaskView } from '../../api/schemas.ts';
import { useMedia, useNow } from '../hooks.ts';
import { type Filters, queryOf, statuses, useTasks } from '../listing.ts';
import type { Live } from '../live.ts';
import { agoText, countText, durationText, plainText } from '../model/format.ts';
import { fragmentOf } from '../model/place.ts';
import type { Row } from '../model/rows.ts';
import { Rows } from '../parts/rows.tsx';
import { Failure, Status, TaskLink } from '../parts/small.tsx';
import { useValue } from '../value.ts';

/** A filter that is typed counts once its writer pauses. */
const typingMs = 300;
export function TasksView({ live, query }: { live: Live; query: Filters }) {
  const { rows, error, complete, more } = useTasks(live, query);
  const narrow = useMedia('(max-width: 700px)');
  const now = useNow(10_000);
  const cluster = useValue(live.cluster);
  const workers = cluster?.workers ?? [];
  const names = useValue(live.names);
  const asked = queryOf(query).status;
  // An event may have taken a task out of what is asked for.
  const shown = asked === undefined ? rows : rows.filter(({ status }) => asked.includes(status));
  const total = complete ? shown.length : totalOf(query, cluster?.stats.tasks);
  return (
    <div class="full">
      <div class="bar">
        <h1>Tasks</h1>
        <p class="note" role="status">
          {complete
            ? `${countText(shown.length)} in all`
            : `${countText(shown.length)} ${total === null ? 'read so far' : `of ${countText(total)} read`}`}
        </p>
      </div>
      <FilterBar query={query} workers={workers.map(({ name }) => name)} />
      <Failure text={unknownStates(query)} />
      <Failure text={error} />
      {shown.length === 0 && complete ? (
        <p class="empty card">
          No task fits. <a href={fragmentOf('submit')}>Submit one</a>
        </p>
      ) : (
        <Rows
          label="Tasks, newest first"
          heads={['Task', 'State', 'What', 'Worker', 'Priority', 'Took', 'Submitted']}
          count={shown.length}
          rowHeight={narrow ? 60 : 34}
          onEnd={more}
          row={(index) => {
            const row = shown[index];
            return row === undefined ? { key: `${index}`, cells: null } : cellsOf(row, names, now);
          }}
        />
      )}
    </div>
  );
}

function cellsOf(row: Row, names: ReadonlyMap<string, string>, now: number) {
  const worker = row.workerId === null ? '' : (names.get(row.workerId) ?? row.workerId);
  return { key: row.id, cells: <Cells row={row} worker={worker} ago={agoText(row.createdAt, now)} /> };
}

/** Drawn anew only when what it shows has changed: lists are long, and something happens all the time. */
function Cells({ row, worker, ago }: { row: Row; worker: string; ago: string }) {
  const { id, status, label, priority, exit, durationMs } = row;
  return useMemo(
    () => (
      <>
        <span role="cell" class="c-id">
          <TaskLink id={id} />
        </span>
        <span role="cell" class="c-state">
          <Status status={status} />
          {status === 'failed' && <span class="note"> {exit}</span>}
        </span>
        <span role="cell" class="c-what" title={plainText(label)}>
          {plainText(label)}
        </span>
        <span role="cell" class="c-worker">
          {worker}
        </span>
        <span role="cell" class="c-priority">
          {priority}
        </span>
        <span role="cell" class="c-took">
          {durationText(durationMs)}
        </span>
        <span role="cell" class="c-when">
          {ago}
        </span>
      </>
    ),
    [id, status, label, priority, exit, durationMs, worker, ago],
  );
}

/** How many tasks fit, where the counts of states tell: null where there are other filters, or no counts to see. */
function totalOf(query: Filters, counts: Stats['tasks'] | undefined): number | null {
  const { status, ...others } = queryOf(query);
  if (counts === undefined || Object.values(others).some((value) => value !== undefined)) return null;
  return (status ?? statuses).reduce((sum, each) => sum + (counts[each] ?? 0), 0);
}

/** What is said of states in the address that do not exist; null where there are none. */
function unknownStates({ status }: Filters): string | null {
  const unknown = (status ?? '').split(',').filter((each) => each !== '' && !statuses.some((known) => known === each));
  if (unknown.length === 0) return null;
  return `There is no state “${plainText(unknown.join(', ').slice(0, 60))}”: it is left out. The states are ${statuses.join(', ')}.`;
}

function go(query: Filters): void {
  location.hash = fragmentOf('tasks', null, query);
}

function FilterBar({ query, workers }: { query: Filters; workers: readonly string[] }) {
  const chosen: string[] = [...(queryOf(query).status ?? [])];
  const toggle = (status: TaskView['status']): void => {
    const next = chosen.includes(status) ? chosen.filter((each) => each !== status) : [...chosen, status];
    go({ ...query, status: next.join(',') });
  };
  const set = (name: string) => (event: { currentTarget: HTMLSelectElement }) =>
    go({ ...query, [name]: event.currentTarget.value });
  // Each pause while typing would be a step to go back.
  const typed = (name: string) => (value: string) =>
    location.replace(fragmentOf('tasks', null, { ...query, [name]: value }));
  return (
    <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      <fieldset class="chips">
        <legend class="hidden">States</legend>
        {statuses.map((status) => (
          <label key={status} class={`chip is-${status}`}>
            <input type="checkbox" checked={chosen.includes(status)} onChange={() => toggle(status)} />
            {status.replace('_', ' ')}
          </label>
        ))}
      </fieldset>
      {workers.length > 0 && (
        <select aria-label="Worker" value={query.worker ?? ''} onChange={set('worker')}>
          <option value="">any worker</option>
          {workers.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
      <Typed label="Words of name or command" placeholder="words …" value={query.text ?? ''} onTyped={typed('text')} />
      <Typed label="Tag, as name=value" placeholder="tag: name=value" value={query.tag ?? ''} onTyped={typed('tag')} />
      <Typed label="Beginning of the id" placeholder="id …" value={query.id ?? ''} onTyped={typed('id')} />
      {Object.values(query).some((value) => value !== '') && (
        <button type="button" class="small" onClick={() => go({})}>
          Clear{query.batch !== undefined && ` (batch ${query.batch})`}
        </button>
      )}
    </form>
  );
}

interface TypedProps {
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly onTyped: (value: string) => void;
}

/** A text that counts once its writer pauses. */
function Typed({ label, placeholder, value, onTyped }: TypedProps) {
  const [text, setText] = useState(value);
  const told = useRef(value);
  // The address may change by other ways.
  useEffect(() => {
    if (value !== told.current) setText(value);
    told.current = value;
  }, [value]);
  const latest = useRef(onTyped);
  latest.current = onTyped;
  useEffect(() => {
    if (text.trim() === told.current) return;
    const timer = setTimeout(() => {
      told.current = text.trim();
      latest.current(told.current);
    }, typingMs);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <input
      aria-label={label}
      placeholder={placeholder}
      value={text}
      onInput={(event) => setText(event.currentTarget.value)}
    />
  );
}
