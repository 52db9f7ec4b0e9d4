/**
 * Whether the conditions for taking work hold, from one sign of life to the next, and when that is worth a word: not for
 * each degree or percent, but when work is wanted again, is not any more, or something else is in the way.
 */

import { type Condition, Conditions, type Feeling } from '../core/conditions.ts';
import type { WorkerVitals } from '../core/worker.ts';
import type { Clock } from '../ports/time.ts';

interface Parts {
  readonly clock: Clock;
  readonly cpuCores: number;
  readonly conditions: readonly Condition[];
  /** Seconds since a person last used the machine; null = not known. */
  untouchedS(): number | null;
  /** Whether its network is paid for by volume; null = not known. */
  metered?(): boolean | null;
  /** Why it is slower than it could be, as part of a sentence; null = it is not, or not known. */
  slowdown?(): string | null;
}

export class Willingness {
  readonly #parts: Parts;
  readonly #conditions: Conditions;
  #why: string | null = null;
  /** What was said last, without its numbers. */
  #said: string | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#conditions = new Conditions(parts.conditions);
  }

  /** Why no work is wanted just now, as part of a sentence; null = it is. */
  get why(): string | null {
    return this.#why;
  }

  /** Whether there is something new to say. */
  look(vitals: WorkerVitals): boolean {
    const { clock, conditions, cpuCores } = this.#parts;
    if (conditions.length === 0) return false;
    this.#why = this.#conditions.look({ ...vitals, cpuCores, ...this.#around() }, clock.steady());
    const kind = this.#why?.replace(/\d+/g, '') ?? null;
    if (kind === this.#said) return false;
    this.#said = kind;
    return true;
  }

  /** What the conditions look at beyond the vitals: only that, since some of it takes a program to find out. */
  #around(): Pick<Feeling, 'untouchedS' | 'metered' | 'slowdown'> {
    const { conditions, untouchedS, metered, slowdown } = this.#parts;
    const counts = (kind: Condition['kind']): boolean => conditions.some((condition) => condition.kind === kind);
    return {
      untouchedS: counts('idle') ? untouchedS() : null,
      metered: (counts('unmetered') ? metered?.() : null) ?? null,
      slowdown: (counts('cool') ? slowdown?.() : null) ?? null,
    };
  }

  /** Somebody else listens now, who takes it for willing. */
  forget(): void {
    this.#said = null;
  }
}
