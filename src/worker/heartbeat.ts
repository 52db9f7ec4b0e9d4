/**
 * Life on a joined link: vitals at the pace the dispatcher asked for, each of which it answers, and an end when nothing
 * comes back. A worker that goes too soon loses nothing but the link, so it need not wait as long as a dispatcher does.
 *
 *   a beat unanswered until the next ──> asked once more, and given half a beat ──> given up
 *   reason to doubt from outside ──> asked at once, and given a moment ──> given up
 *   `silenceMs` without a word, whatever the reason ──> given up
 */

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
const answerMsMax = 700;
/** Silence, in heartbeats, from which a dispatcher is doubted: the last beat but one was not answered until the next. */
const beatsToDoubt = 1.5;
/** Time to read what has come, ms. */
const readMs = 10;
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
    if (waitMs <= 0) this.#askNow(answerMsMax);
    else this.#postponed = this.#clock.after(waitMs, () => this.#askNow(answerMsMax));
  }

  #askNow(patienceMs: number): void {
    this.#postponed = null;
    this.#askedAt = this.#clock.steady();
    this.#beat();
    this.#patience = this.#clock.after(patienceMs - readMs, () => {
      this.#giveUp('it does not answer there any more, and may be at another address');
    });
  }

  /** A process that stood still finds its timers due before it has read what came meanwhile: that is read first. */
  #giveUp(detail: string): void {
    this.#patience?.cancel();
    this.#patience = this.#clock.after(readMs, () => this.#link.giveUp(detail));
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
    this.#patience?.cancel();
    this.#postponed?.cancel();
  }

  #next(): void {
    const { heartbeatMs, silenceMs } = this.#pace;
    const silentMs = this.#clock.steady() - this.#heardAt;
    // Behind much output on a slow network a beat takes its time; whether that gets on, the transport watches.
    const doubts = silentMs > beatsToDoubt * heartbeatMs && !this.#link.congested && this.#patience === null;
    if (silentMs > silenceMs) this.#giveUp(`the dispatcher was silent for ${Math.round(silenceMs / 1000)} s`);
    else if (doubts) this.#askNow(Math.max(answerMsMax, heartbeatMs / 2));
    else this.#beat();
    this.#timer = this.#clock.after(heartbeatMs, () => this.#next());
  }
}
