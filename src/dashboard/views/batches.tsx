/** Batches, newest first, each with how far it has come. */

import { useState } from 'preact/hooks';
import type { BatchView } from '../../api/schemas.ts';
import { isFinal, taskStatuses } from '../../core/task.ts';
import { useAction, useNow, useReading } from '../hooks.ts';
import type { Live } from '../live.ts';
import { agoText, countText, plainText } from '../model/format.ts';
import { fragmentOf } from '../model/place.ts';
import { Failure, Progress } from '../parts/small.tsx';

const pageSize = 20;
/** As many as the API gives at once. */
const pagesMax = 5;

export function BatchesView({ live }: { live: Live }) {
  const [pages, setPages] = useState(1);
  const now = useNow(5000);
  const { value, error, again } = useReading(live, {
    key: 'batches',
    read: () => live.client.overview.batches({ limit: pages * pageSize }),
    concerns: (bundle) => bundle === null || bundle.some(({ kind }) => kind === 'task'),
  });
  const more = (): void => {
    setPages(pages + 1);
    again();
  };
  return (
    <>
      <h1>Batches</h1>
      <Failure text={error} />
      {value !== null && value.batches.length === 0 && (
        <p class="empty card">
          None yet. <code>octaskly map</code> and <code>octaskly batch</code> make them.
        </p>
      )}
      <ul class="list">
        {(value?.batches ?? []).map((batch) => (
          <li key={batch.id} class="card batch">
            <Batch live={live} batch={batch} now={now} again={again} />
          </li>
        ))}
      </ul>
      {value?.next_cursor != null && pages < pagesMax && (
        <button type="button" onClick={more}>
          Show more
        </button>
      )}
    </>
  );
}

interface BatchProps {
  readonly live: Live;
  readonly batch: BatchView;
  readonly now: number;
  readonly again: () => void;
}

function Batch({ live, batch, now, again }: BatchProps) {
  const { id, name, size, counts, created_at, owner } = batch;
  const { busy, error, run } = useAction();
  const count = (status: (typeof taskStatuses)[number]): number => counts[status] ?? 0;
  const ended = taskStatuses.filter(isFinal).reduce((sum, status) => sum + count(status), 0);
  const bad = count('failed') + count('timed_out');
  const cancel = (): void => run(() => live.client.cancelBatch(id).then(again));
  return (
    <>
      <div class="bar">
        <h2>
          <a href={fragmentOf('tasks', null, { batch: id })}>{plainText(name ?? `Batch ${id}`)}</a>
        </h2>
        <span class="note">
          {countText(ended)} of {countText(size)} ended{bad > 0 && `, ${countText(bad)} failed`}
        </span>
        {ended < size && (
          <button type="button" class="small danger" aria-disabled={busy} onClick={cancel}>
            Cancel<span class="hidden"> {plainText(name ?? id)}</span>
          </button>
        )}
      </div>
      <Progress counts={counts} size={size} />
      <p class="note">
        {Math.floor((ended / Math.max(1, size)) * 100)} % · submitted {agoText(created_at, now)}
        {owner !== null && ` by ${owner}`}
      </p>
      <Failure text={error} />
    </>
  );
}
