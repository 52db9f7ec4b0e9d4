/**
 * The time line as rows: for each worker as many as attempts ran there at once, each attempt in the first row that was free
 * when it started. Pure; `nowMs` is where those that run end for the time being.
 *
 * A worker never has more rows than slots: instants are those of reports, of which several may arrive at once, so attempts
 * that followed each other may seem to overlap by a little. One that finds no row free begins where the row ends that
 * is free first.
 */

import type { Span } from '../../api/timeline-schemas.ts';

export interface Bar {
  readonly span: Span;
  /** Wall ms. */
  readonly from: number;
  readonly to: number;
  /** How long it took, or has run. */
  readonly durationMs: number;
  /** From the top, over all workers. */
  readonly row: number;
}

export interface Lane {
  readonly workerId: string;
  readonly firstRow: number;
  readonly rows: number;
}

export interface Lanes {
  readonly lanes: readonly Lane[];
  readonly bars: readonly Bar[];
  readonly rows: number;
}

export interface LaneWorker {
  readonly id: string;
  readonly slots: number;
  /** It has a row also when nothing ran there. */
  readonly isHere: boolean;
}

export interface Range {
  /** Wall ms. */
  readonly from: number;
  readonly to: number;
}

/** Reports of an end are this late at most, for attempts to count as ones that followed each other. */
const lateMs = 1500;

/** The bars of one worker, in rows from 0 on. */
function barsOf(spans: readonly Span[], slots: number, nowMs: number): Bar[] {
  const own = spans.map((span) => {
    const from = Date.parse(span.started_at);
    const to = span.ended_at === null ? Math.max(from, nowMs) : Date.parse(span.ended_at);
    return { span, from, to, durationMs: to - from };
  });
  own.sort((left, right) => left.from - right.from || (left.span.task_id < right.span.task_id ? -1 : 1));
  const ends: number[] = [];
  return own.map((each) => {
    const free = ends.findIndex((end) => end <= each.from);
    let row = free < 0 ? ends.length : free;
    const soonest = ends.indexOf(Math.min(...ends));
    // A worker may have had more slots before.
    if (row >= slots && (ends[soonest] ?? 0) - each.from <= lateMs) row = soonest;
    const from = Math.min(each.to, Math.max(each.from, ends[row] ?? each.from));
    ends[row] = Math.max(ends[row] ?? each.to, each.to);
    return { ...each, from, row };
  });
}

/**
 * `workers`: those that are known, in their order; others follow by id. Of `range`, only what lies in it: a row
 * that was not in use then is not there.
 */
export function lanesOf(
  spans: readonly Span[],
  { workers, range, nowMs }: { workers: readonly LaneWorker[]; range: Range; nowMs: number },
): Lanes {
  const known = new Map(workers.map((worker) => [worker.id, worker]));
  const others = [...new Set(spans.map(({ worker_id }) => worker_id))].filter((id) => !known.has(id)).sort();
  const byWorker = Map.groupBy(spans, ({ worker_id }) => worker_id);
  const lanes: Lane[] = [];
  const bars: Bar[] = [];
  let row = 0;
  for (const workerId of [...known.keys(), ...others]) {
    const slots = known.get(workerId)?.slots ?? Number.POSITIVE_INFINITY;
    const own = barsOf(byWorker.get(workerId) ?? [], slots, nowMs).filter(
      ({ from, to }) => from <= range.to && to >= range.from,
    );
    const used = [...new Set(own.map((bar) => bar.row))].sort((left, right) => left - right);
    const rows = Math.max(known.get(workerId)?.isHere === true ? 1 : 0, used.length);
    if (rows === 0) continue;
    const places = new Map(used.map((each, at) => [each, row + at]));
    for (const bar of own) bars.push({ ...bar, row: places.get(bar.row) ?? row });
    lanes.push({ workerId, firstRow: row, rows });
    row += rows;
  }
  return { lanes, bars, rows: row };
}

/** Two bars of one attempt are the same bar, though drawn at another time. */
export function isSame(bar: Bar, other: Bar | null): boolean {
  return other !== null && bar.span.task_id === other.span.task_id && bar.span.attempt === other.span.attempt;
}

/** The bar that a key leads to: the one before or after in time, then by row, or the first or last; null = none is in sight. */
export function barAfter(lanes: Lanes, picked: Bar | null, key: 'before' | 'after' | 'first' | 'last'): Bar | null {
  const order = lanes.bars.toSorted((left, right) => left.from - right.from || left.row - right.row);
  const at = order.findIndex((bar) => isSame(bar, picked));
  if (key === 'first' || (at < 0 && key === 'after')) return order[0] ?? null;
  if (key === 'last' || at < 0) return order.at(-1) ?? null;
  return order[Math.min(order.length - 1, Math.max(0, at + (key === 'after' ? 1 : -1)))] ?? null;
}

/** The part of `whole` around `middle` (wall ms), `factor` as long as `range`, at least a second; null = all of it. */
export function zoomed(
  range: Range,
  whole: Range,
  { middle, factor }: { middle: number; factor: number },
): Range | null {
  const length = Math.max(1000, (range.to - range.from) * factor);
  if (length >= whole.to - whole.from) return null;
  const from = Math.min(whole.to - length, Math.max(whole.from, middle - length / 2));
  return { from, to: from + length };
}

/** How an attempt stands, for its colour. */
export function standing({
  outcome,
  exit_code,
}: Pick<Span, 'outcome' | 'exit_code'>): 'running' | 'good' | 'bad' | 'gone' {
  if (outcome === null) return 'running';
  if (outcome === 'exited') return exit_code === 0 ? 'good' : 'bad';
  return outcome === 'lost' || outcome === 'cancelled' ? 'gone' : 'bad';
}
