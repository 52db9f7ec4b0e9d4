/**
 * How many jobs of one `map` may be under way, and how long one may run by the measure of the others. Pure.
 *
 * The limit of `-j` holds where jobs are submitted: never more than that many are submitted and not ended, so it holds
 * whatever the workers have room for. See parallel(1), "--jobs" and "--timeout".
 */

import { type Parsed, parseDuration } from '../option.ts';

/** `-j`: percent of the slots of all workers, and so many more or less; a plain number is 0 percent and that many more. */
export interface JobLimit {
  readonly percent: number;
  readonly plus: number;
}

/** `4`, `50%`, `+2`, `-1`; 0: no limit. */
export function parseJobLimit(text: string): Parsed<JobLimit> {
  const match = /^([+-]?)([0-9]{1,7})(%?)$/.exec(text);
  const [, sign = '', digits = '', percent = ''] = match ?? [];
  if (match === null || (sign !== '' && percent !== '')) {
    return { expected: 'a number of jobs, 0 for no limit, or by the slots of all workers such as 50%, +2 or -1' };
  }
  const number = Number(digits);
  if (percent !== '') return { value: { percent: number, plus: 0 } };
  if (sign === '') return { value: { percent: 0, plus: number } };
  return { value: { percent: 100, plus: sign === '-' ? -number : number } };
}

/** Most jobs at once; at least one. `slots`: of all workers. */
export function jobsAtOnce({ percent, plus }: JobLimit, slots: number): number {
  if (percent === 0 && plus === 0) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor((slots * percent) / 100) + plus);
}

/** `--timeout`: of one attempt, or by the median of the jobs that ended well. */
export type TimeLimit =
  | { readonly kind: 'fixed'; readonly ms: number }
  | { readonly kind: 'share'; readonly percent: number };

const longestMs = 30 * 24 * 3600 * 1000;

/** `90`, `5m`, `200%`; 0: the longest there is. */
export function parseTimeLimit(text: string): Parsed<TimeLimit> {
  const percent = /^([0-9]{1,6}(?:\.[0-9]{1,3})?)%$/.exec(text)?.[1];
  if (percent !== undefined && Number(percent) > 0) return { value: { kind: 'share', percent: Number(percent) } };
  const parsed = parseDuration(text);
  if ('value' in parsed && parsed.value === 0) return { value: { kind: 'fixed', ms: longestMs } };
  if ('value' in parsed && parsed.value >= 1 && parsed.value <= longestMs) {
    return { value: { kind: 'fixed', ms: parsed.value } };
  }
  return {
    expected:
      'a duration up to 30d such as 30, 5m or 1h, 0 for no limit, or a percentage of the median run time such as 200%',
  };
}

/** Ends that the median is taken of: the newest. */
const runtimesMax = 999;
/** Shorter differences are the network's and the machine's, not the job's. */
const shareMsMin = 200;

/** The median of how long jobs ran, and the limit that follows. */
export class RuntimeShare {
  private readonly runtimes: number[] = [];
  private readonly percent: number;
  private count = 0;

  constructor(percent: number) {
    this.percent = percent;
  }

  add(runtimeMs: number): void {
    this.runtimes[this.count % runtimesMax] = runtimeMs;
    this.count += 1;
  }

  /** Longest a job may run now, ms; null before the first end. */
  limitMs(): number | null {
    const median = this.runtimes.toSorted((a, b) => a - b)[Math.floor((this.runtimes.length - 1) / 2)];
    return median === undefined ? null : Math.max(shareMsMin, (median * this.percent) / 100);
  }
}

/** Numbers from 1, the lowest free one first: `{%}`. */
export class Slots {
  private readonly free: number[] = [];
  private count = 0;

  take(): number {
    if (this.free.length === 0) {
      this.count += 1;
      return this.count;
    }
    const least = this.free.reduce((best, slot, index) => (slot < (this.free[best] ?? 0) ? index : best), 0);
    return this.free.splice(least, 1)[0] ?? 0;
  }

  release(slot: number): void {
    this.free.push(slot);
  }
}
