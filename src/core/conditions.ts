/**
 * Under which conditions a device takes work: `--when idle,charging,battery>30,cool`. All that are named must hold.
 *
 * Each has two thresholds, so that a value that hovers does not make work come and go: what was not met must be met
 * clearly before it counts. A value that cannot be read meets its condition: a desktop has no battery, and is on mains.
 *
 *   idle         nobody typed for 5 min (then: 30 s), and others' load is below 0.3 (then: 0.7) of the cores
 *   charging     on mains power
 *   battery>N    the charge is above N + 5 % (then: N %), or the device is charging and above N %
 *   cool         below 75 °C (then: 85 °C), and not slowed down by heat or want of power
 *   unmetered    on a network whose volume costs nothing
 *
 * Deliberately not here: reading any of it, and what becomes of work that waits (`worker/handover.ts`).
 */

const words = ['idle', 'charging', 'cool', 'unmetered'] as const;
type Word = (typeof words)[number];

export type Condition =
  | { readonly kind: Word }
  /** Percent. */
  | { readonly kind: 'battery'; readonly above: number };

/** How a device is just now; null = cannot be read there. */
export interface Feeling {
  /** One-minute load average. */
  readonly load1: number | null;
  /** Tasks that run. */
  readonly running: number;
  readonly cpuCores: number;
  readonly batteryPercent: number | null;
  readonly charging: boolean | null;
  readonly temperatureC: number | null;
  /** Seconds since a person last typed or moved the mouse. */
  readonly untouchedS: number | null;
  /** Its network is paid for by volume. */
  readonly metered?: boolean | null;
  /** Why it is slower than it could be, as part of a sentence. */
  readonly slowdown?: string | null;
}

/** Degrees at which a device is too hot, and at which it is not any more. */
export const hotC = 85;
export const coolC = 75;
const batteryMargin = 5;
const untouched = { restsBelowS: 30, worksFromS: 300 };
const load = { restsAbove: 0.7, worksBelow: 0.3 };
/** The kernel's one-minute average. */
const loadWindowMs = 60_000;

export const conditionsExpected =
  'always, or some of idle, charging, cool, unmetered and battery>N (N from 0 to 99), separated by commas';

/** The conditions in a text such as `idle,battery>30`; `always` is none. Null when it is not one. */
export function readConditions(text: string): readonly Condition[] | null {
  if (text.trim() === 'always') return [];
  const conditions = text.split(',').map((word) => readCondition(word.trim()));
  const read = conditions.filter((condition) => condition !== null);
  return read.length === conditions.length ? read : null;
}

function readCondition(word: string): Condition | null {
  const plain = words.find((each) => each === word);
  if (plain !== undefined) return { kind: plain };
  const match = /^battery\s*>\s*(\d{1,2})\s*%?$/.exec(word);
  return match === null ? null : { kind: 'battery', above: Number(match[1]) };
}

/** Whether the conditions hold, from look to look. */
export class Conditions {
  readonly #conditions: readonly { readonly condition: Condition; isMet: boolean }[];
  /** What the own tasks have to do with the load average. */
  #ownLoad = 0;
  #lookedAt: number | null = null;

  /** At the first look the thresholds are those of a device that works. */
  constructor(conditions: readonly Condition[]) {
    this.#conditions = conditions.map((condition) => ({ condition, isMet: true }));
  }

  /** Why no work is wanted at this moment (`at` in ms, steady); null = it is. To be asked every few seconds. */
  look(feeling: Feeling, at: number): string | null {
    const decay = Math.exp(-(at - (this.#lookedAt ?? at)) / loadWindowMs);
    this.#ownLoad = this.#ownLoad * decay + feeling.running * (1 - decay);
    this.#lookedAt = at;
    const reasons: string[] = [];
    for (const one of this.#conditions) {
      const reason = this.#hindrance(one.condition, feeling, one.isMet);
      one.isMet = reason === null;
      if (reason !== null) reasons.push(reason);
    }
    return reasons.length === 0 ? null : reasons.join(', ');
  }

  #hindrance(condition: Condition, feeling: Feeling, wasMet: boolean): string | null {
    const { batteryPercent, charging, temperatureC, slowdown, metered } = feeling;
    switch (condition.kind) {
      case 'idle':
        return this.#isInUse(feeling, wasMet) ? 'it is in use' : null;
      case 'charging':
        return charging === false ? 'it runs on battery' : null;
      case 'battery': {
        const margin = wasMet || charging === true ? 0 : batteryMargin;
        const least = Math.min(condition.above + margin, 99);
        if (batteryPercent === null || batteryPercent > least) return null;
        return `its battery is at ${Math.round(batteryPercent)} %, and it works above ${least} %`;
      }
      case 'cool':
        if (temperatureC === null || temperatureC < (wasMet ? hotC : coolC)) return slowdown ?? null;
        return `it is ${Math.round(temperatureC)} °C hot`;
      case 'unmetered':
        return metered === true ? 'its network is paid for by volume' : null;
    }
  }

  #isInUse({ load1, cpuCores, untouchedS }: Feeling, wasMet: boolean): boolean {
    if (untouchedS !== null && untouchedS < (wasMet ? untouched.restsBelowS : untouched.worksFromS)) return true;
    const others = Math.max(0, (load1 ?? 0) - this.#ownLoad) / cpuCores;
    return others > (wasMet ? load.restsAbove : load.worksBelow);
  }
}
