/**
 * What the page knows of the cluster, and how it stays true: figures are read every `pollMs`, events every `newsMs`, and handed on
 * in bundles, so that a thousand of them cost one drawing. A dispatcher that goes away is shown, and tried again until it is
 * back; what was missed is read anew.
 *
 * No request stays open: a browser has six connections to a host for all its windows together, and a window that held one or
 * two would leave none for the fourth. A page that nobody looks at asks for nothing.
 */

import type { FeedEvent, Stats, WorkerView } from '../api/schemas.ts';
import type { ApprovalView, SessionView } from '../api/trust-schemas.ts';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { type Client, createClient } from '../client/client.ts';
import type { FeedItem } from '../client/events.ts';
import { setByServer, wallMs } from './clock.ts';
import { emptyHistory, type History, sampled } from './model/history.ts';
import { tabsFor } from './model/place.ts';
import { Value } from './value.ts';

const pollMs = 2000;
/** How often it is asked what happened. */
const newsMs = 500;
/** Answers that are kept for views which come back while the dispatcher is away. */
const keptMax = 30;

/** Who looks: not known yet, somebody, or nobody the dispatcher knows. */
export type Who =
  | { readonly kind: 'asking' }
  | { readonly kind: 'known'; readonly session: SessionView }
  | { readonly kind: 'unknown'; readonly reason: string | null };

/** What happened since the last bundle; null = anything may have: read anew what you show. */
export type Bundle = readonly FeedEvent[] | null;

export interface Cluster {
  readonly stats: Stats;
  readonly workers: readonly WorkerView[];
  readonly approvals: readonly ApprovalView[];
  readonly history: History;
}

/** True for an error that signing in may mend. */
function isSignedOut(error: unknown): boolean {
  return error instanceof OctasklyError && error.code === 'unauthorized';
}

/** Waits; shorter when somebody begins to look at the page again. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    document.addEventListener('visibilitychange', done);
    function done(): void {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', done);
      resolve();
    }
  });
}

export class Live {
  readonly client: Client;
  readonly who = new Value<Who>({ kind: 'asking' });
  /** Null while the dispatcher answers, else why it does not. */
  readonly lost = new Value<string | null>(null);
  /** Null before the first answer, and for who may not see it. */
  readonly cluster = new Value<Cluster | null>(null);
  /** Names of workers by their ids, as far as answers told them: also for who does not see the cluster. */
  readonly names = new Value<ReadonlyMap<string, string>>(new Map());
  readonly events = new Value<Bundle>([]);
  readonly #kept = new Map<string, unknown>();
  #running: AbortController | null = null;

  constructor(origin: string) {
    this.client = createClient({
      baseUrl: origin,
      fetch: async (url, init) => {
        try {
          const response = await fetch(url, init);
          this.lost.set(null);
          setByServer(response.headers.get('date'));
          return response;
        } catch (error) {
          if (init.signal?.aborted !== true) this.lost.set(reasonOf(error));
          throw error;
        }
      },
    });
  }

  /** What a view showed last under `key`; it is for the caller to know its type. */
  kept(key: string): unknown {
    return this.#kept.get(key);
  }

  /** Keeps it for as long as the same one looks. */
  keep(key: string, value: unknown): void {
    this.#kept.delete(key);
    this.#kept.set(key, value);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > keptMax && oldest !== undefined) this.#kept.delete(oldest);
  }

  /** Takes in names of workers by their ids. */
  learn(names: Readonly<Record<string, string>>): void {
    const known = this.names.now;
    const news = Object.entries(names).filter(([id, name]) => known.get(id) !== name);
    if (news.length > 0) this.names.set(new Map([...known, ...news]));
  }

  /** Asks who looks, and begins to watch when the dispatcher knows. */
  async begin(): Promise<void> {
    // Until it is known who looks nothing else is asked: each try without a valid session counts as somebody who guesses.
    this.#running?.abort();
    try {
      this.#watch(await this.client.overview.session());
    } catch (error) {
      if (!isSignedOut(error)) {
        setTimeout(() => void this.begin(), pollMs);
        return;
      }
      // A session that does not hold any more is removed: on its own machine the page may need none.
      const reason = this.who.now.kind === 'known' ? 'The session has ended: sign in again.' : null;
      this.#end();
      await this.client.overview.signOut().catch(() => undefined);
      const session = await this.client.overview.session().catch(() => null);
      if (session === null) this.who.set({ kind: 'unknown', reason });
      else this.#watch(session);
    }
  }

  /** Errors: `unauthorized`, `rate_limited`, `unreachable`. */
  async signIn(token: string): Promise<void> {
    this.#watch(await this.client.overview.signIn(token));
  }

  async signOut(): Promise<void> {
    this.#end();
    await this.client.overview.signOut();
    this.who.set({ kind: 'asking' });
    await this.begin();
  }

  #end(): void {
    this.#running?.abort();
    this.#running = null;
    this.cluster.set(null);
    this.names.set(new Map());
    this.#kept.clear();
  }

  #watch(session: SessionView): void {
    this.#end();
    const running = new AbortController();
    this.#running = running;
    this.who.set({ kind: 'known', session });
    const tabs = tabsFor(session.role);
    if (tabs.length > 0) void this.#follow(running.signal);
    if (tabs.some(({ needs }) => needs === 'cluster')) void this.#poll(running.signal);
  }

  async #poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // A page nobody looks at asks for nothing, but for the first time.
      if (document.visibilityState === 'visible' || this.cluster.now === null) {
        await this.#read(signal).catch((error: unknown) => this.#failed(error, signal));
      }
      await pause(pollMs);
    }
  }

  /** Reads the figures now, beside the regular times. */
  async refresh(): Promise<void> {
    const signal = this.#running?.signal;
    if (signal !== undefined && this.cluster.now !== null) await this.#read(signal).catch(() => undefined);
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { client } = this;
    const [stats, { workers }, { approvals }] = await Promise.all([
      client.stats(),
      client.workers(),
      client.trust.approvals(),
    ]);
    if (signal.aborted) return;
    const history = sampled(this.cluster.now?.history ?? emptyHistory, { stats, workers }, wallMs());
    this.learn(Object.fromEntries(workers.map(({ id, name }) => [id, name])));
    this.cluster.set({ stats, workers, approvals, history });
  }

  #failed(error: unknown, signal: AbortSignal): void {
    // Beside somebody who guesses, an invalid session is told "too many tries" before "invalid".
    const isRefused = isSignedOut(error) || (error instanceof OctasklyError && error.code === 'rate_limited');
    // Whoever notices first; the others have been told to end.
    if (!signal.aborted && isRefused) void this.begin();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    let lastEventId = '';
    while (!signal.aborted) {
      if (document.visibilityState === 'visible' || lastEventId === '') {
        try {
          const news = await this.client.overview.news({ lastEventId, signal });
          lastEventId = news.lastEventId;
          if (!signal.aborted) this.#tell(news.items);
        } catch (error) {
          this.#failed(error, signal);
        }
      }
      await pause(newsMs);
    }
  }

  #tell(items: readonly FeedItem[]): void {
    const gap = items.findLastIndex(({ kind }) => kind === 'gap');
    // Twice nothing known would be no change: what follows a gap is a bundle of its own.
    if (gap >= 0) this.events.set(null);
    const bundle = items.slice(gap + 1).flatMap((item) => (item.kind === 'event' ? [item.event] : []));
    if (gap >= 0 || bundle.length > 0) this.events.set(bundle);
  }
}
