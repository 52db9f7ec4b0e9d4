/** What ran where, and when: a row for each slot of a worker that was in use. The picture is `TimelineCanvas`; this decides its range. */

import { useEffect, useState } from 'preact/hooks';
import type { Timeline } from '../../api/timeline-schemas.ts';
import { wallMs } from '../clock.ts';
import { useNow, useReading } from '../hooks.ts';
import type { Live } from '../live.ts';
import { byName, durationText, plainText } from '../model/format.ts';
import { type Bar, lanesOf, type Range, standing, zoomed } from '../model/lanes.ts';
import { fragmentOf } from '../model/place.ts';
import { Failure, TaskLink } from '../parts/small.tsx';
import { TimelineCanvas } from '../parts/timeline-canvas.tsx';
import { useValue } from '../value.ts';

const minute = 60_000;
const ranges = [
  ['1 min', minute],
  ['5 min', 5 * minute],
  ['15 min', 15 * minute],
  ['1 h', 60 * minute],
  ['6 h', 360 * minute],
] as const;

const spansMax = 2000;
/** Rows of the table for who cannot see the picture. */
const listedMax = 50;

const standingWords = {
  running: 'running',
  good: 'ended well',
  bad: 'failed',
  gone: 'cancelled or lost',
} as const;

export function TimelineView({ live }: { live: Live }) {
  const [spanMs, setSpanMs] = useState<number>(5 * minute);
  /** A part that was chosen with the mouse; null = up to now. */
  const [chosen, setChosen] = useState<Range | null>(null);
  const [picked, setPicked] = useState<Bar | null>(null);
  const now = useNow(1000);
  const cluster = useValue(live.cluster);
  const { value, error } = useReading(live, {
    key: `timeline ${spanMs}`,
    read: () => readTimeline(live, spanMs),
    concerns: (bundle) => bundle === null || bundle.some(({ kind }) => kind === 'task'),
  });
  useEffect(() => setChosen(null), [spanMs]);
  const workers = cluster?.workers ?? [];
  const names = useValue(live.names);
  const laneWorkers = workers
    .toSorted(byName)
    .map(({ id, slots, status }) => ({ id, slots, isHere: status !== 'offline' }));
  const whole = { from: now - spanMs, to: now };
  const range = chosen ?? whole;
  const lanes = lanesOf(value?.spans ?? [], { workers: laneWorkers, range, nowMs: now });
  return (
    <>
      <div class="bar">
        <h1>Timeline</h1>
        <fieldset class="switch">
          <legend class="hidden">Range of time</legend>
          {ranges.map(([label, ms]) => (
            <label key={label}>
              <input type="radio" name="range" checked={spanMs === ms} onChange={() => setSpanMs(ms)} />
              {label}
            </label>
          ))}
        </fieldset>
        {chosen !== null && (
          <button type="button" class="small" onClick={() => setChosen(null)}>
            Back to now
          </button>
        )}
        <Legend />
      </div>
      <Failure text={error} />
      {value?.complete === false && <p class="note">There were more attempts; the last {spansMax} are shown.</p>}
      {lanes.rows === 0 ? (
        <p class="empty card">Nothing ran in this time.</p>
      ) : (
        <TimelineCanvas
          lanes={lanes}
          range={range}
          nameOf={(id) => names.get(id) ?? id}
          picked={picked}
          onPick={setPicked}
          onRange={setChosen}
          onOpen={({ span }) => {
            location.hash = fragmentOf('tasks', span.task_id);
          }}
          onZoom={(zoom) => setChosen(zoomed(range, whole, zoom))}
          onBack={() => setChosen(null)}
        />
      )}
      <Picked bar={picked} nameOf={(id) => names.get(id) ?? id} />
      <Listed bars={lanes.bars} nameOf={(id) => names.get(id) ?? id} />
    </>
  );
}

async function readTimeline(live: Live, spanMs: number): Promise<Timeline> {
  const since = new Date(wallMs() - spanMs).toISOString();
  const timeline = await live.client.overview.timeline(since, spansMax);
  live.learn(timeline.worker_names);
  return timeline;
}

function Legend() {
  return (
    <ul class="legend">
      {(['running', 'good', 'bad', 'gone'] as const).map((each) => (
        <li key={each}>
          <span class={`swatch ${each}`} aria-hidden="true" />
          {standingWords[each]}
        </li>
      ))}
    </ul>
  );
}

type NameOf = (workerId: string) => string;

function Picked({ bar, nameOf }: { bar: Bar | null; nameOf: NameOf }) {
  return (
    <p class="picked card" role="status">
      {bar === null ? (
        <span class="note">
          Point at a bar, or move with the arrow keys, Home and End; Enter opens its task. Drag over a part or press +
          to look closer, - for more, Escape to go back.
        </span>
      ) : (
        <>
          <TaskLink id={bar.span.task_id}>{plainText(bar.span.name || bar.span.task_id)}</TaskLink>{' '}
          {standingWords[standing(bar.span)]} on {nameOf(bar.span.worker_id)}, attempt {bar.span.attempt},{' '}
          {durationText(bar.durationMs)}, from {new Date(bar.from).toLocaleTimeString('en-GB')}
        </>
      )}
    </p>
  );
}

function Listed({ bars, nameOf }: { bars: readonly Bar[]; nameOf: NameOf }) {
  const last = bars.toSorted((left, right) => right.from - left.from).slice(0, listedMax);
  return (
    <details class="card">
      <summary>The last {last.length} as a table</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">Task</th>
            <th scope="col">Worker</th>
            <th scope="col">How</th>
            <th scope="col">Took</th>
          </tr>
        </thead>
        <tbody>
          {last.map(({ span, durationMs }) => (
            <tr key={`${span.task_id}.${span.attempt}`}>
              <td>
                <TaskLink id={span.task_id}>{plainText(span.name || span.task_id)}</TaskLink>
              </td>
              <td>{nameOf(span.worker_id)}</td>
              <td>{standingWords[standing(span)]}</td>
              <td>{durationText(durationMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
