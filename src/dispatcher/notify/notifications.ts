/**
 * Who is told of what: looks at what a turn changed, before it is stored, and hands notices to `deliveries.ts`.
 *
 * A task tells the destinations it names, and those of the dispatcher (`--notify`) unless it names none on purpose (an empty
 * list) or is of a batch, whose end tells of all its tasks. A worker is lost when it was silent for too long; one that
 * stopped, or was shut out, is not.
 *
 * A client's token could make the dispatcher, which may stand inside, call servers that the client cannot reach itself. So
 * a client may only name origins of `--notify` and hosts of `--notify-allow`, and redirects lead nowhere.
 */

import type { DeliveryState } from '../../api/backend.ts';
import { OctasklyError } from '../../base/errors.ts';
import { destinationText, mayNotify, originOf, parseDestination } from '../../core/destination.ts';
import type { AskedEvent, NotifyTarget } from '../../core/notification.ts';
import type { SchedulerState } from '../../core/state.ts';
import { type FinalStatus, isFinal, type Task } from '../../core/task.ts';
import { type Actor, ownerOf, scopeOf } from '../../core/trust.ts';
import type { Keyring } from '../../ports/keys.ts';
import type { Store } from '../../ports/store.ts';
import type { Clock, Log } from '../../ports/time.ts';
import type { Engine } from '../engine.ts';
import type { DispatcherParts } from '../parts.ts';
import { putOnRecord } from '../record.ts';
import type { Turn } from '../turn.ts';
import { Deliveries, type DeliveryCounts } from './deliveries.ts';
import { requestFor } from './forms.ts';
import { askedNews, batchNews, lostNews, type News, pendingNews, taskEventOf, taskNews } from './notices.ts';
import { OpenBatches } from './open-batches.ts';
import { Outcomes } from './outcomes.ts';
import type { NotifySetup } from './setup.ts';

interface Parts {
  readonly setup: NotifySetup;
  readonly keyring: Keyring;
  readonly clusterId: string;
  readonly runId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Pick<Store, 'batch' | 'batchHead' | 'deliveries'>;
  readonly engine: () => Engine;
  inTurn<T>(action: (turn: Turn) => T): Promise<T>;
}

/** What a submission names. */
interface Named {
  readonly tasks: readonly { readonly notify?: readonly NotifyTarget[] }[];
  readonly batch: { readonly notify?: readonly string[] } | null;
  readonly actor: Actor;
}

/** Hex digits that tell addresses of one origin apart. */
const labelLength = 6;

type EndedTask = Task & { readonly status: FinalStatus };

export class Notifications {
  readonly #parts: Parts;
  readonly #deliveries: Deliveries;
  readonly #origins: readonly string[];
  readonly #outcomes = new Outcomes();
  #open = new OpenBatches();
  #lastNumber = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { clock, log, engine, setup } = parts;
    this.#origins = setup.destinations.map(originOf);
    this.#deliveries = new Deliveries({
      ...{ clock, log, engine, own: setup.destinations },
      // Under a key of the cluster: from it nobody can try out which address it stands for.
      labelOf: (destination) => setup.hmac(this.key(), `label ${destination}`).slice(0, labelLength),
      onTried: (...tried) => this.#outcomes.tried(...tried),
      send: async ({ destination, notice }) => {
        const parsed = parseDestination(destination);
        if ('problem' in parsed) throw new Error(`the address ${parsed.problem}`);
        const keys = parts.keyring.valid(clock.wall()).map(({ notifyKey }) => notifyKey);
        return setup.postman.post(requestFor(parsed.value, notice, { keys, hmac: setup.hmac, wall: clock.wall() }));
      },
    });
  }

  get counts(): DeliveryCounts {
    return this.#deliveries.counts;
  }

  /** The state was loaded: batches that are open, and what is still to be delivered. Errors: as `Store.deliveries`. */
  restore(state: SchedulerState): void {
    this.#open = new OpenBatches(state.tasks.values());
    this.#deliveries.restore(this.#parts.store.deliveries());
  }

  close(): void {
    this.#deliveries.close();
    this.#parts.setup.postman.close();
  }

  /** The key that JSON webhooks are signed with; old ones are of use until the cluster secret they come from ends. */
  key(): string {
    return this.#parts.keyring.valid(this.#parts.clock.wall())[0].notifyKey;
  }

  /** Error: `forbidden` where the actor may not have somebody told there. */
  admit({ tasks, batch, actor }: Named): void {
    if (actor.role !== 'client') return;
    const named = [...tasks.flatMap(({ notify = [] }) => notify.map(({ to }) => to)), ...(batch?.notify ?? [])];
    for (const to of named) this.#mayTell(to);
  }

  /** As `NotificationDesk.check`. */
  check({ to }: { readonly to: string | null }, actor: Actor): void {
    if (actor.role !== 'client') return;
    if (to !== null) {
      this.#mayTell(to);
      return;
    }
    const problem = 'Only whoever operates the dispatcher may send to the destinations of its --notify.';
    throw new OctasklyError('forbidden', problem);
  }

  /** As `NotificationDesk.delivery`. */
  delivery(id: string, actor: Actor): DeliveryState | null {
    return this.#outcomes.of(id, scopeOf(actor));
  }

  /** Sends a text to one destination, or to those of `--notify`. Errors: `forbidden`, `conflict`, `rate_limited`. Resolves with ids once stored. */
  send(asked: { to: string | null; event: AskedEvent; text: string }, actor: Actor): Promise<readonly string[]> {
    const { to, event, text } = asked;
    this.check({ to }, actor);
    const destinations = to === null ? this.#parts.setup.destinations : [to];
    if (destinations.length === 0) {
      throw new OctasklyError('conflict', 'The dispatcher was started without --notify URL: name a destination.');
    }
    return this.#parts.inTurn((turn) => {
      const news = askedNews(event, text, ownerOf(actor));
      const told = destinations.map((one) => this.#tell(turn, one, news));
      const ids = told.flatMap((one) => ('id' in one ? one.id : []));
      if (ids.length === 0) {
        const [why = ''] = told.flatMap((one) => ('refusal' in one ? one.refusal : []));
        const next = "try again when some have arrived or were given up; 'octaskly stats' counts them.";
        throw new OctasklyError('rate_limited', `${why.replace(/\.$/, '')}: ${next}`);
      }
      for (const id of ids) this.#outcomes.begin(id, ownerOf(actor));
      const places = [...new Set(destinations.map(originOf))];
      putOnRecord(turn, { eventType: 'notification_sent', actor, details: { event, to: places } });
      return ids;
    });
  }

  /** A device asks to be let in. */
  asked(
    turn: Turn,
    { id, name, address }: { readonly id: string; readonly name: string; readonly address: string },
  ): void {
    this.#tellAll(turn, pendingNews({ id, name, address, detail: null }));
  }

  /** Adds what is to be told of this turn to what it stores. */
  complete(turn: Turn): void {
    const seen = new Set<string>();
    const ended: EndedTask[] = [];
    const closed = new Set<string>();
    for (const effect of turn.news.effects) {
      if (effect.kind === 'saveWorker') {
        const { worker } = effect;
        if (turn.state.workers.has(worker.id) || turn.at - worker.heardAt < turn.state.policy.silenceMs) continue;
        const { id, name, address } = worker;
        const silentS = Math.round((turn.at - worker.heardAt) / 1000);
        this.#tellAll(turn, lostNews({ id, name, address, detail: `nothing was heard of it for ${silentS} s` }));
      }
      if (effect.kind !== 'saveTask') continue;
      const { task, isNew } = effect;
      const { batchId } = task.spec;
      if (isNew) this.#open.begin(batchId);
      if (!hasEnded(task) || turn.state.tasks.has(task.id) || seen.has(task.id)) continue;
      seen.add(task.id);
      ended.push(task);
    }
    for (const task of ended) {
      this.#taskEnded(turn, task);
      const { batchId } = task.spec;
      if (this.#open.end(batchId) && batchId !== null) closed.add(batchId);
    }
    for (const id of closed) this.#batchEnded(turn, id, ended);
  }

  #taskEnded(turn: Turn, task: EndedTask): void {
    const { notify, batchId } = task.spec;
    const event = taskEventOf(task.status);
    const { destinations, events } = this.#parts.setup;
    const isOurs = notify?.length !== 0 && batchId === null && events.includes(event);
    const named = (notify ?? []).filter(({ on }) => on === null || on.some((one) => one === event));
    const all = new Set([...named.map(({ to }) => to), ...(isOurs ? destinations : [])]);
    if (all.size === 0) return;
    const worker = task.workerId === null ? null : (turn.state.workers.get(task.workerId)?.name ?? task.workerId);
    const news = taskNews(task, task.status, worker);
    for (const to of all) this.#tell(turn, to, news);
  }

  #batchEnded(turn: Turn, id: string, ended: readonly EndedTask[]): void {
    const { store } = this.#parts;
    const head = turn.newBatch(id) ?? store.batchHead(id);
    if (head === null) return;
    const { notify } = head;
    const { destinations, events } = this.#parts.setup;
    const isOurs = notify?.length !== 0 && events.includes('batch_ended');
    const all = new Set([...(notify ?? []), ...(isOurs ? destinations : [])]);
    if (all.size === 0) return;
    // Only now: counting takes the longer, the more tasks it has, and one that grows ends again and again.
    const batch = turn.newBatch(id) ?? store.batch(id);
    if (batch === null) return;
    const { name, owner, size } = batch;
    // What the store counts as ended, ended before this turn.
    const { completed = 0, failed = 0, timed_out = 0, cancelled = 0 } = 'counts' in batch ? batch.counts : {};
    const counts = { completed, failed, timed_out, cancelled };
    for (const { spec, status } of ended) if (spec.batchId === id) counts[status] += 1;
    const news = batchNews({ id, name, owner, size, ...counts });
    for (const to of all) this.#tell(turn, to, news);
  }

  #tellAll(turn: Turn, news: News): void {
    const { destinations, events } = this.#parts.setup;
    if (events.some((event) => event === news.event)) for (const to of destinations) this.#tell(turn, to, news);
  }

  /** The id of the delivery, or why there is no room for it. */
  #tell(turn: Turn, destination: string, news: News): { readonly id: string } | { readonly refusal: string } {
    this.#lastNumber += 1;
    const { runId, clusterId: cluster } = this.#parts;
    const id = `${runId}-${this.#lastNumber}`;
    const { event, ...rest } = news;
    const notice = { event, id, at: new Date(turn.wall).toISOString(), cluster, ...rest };
    const times = { createdAt: turn.wall, tries: 0, nextAt: turn.wall };
    const refusal = this.#deliveries.add(turn, { id, destination, notice, ...times });
    return refusal === null ? { id } : { refusal };
  }

  #mayTell(to: string): void {
    const { allowedHosts: hosts } = this.#parts.setup;
    if (mayNotify(to, { origins: this.#origins, hosts })) return;
    const problem = `A client's token may not have notifications sent to ${originOf(to)}`;
    throw new OctasklyError(
      'forbidden',
      `${problem}: the dispatcher allows the hosts of its --notify and --notify-allow alone.`,
    );
  }
}

/** The notifications of a dispatcher of these parts; null where it was not given the means. */
export function notificationsOf(
  { notify, trust, ...parts }: DispatcherParts,
  around: Pick<Parts, 'engine' | 'inTurn'>,
): Notifications | null {
  return notify === undefined
    ? null
    : new Notifications({ ...parts, ...around, setup: notify, keyring: trust.keyring });
}

function hasEnded(task: Task): task is EndedTask {
  return isFinal(task.status);
}

/** Destinations as they are stored, each once. Error: `usage`, naming the option and never what may be secret in an address. */
export function destinationsOf(texts: readonly string[], option: string): string[] {
  const stored = texts.map((text) => {
    const parsed = parseDestination(text);
    if ('value' in parsed) return destinationText(parsed.value);
    throw new OctasklyError('usage', `An address given with ${option} ${parsed.problem}.`);
  });
  return [...new Set(stored)];
}
