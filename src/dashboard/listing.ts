/**
 * The list of tasks as far as it was read: its beginning again and again as things happen, the rest in pages as one scrolls.
 * What was shown last for the same filters is there until the first answer.
 */

import { useEffect, useRef, useState } from 'preact/hooks';
import { reasonOf } from '../base/errors.ts';
import type { TaskQuery } from '../client/client.ts';
import { useEvents } from './hooks.ts';
import type { Live } from './live.ts';
import { type Row, withEvents, withPage } from './model/rows.ts';

/** What stands in the address: texts by the names of filters. */
export type Filters = Readonly<Record<string, string>>;

const pageSize = 500;
/** What is asked for again after events: new tasks come at the beginning. */
const headSize = 100;
const headEveryMs = 1000;

export const statuses = ['blocked', 'queued', 'running', 'completed', 'failed', 'timed_out', 'cancelled'] as const;

/** The filters as the API takes them; what is none is left out. */
export function queryOf({ status, worker, batch, tag, id, text }: Filters): TaskQuery {
  const named = statuses.filter((each) => (status ?? '').split(',').includes(each));
  return {
    status: named.length === 0 ? undefined : named,
    worker: worker || undefined,
    batch: batch || undefined,
    tag: tag || undefined,
    id: id || undefined,
    text: text || undefined,
  };
}

export interface Tasks {
  readonly rows: readonly Row[];
  readonly error: string | null;
  /** False while there is more to read. */
  readonly complete: boolean;
  readonly more: () => void;
}

interface Listed {
  /** What it was read for; see `useTasks`. */
  readonly of: object | null;
  readonly rows: readonly Row[];
  readonly cursor: string | null | undefined;
  readonly error: string | null;
}
const nothing: Listed = { of: null, rows: [], cursor: undefined, error: null };

/** What was shown for the same filters before, so that a view that comes back has something to show at once. */
function keptRows(live: Live, key: string): readonly Row[] {
  return (live.kept(`tasks ${key}`) as readonly Row[] | undefined) ?? [];
}

/** The tasks that fit, as far as they were read. */
export function useTasks(live: Live, filters: Filters): Tasks {
  const key = JSON.stringify(queryOf(filters));
  const [kept, setListed] = useState(nothing);
  const reading = useRef(false);
  /** Changes when what was read is of no use any more; what arrives for an earlier one is dropped. */
  const [generation, setGeneration] = useState({});
  const current = useRef(generation);
  current.current = generation;
  const own = (old: Listed): Listed => (old.of === generation ? old : { ...nothing, of: generation });
  const listed = own(kept);
  useEffect(() => {
    if (listed.cursor !== undefined) live.keep(`tasks ${key}`, listed.rows);
  }, [listed.rows]);
  const read = async (limit: number, cursor: string | undefined): Promise<void> => {
    try {
      const page = await live.client.tasks({ ...queryOf(filters), limit, cursor });
      if (current.current !== generation) return;
      live.learn(page.worker_names);
      setListed((before) => {
        const old = own(before);
        // The head says nothing of how far one has read, unless it is all that was.
        const isHead = cursor === undefined && old.cursor !== undefined;
        const rows = withPage(old.rows, page.tasks);
        return { of: generation, rows, cursor: isHead ? old.cursor : page.next_cursor, error: null };
      });
    } catch (error) {
      if (current.current === generation) setListed((old) => ({ ...own(old), error: reasonOf(error) }));
    }
  };
  const listedKey = useRef(key);
  useEffect(() => {
    if (listedKey.current !== key) setGeneration({});
    listedKey.current = key;
  }, [key]);
  useEffect(() => {
    reading.current = false;
    void read(headSize, undefined);
  }, [generation]);
  const again = useRef<() => void>(() => undefined);
  again.current = () => void read(headSize, undefined);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  useEffect(() => () => clearTimeout(timer.current ?? undefined), []);
  useEvents(live, (bundle) => {
    if (bundle === null) setGeneration({});
    if (bundle === null || bundle.length === 0) return;
    setListed((old) => {
      const rows = withEvents(old.rows, bundle);
      return rows === old.rows ? old : { ...old, rows };
    });
    if (timer.current !== null) return;
    timer.current = setTimeout(() => {
      timer.current = null;
      again.current();
    }, headEveryMs);
  });
  const more = (): void => {
    if (reading.current || typeof listed.cursor !== 'string') return;
    reading.current = true;
    void read(pageSize, listed.cursor).finally(() => {
      if (current.current === generation) reading.current = false;
    });
  };
  const rows = listed.cursor === undefined ? keptRows(live, key) : listed.rows;
  return { rows, error: listed.error, complete: listed.cursor === null, more };
}
