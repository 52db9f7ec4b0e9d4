/** Small pieces that all parts of the page use. */

import type { ComponentChildren } from 'preact';
import type { TaskView, WorkerView } from '../../api/schemas.ts';
import { fragmentOf } from '../model/place.ts';

const words: Readonly<Record<string, string>> = { timed_out: 'timed out' };

/** A state in words, and in colour beside them. */
export function Status({ status }: { status: TaskView['status'] | WorkerView['status'] | string }) {
  return <span class={`status is-${status}`}>{words[status] ?? status}</span>;
}

/** What went wrong, said at once to who cannot see it. */
export function Failure({ text }: { text: string | null }) {
  if (text === null) return null;
  return (
    <p class="failure" role="alert">
      {text}
    </p>
  );
}

interface MeterProps {
  readonly label: string;
  /** May exceed 1; null = not known. */
  readonly share: number | null;
  readonly text: string;
  /** The share from which it is too much. */
  readonly warnAt?: number;
}

/** A share of a whole as a bar. */
export function Meter({ label, share, text, warnAt = Number.POSITIVE_INFINITY }: MeterProps) {
  const percent = Math.round(Math.min(1, share ?? 0) * 100);
  const level = share !== null && share >= warnAt ? 'high' : 'low';
  return (
    <div class="meter">
      <span class="meter-label">{label}</span>
      <svg class={`meter-bar ${level}`} viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect class="track" width="100" height="6" />
        <rect class="fill" width={percent} height="6" />
      </svg>
      <span class="meter-text">{text}</span>
    </div>
  );
}

/** Values from 0 on as a small line; nulls are gaps. */
export function Sparkline({ values, max, label }: { values: readonly (number | null)[]; max: number; label: string }) {
  const width = 120;
  const height = 28;
  const shown = values.slice(-60);
  const points = shown.flatMap((value, at) => {
    if (value === null) return [];
    const x = (at / Math.max(1, shown.length - 1)) * width;
    return [`${x.toFixed(1)},${(height - 1 - (Math.min(value, max) / max) * (height - 2)).toFixed(1)}`];
  });
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {points.length > 1 && <polyline points={points.join(' ')} />}
    </svg>
  );
}

/** How many tasks of a whole are in which state, as one bar. */
export function Progress({ counts, size }: { counts: Readonly<Record<string, number>>; size: number }) {
  const order = ['completed', 'failed', 'timed_out', 'cancelled', 'running', 'queued', 'blocked'];
  const parts = order.flatMap((status) => {
    const count = counts[status] ?? 0;
    return count === 0 ? [] : [{ status, count }];
  });
  let at = 0;
  return (
    <svg
      class="progress"
      viewBox="0 0 100 8"
      preserveAspectRatio="none"
      role="img"
      aria-label={parts.map(({ status, count }) => `${count} ${words[status] ?? status}`).join(', ')}
    >
      <rect class="track" width="100" height="8" />
      {parts.map(({ status, count }) => {
        const width = (count / Math.max(1, size)) * 100;
        at += width;
        return <rect key={status} class={`is-${status}`} x={at - width} width={width} height="8" />;
      })}
    </svg>
  );
}

/** The short name of a task, leading to it. */
export function TaskLink({ id, children }: { id: string; children?: ComponentChildren }) {
  return (
    <a class="id" href={fragmentOf('tasks', id)}>
      {children ?? id}
    </a>
  );
}
