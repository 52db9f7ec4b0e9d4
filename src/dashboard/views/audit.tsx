/** The record of what was done, newest first, and whether it is as it was written. */

import { useEffect, useState } from 'preact/hooks';
import type { AuditEntryView, AuditFindingView } from '../../api/trust-schemas.ts';
import { reasonOf } from '../../base/errors.ts';
import { useAction } from '../hooks.ts';
import type { Live } from '../live.ts';
import { plainText } from '../model/format.ts';
import { Failure, TaskLink } from '../parts/small.tsx';

const pageSize = 100;

interface Filter {
  readonly type: string;
  readonly actor: string;
}

export function AuditView({ live }: { live: Live }) {
  const [filter, setFilter] = useState<Filter>({ type: '', actor: '' });
  const [entries, setEntries] = useState<readonly AuditEntryView[]>([]);
  const [cursor, setCursor] = useState<number | null>(null);
  const [error, setError] = useState<string | null>(null);
  const read = async (after: number | null): Promise<void> => {
    try {
      const { type, actor } = filter;
      const page = await live.client.overview.latestAudit({
        ...{ type: type || undefined, actor: actor || undefined, limit: pageSize, cursor: after ?? undefined },
      });
      setEntries((old) => (after === null ? page.entries : [...old, ...page.entries]));
      setCursor(page.next_cursor);
      setError(null);
    } catch (failure) {
      setError(reasonOf(failure));
    }
  };
  useEffect(() => void read(null), [filter]);
  const set = (name: keyof Filter) => (event: { currentTarget: HTMLInputElement }) =>
    setFilter({ ...filter, [name]: event.currentTarget.value.trim() });
  return (
    <>
      <h1>Audit</h1>
      <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
        <input
          aria-label="Type of entry"
          placeholder="type: task_submitted …"
          value={filter.type}
          onChange={set('type')}
        />
        <input aria-label="Who did it" placeholder="who …" value={filter.actor} onChange={set('actor')} />
        <button type="button" class="small" onClick={() => void read(null)}>
          Read anew
        </button>
        <Verify live={live} />
      </form>
      <Failure text={error} />
      <Entries entries={entries} />
      {cursor !== null && (
        <button type="button" onClick={() => void read(cursor)}>
          Show older entries
        </button>
      )}
    </>
  );
}

function Verify({ live }: { live: Live }) {
  const [finding, setFinding] = useState<AuditFindingView | null>(null);
  const { busy, error, run } = useAction();
  return (
    <>
      <button
        type="button"
        class="small"
        aria-disabled={busy}
        onClick={() => run(async () => setFinding(await live.client.trust.verifyAudit()))}
      >
        Check the record
      </button>
      <Failure text={error} />
      {finding !== null && (
        <p role="status" class={finding.ok ? 'note' : 'failure'}>
          {finding.detail}
        </p>
      )}
    </>
  );
}

function Entries({ entries }: { entries: readonly AuditEntryView[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
    <section class="scroll card audit" tabIndex={0} aria-label="Entries, newest first">
      <table>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">What</th>
            <th scope="col">Who</th>
            <th scope="col">About</th>
            <th scope="col">Details</th>
          </tr>
        </thead>
        <tbody>
          {entries.map(({ id, timestamp, event_type, actor, task_id, worker_id, details }) => (
            <tr key={id}>
              <td class="when">
                <time dateTime={timestamp}>{timestamp.replace('T', ' ').slice(0, 19)}</time>
              </td>
              <td>{event_type.replaceAll('_', ' ')}</td>
              <td>{plainText(actor)}</td>
              <td>{task_id === null ? (worker_id ?? '') : <TaskLink id={task_id} />}</td>
              <td class="details">{detailsText(details)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function detailsText(details: Readonly<Record<string, unknown>>): string {
  const texts = Object.entries(details).map(([key, value]) => {
    return `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`;
  });
  return plainText(texts.join(', ').slice(0, 400));
}
