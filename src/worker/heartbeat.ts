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

/** Beats until `stop`; the first beat is at once. */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #link: WorkerLink;
  readonly #pace: Pace;
  readonly #beat: () => void;
  #timer: Timer | null = null;
  #heardAt: number;

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
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
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
