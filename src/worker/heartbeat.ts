/** Life on a joined link: vitals at the pace the dispatcher asked for, and an end when nothing comes back for too long. */

import type { WorkerLink } from '../ports/links.ts';
import type { Clock, Timer } from '../ports/time.ts';
import type { DispatcherMessage } from '../wire/messages.ts';

/** How often to beat, and how long to bear silence. */
type Pace = Pick<Extract<DispatcherMessage, { kind: 'welcome' }>, 'heartbeatMs' | 'silenceMs'>;

interface HeartbeatParts {
  readonly clock: Clock;
  readonly link: WorkerLink;
  readonly pace: Pace;
  /** Sends the vitals. */
  beat(): void;
}

/** A dispatcher that is asked whether it is still there has this long to answer, ms, and is not asked again sooner. */
const answerMsMax = 2000;
const askIntervalMs = 10_000;

/** Beats until `stop`; the first beat is at once. */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #link: WorkerLink;
  readonly #pace: Pace;
  readonly #beat: () => void;
  #timer: Timer | null = null;
  #heardAt: number;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** While an answer is waited for. */
  #patience: Timer | null = null;

  constructor({ clock, link, pace, beat }: HeartbeatParts) {
    this.#clock = clock;
    this.#link = link;
    this.#pace = pace;
    this.#beat = beat;
    this.#heardAt = clock.steady();
    this.#next();
  }

  /** The dispatcher said something. */
  heard(): void {
    this.#heardAt = this.#clock.steady();
    this.#patience?.cancel();
    this.#patience = null;
  }

  /** There is reason to doubt that the dispatcher is still at the other end: it has to say something soon. */
  ask(): void {
    const at = this.#clock.steady();
    if (at - this.#askedAt < askIntervalMs) return;
    this.#askedAt = at;
    this.#beat();
    this.#patience = this.#clock.after(answerMsMax, () => {
      this.#link.close('it does not answer there any more, and may be at another address');
    });
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
    this.#patience?.cancel();
  }

  #next(): void {
    const { heartbeatMs, silenceMs } = this.#pace;
    if (this.#clock.steady() - this.#heardAt > silenceMs) {
      this.#link.close(`the dispatcher was silent for ${Math.round(silenceMs / 1000)} s`);
      return;
    }
    this.#beat();
    this.#timer = this.#clock.after(heartbeatMs, () => this.#next());
  }
}
