/**
 * `--halt`: when enough jobs have failed, succeeded or ended to stop the rest, and the exit status that follows. Pure: told
 * of each end, it says what to do. See parallel(1), "--halt-on-error" and "EXIT STATUS".
 *
 * `soon` lets what runs come to its end, `now` cancels it; either way nothing new starts.
 */

import type { Parsed } from '../option.ts';

export interface Halt {
  readonly when: 'never' | 'soon' | 'now';
  readonly on: 'fail' | 'success' | 'done';
  /** How many it takes: jobs, or percent of all jobs. */
  readonly count: number;
  readonly isPercent: boolean;
}

const never: Halt = { when: 'never', on: 'fail', count: 1, isPercent: false };
const expected = 'never, or now or soon with ,fail= ,success= or ,done= and a number or percentage, such as now,fail=1';

/** `never`, `now,fail=1`, `soon,done=50%`, and the old short forms 0, 1, 2, -1, -2, N%. */
export function parseHalt(text: string): Parsed<Halt> {
  if (text === 'never' || text === '0') return { value: never };
  if (text === '1') return { value: { ...never, when: 'soon' } };
  if (text === '2') return { value: { ...never, when: 'now' } };
  if (text === '-1') return { value: { ...never, when: 'soon', on: 'success' } };
  if (text === '-2') return { value: { ...never, when: 'now', on: 'success' } };
  const short = /^([1-9][0-9]?|100)%$/.exec(text);
  if (short !== null) return { value: { when: 'soon', on: 'fail', count: Number(short[1]), isPercent: true } };
  const match = /^(now|soon),(fail|success|done)=([0-9]{1,9})(%)?$/.exec(text);
  if (match === null) return { expected };
  const [, when, on, count, percent] = match;
  const isPercent = percent !== undefined;
  if (Number(count) === 0 || (isPercent && Number(count) > 100)) return { expected };
  return { value: { when: when as Halt['when'], on: on as Halt['on'], count: Number(count), isPercent } };
}

/** Failed jobs that can be told apart by the exit status. */
const failedToldMax = 101;

/** Counts the ends of jobs. */
export class HaltCount {
  failed = 0;
  ended = 0;
  private readonly halt: Halt;
  private readonly total: number;
  /** The exit status that reaching the limit gave; null before. */
  private status: number | null = null;

  /** `total`: jobs in all, of which a percentage is one. */
  constructor(halt: Halt | undefined, total: number | null) {
    this.halt = halt ?? never;
    this.total = total ?? 0;
  }

  /** A job ended as `status` says, 0 = well. Says what to do with the others, and what this job counts as. */
  add(status: number): { readonly order: 'go on' | 'soon' | 'now'; readonly counts: string | null } {
    const { when, on, count, isPercent } = this.halt;
    this.ended += 1;
    if (status !== 0) this.failed += 1;
    const isOne = on === 'done' || (on === 'fail') === (status !== 0);
    if (when === 'never' || !isOne) return { order: 'go on', counts: null };
    const counts = { fail: 'failed', success: 'succeeded', done: 'finished' }[on];
    const reached = { fail: this.failed, success: this.ended - this.failed, done: this.ended }[on];
    const limit = isPercent ? (this.total * count) / 100 : count;
    if (reached < limit) return { order: 'go on', counts };
    this.status ??= this.statusAt(limit, status);
    return { order: when, counts };
  }

  private statusAt(limit: number, status: number): number {
    if (this.halt.on === 'success') return 0;
    if (limit === 1) return status;
    return this.halt.isPercent ? this.percentFailed(this.total) : Math.min(this.failed, failedToldMax);
  }

  private percentFailed(jobs: number): number {
    return Math.ceil((this.failed / Math.max(1, jobs)) * 100);
  }

  /** The exit status of `map`: the number of failed jobs up to 100, 101 for more; else as `--halt` has it. */
  exitStatus(): number {
    if (this.status !== null) return this.status;
    const { when, isPercent } = this.halt;
    return when !== 'never' && isPercent ? this.percentFailed(this.ended) : Math.min(this.failed, failedToldMax);
  }
}
