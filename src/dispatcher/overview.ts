/**
 * What there is to see of a dispatcher as a whole: its workers, its figures, and why a task is where it is. Made when
 * somebody asks; asking changes nothing.
 */

import type { MetricFamily } from '../api/metrics.ts';
import type { Explanation, Stats, WorkerView } from '../api/schemas.ts';
import { explain } from '../core/explain.ts';
import type { RememberedWorker } from '../core/restore.ts';
import type { Task } from '../core/task.ts';
import type { CountedBlobs } from './counted-blobs.ts';
import type { Engine } from './engine.ts';
import type { KnownWorkers } from './known-workers.ts';
import { metricsOf } from './metrics.ts';
import type { Notifications } from './notify/notifications.ts';
import type { DispatcherParts } from './parts.ts';
import { explanationView, statsView, workerViews } from './views.ts';
import type { Waking } from './waking.ts';

interface Around {
  readonly engine: Pick<Engine, 'state' | 'tally'>;
  readonly known: Pick<KnownWorkers, 'size'>;
  readonly waking: Waking | null;
  readonly notifications: Notifications | null;
  readonly traffic: { readonly workers: CountedBlobs; readonly clients: CountedBlobs };
  /** Members on record that the scheduler does not know. */
  away(): readonly RememberedWorker[];
  isReady(): boolean;
}

export class Overview {
  readonly #parts: DispatcherParts;
  readonly #around: Around;
  readonly #startedAt: number;

  constructor(parts: DispatcherParts, around: Around) {
    this.#parts = parts;
    this.#around = around;
    this.#startedAt = parts.clock.steady();
  }

  explain(task: Task): Explanation {
    const { engine, waking } = this.#around;
    const sleepers = waking?.sleepers(task) ?? [];
    return explanationView(task, explain(engine.state, task, { at: this.#parts.clock.steady(), sleepers }));
  }

  workers(): readonly WorkerView[] {
    const { engine, waking, away } = this.#around;
    const callsOf = (id: string) => waking?.callsOf(id) ?? null;
    return workerViews(engine.state, away(), { kept: this.#parts.store.keptCounts(), callsOf });
  }

  stats(): Stats {
    const { engine, notifications } = this.#around;
    return statsView(engine.state, {
      version: this.#parts.version,
      uptimeMs: this.#parts.clock.steady() - this.#startedAt,
      offline: this.#offline,
      notifications: notifications?.counts,
      linksEnded: this.#parts.linksEnded?.() ?? {},
      discovery: this.#parts.discovery?.() ?? {},
    });
  }

  metrics(): readonly MetricFamily[] {
    const { version, linksEnded, discovery, storeWritten, process } = this.#parts;
    const { engine, traffic, waking, notifications, isReady } = this.#around;
    return metricsOf({
      ...{ version, state: engine.state, tally: engine.tally, blobs: traffic },
      offline: this.#offline,
      ready: isReady(),
      wakeCalls: waking?.total ?? 0,
      linksEnded: linksEnded?.() ?? {},
      discovery: discovery?.() ?? {},
      notifications: notifications?.counts ?? null,
      storeWritten: storeWritten?.() ?? null,
      process: process?.() ?? null,
    });
  }

  /** How many workers on record are not connected. */
  get #offline(): number {
    return Math.max(0, this.#around.known.size - this.#around.engine.state.workers.size);
  }
}
