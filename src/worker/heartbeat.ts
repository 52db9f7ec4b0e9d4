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

/** A dispatcher that is asked whether it is still there has this long to answer, ms. */
const answerMsMax = 1000;
/** Least time from one such question to the next, ms: what gives reason to doubt comes from anybody on the network. */
const askIntervalMs = 2000;

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
  /** Until it may be asked again. */
  #postponed: Timer | null = null;

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
    if (this.#patience !== null || this.#postponed !== null) return;
    const waitMs = this.#askedAt + askIntervalMs - this.#clock.steady();
    if (waitMs <= 0) this.#askNow();
    else this.#postponed = this.#clock.after(waitMs, () => this.#askNow());
  }

  #askNow(): void {
    this.#postponed = null;
    this.#askedAt = this.#clock.steady();
    this.#beat();
    this.#patience = this.#clock.after(answerMsMax, () => {
      this.#link.close('it does not answer there any more, and may be at another address');
    });
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
    this.#patience?.cancel();
    this.#postponed?.cancel();
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
