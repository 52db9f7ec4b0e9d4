/** What is heard of workers that are being updated, for whoever waits for the next of it. Bounded: `eventsMax` each. */

import type { UpdateReport } from '../core/update.ts';
import type { Clock, Timer } from '../ports/time.ts';

const eventsMax = 64;

export type MemberEvent =
  | { readonly kind: 'report'; readonly report: UpdateReport }
  /** Its link has ended. */
  | { readonly kind: 'left' }
  /** It has joined. */
  | { readonly kind: 'joined' }
  /** Nothing came in time. */
  | { readonly kind: 'late' }
  /** Nobody waits for anything any more. */
  | { readonly kind: 'closed' };

interface Waited {
  readonly blob: string;
  readonly events: MemberEvent[];
  resolve: ((event: MemberEvent) => void) | null;
  timer: Timer | null;
}

export class MemberWaits {
  readonly #clock: Clock;
  readonly #waited = new Map<string, Waited>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now on what this worker says is kept; `blob`: the program it is to fetch. */
  open(workerId: string, blob: string): void {
    this.#waited.set(workerId, { blob, events: [], resolve: null, timer: null });
  }

  end(workerId: string): void {
    this.#waited.delete(workerId);
  }

  /** The program a worker is to fetch; null = it is not being updated. */
  blobOf(workerId: string): string | null {
    return this.#waited.get(workerId)?.blob ?? null;
  }

  /** The next of what this worker says. Never rejects. */
  next(workerId: string, withinMs: number): Promise<MemberEvent> {
    const waited = this.#waited.get(workerId);
    if (waited === undefined || this.#isClosed) return Promise.resolve({ kind: 'closed' });
    const event = waited.events.shift();
    if (event !== undefined) return Promise.resolve(event);
    return new Promise((resolve) => {
      waited.resolve = resolve;
      waited.timer = this.#clock.after(withinMs, () => this.give(workerId, { kind: 'late' }));
    });
  }

  /** Something was heard of a worker; of one that is not being updated it is nothing. */
  give(workerId: string, event: MemberEvent): void {
    const waited = this.#waited.get(workerId);
    if (waited === undefined) return;
    const { resolve, timer } = waited;
    waited.resolve = null;
    timer?.cancel();
    if (resolve !== null) resolve(event);
    else if (waited.events.length < eventsMax) waited.events.push(event);
  }

  close(): void {
    this.#isClosed = true;
    for (const workerId of [...this.#waited.keys()]) this.give(workerId, { kind: 'closed' });
  }
}
