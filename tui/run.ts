/**
 * The dashboard at work: facts come in from the dispatcher, the clock and the person; `update` and `pressed` say what
 * becomes of the state; what they order is done here; the screen is drawn.
 *
 * Facts from the dispatcher wait in an inbox and are taken together, at most five times a second, however many there are.
 * Nothing is asked of the dispatcher but after an event, a key, or five seconds. The dispatcher being away is a state, not
 * an end: everything that asks goes on asking.
 */

import type { FeedEvent } from '../src/api/schemas.ts';
import { OctasklyError, reasonOf } from '../src/base/errors.ts';
import type { Client } from '../src/client/client.ts';
import type { Role } from '../src/core/trust.ts';
import { type Deed, perform } from './deeds.ts';
import { followOutput } from './following.ts';
import type { Entry } from './journal.ts';
import { clicked, pasted, pressed, wheeled } from './keys.ts';
import { listRows } from './layout.ts';
import {
  type DataEvent,
  initial,
  isListed,
  type Key,
  type Model,
  type Order,
  ownCountsOf,
  queryOf,
  refusedEveryMs,
  type Step,
  seesCluster,
  type Target,
} from './model.ts';
import { type Paced, paced, pause } from './pace.ts';
import { counted, emptyTally, type Tally } from './rates.ts';
import type { Screen } from './screen.ts';
import { isNewestFirst, sortedMax } from './sorting.ts';
import type { OutputStream } from './tail.ts';
import { update } from './update.ts';
import { type Frame, targetAt, view } from './views.ts';

/** Least time between two pictures, ms, when nobody touched a key; and when somebody did. */
const drawEveryMs = 200;
const answerEveryMs = 20;
/** Lines of a worker's log that are read for its page. */
const logLines = 30;
/** Least time between two readings of the same thing, ms: a page of tasks, all workers, and as many tasks as are sorted. */
const readEveryMs = 500;
const systemReadEveryMs = 1000;
const sortedReadEveryMs = 3000;
const tickMs = 1000;
/** Codes of errors that mean there is no dispatcher to be reached. */
const away: ReadonlySet<string> = new Set(['unreachable', 'timeout']);
/** Events that wait to be shown; of more that come at once the older ones are not shown. */
const eventsMax = 500;
/** Characters of output that wait to be shown; older ones cannot be seen any more. */
const outputLengthMax = 256 * 1024;

export interface DashboardOptions {
  /** Makes the client; it tells `onLost` when a follow loses the dispatcher. */
  connect(onLost: (reason: string) => void): Client;
  readonly screen: Screen;
  /** Who one is to the dispatcher. */
  readonly role: Role;
  /** Hands over the log of a dispatcher that runs in this process, entry by entry; returns what ends that. Null: none does. */
  readonly followLog: ((listener: (entry: Entry) => void) => () => void) | null;
  /** What leaving ends beside the dashboard, as a question. Null: nothing. */
  readonly leaving: string | null;
  /** Ms since 1970. */
  now(): number;
  /** Calls when the process is asked to end; returns what ends the listening. */
  onStop(listener: (signal: string) => void): () => void;
}

/**
 * Shows the dashboard until the person leaves it or the process is asked to end. What goes wrong with the dispatcher is
 * shown; rejects only for a mistake of our own. Resolves with the signal that ended it; null: the person did.
 */
export async function runDashboard(options: DashboardOptions): Promise<string | null> {
  const dashboard = new Dashboard(options);
  let endedBy: string | null = null;
  const unhook = options.onStop((signal) => {
    endedBy ??= signal;
    dashboard.stop();
  });
  try {
    await dashboard.run();
    return endedBy;
  } finally {
    dashboard.stop();
    unhook();
  }
}

/** What the event stream told since it was last looked at. */
interface Feed {
  tally: Tally;
  readonly events: FeedEvent[];
  detail: boolean;
}

class Dashboard {
  private readonly client: Client;
  private readonly screen: Screen;
  private readonly now: () => number;
  private readonly ended = new AbortController();
  private readonly inbox: DataEvent[] = [];
  /** What the event stream told since the inbox was last emptied; null: nothing. */
  private feed: Feed | null = null;
  private readonly output = new Map<OutputStream, string>();
  private readonly logged: Entry[] = [];
  private readonly followLog: DashboardOptions['followLog'];
  private model: Model;
  private frame: Frame = { rows: [], hits: [] };
  private following = new AbortController();
  /** A mistake of our own, which ended everything. */
  private mistake: { readonly error: unknown } | null = null;
  private readonly drawing: Paced;
  private readonly answering: Paced;
  private readonly systemReading: Paced;
  private readonly taskReading: Paced;
  private readonly sortedReading: Paced;
  private readonly detailReading: Paced;
  private readonly workerReading: Paced;
  private readonly ownReading: Paced;

  constructor({ connect, screen, now, role, followLog, leaving }: DashboardOptions) {
    this.client = connect((reason) => this.post({ kind: 'linkLost', at: now(), reason }));
    this.screen = screen;
    this.now = now;
    this.followLog = followLog;
    const { columns, rows, ascii, textWidth } = screen.look;
    const facts = { address: this.client.baseUrl, role, leaving, ruler: { ascii, textWidth } };
    this.model = initial({ ...facts, now: now(), size: { columns, rows } });
    this.drawing = paced(drawEveryMs, now, () => this.turn());
    this.answering = paced(answerEveryMs, now, () => this.turn());
    this.systemReading = paced(systemReadEveryMs, now, () => this.readSystem());
    this.taskReading = paced(readEveryMs, now, () => this.readTasks());
    this.sortedReading = paced(sortedReadEveryMs, now, () => this.readTasks());
    this.workerReading = paced(readEveryMs, now, () => this.readWorkerTasks());
    this.detailReading = paced(readEveryMs, now, () => this.readDetail());
    this.ownReading = paced(sortedReadEveryMs, now, () => this.readOwn());
  }

  stop(): void {
    this.ended.abort();
  }

  async run(): Promise<void> {
    const { screen } = this;
    screen.onKey((key) => this.onKey(key));
    screen.onPaste((text) => this.act((model) => pasted(model, text)));
    screen.onClick((column, row) => this.onTarget(targetAt(this.frame, column, row)));
    screen.onWheel((direction) => this.act((model) => wheeled(model, direction)));
    screen.onResize((size) => this.act((model) => update(model, { kind: 'resized', size })));
    const unfollowLog = this.followLog?.((entry) => {
      this.logged.push(entry);
      if (this.logged.length > eventsMax) this.logged.shift();
      this.drawing.ask();
    });
    const ticking = setInterval(() => this.post({ kind: 'timePassed', at: this.now() }), tickMs);
    this.act((model) => update(model, { kind: 'timePassed', at: this.now() }));
    if (!seesCluster(this.model)) this.obey({ kind: 'readOwn' });
    try {
      await this.readFeed();
    } finally {
      clearInterval(ticking);
      unfollowLog?.();
      this.following.abort();
      for (const pace of [this.drawing, this.answering, this.systemReading, this.detailReading]) pace.stop();
      for (const pace of [this.taskReading, this.sortedReading, this.workerReading, this.ownReading]) pace.stop();
    }
    if (this.mistake !== null) throw this.mistake.error;
  }

  /** Does `work`; a mistake of our own in it ends the dashboard, which can then give the terminal back. */
  private guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.mistake ??= { error };
      this.stop();
    }
  }

  // ----------------------------------------------------------------------------------------- facts and pictures

  /** A fact that can wait for the next picture. */
  private post(event: DataEvent): void {
    this.inbox.push(event);
    this.drawing.ask();
  }

  private turn(): void {
    if (this.ended.signal.aborted) return;
    this.guard(() => {
      this.empty();
      this.frame = view(this.model, this.screen.look);
      this.screen.draw(this.frame.rows);
    });
  }

  /** Takes everything that waits. */
  private empty(): void {
    const { feed, output } = this;
    this.feed = null;
    if (feed !== null) this.inbox.push({ kind: 'feedMoved', at: this.now(), ...feed });
    if (this.logged.length > 0) this.inbox.push({ kind: 'logged', entries: this.logged.splice(0) });
    const id = this.model.detail?.id;
    for (const [stream, text] of output) {
      if (id !== undefined) this.inbox.push({ kind: 'outputArrived', id, stream, text });
    }
    output.clear();
    for (const event of this.inbox.splice(0)) this.take(update(this.model, event));
  }

  private take({ model, orders }: Step): void {
    this.model = model;
    for (const order of orders) this.obey(order);
  }

  /** What the person did shows at once. */
  private act(change: (model: Model) => Step): void {
    this.guard(() => this.take(change(this.model)));
    this.answering.ask();
  }

  private onKey(key: Key): void {
    if (key.name === 'C-l') this.screen.refresh();
    this.act((model) => pressed(model, key));
  }

  private onTarget(target: Target | null): void {
    if (target !== null) this.act((model) => clicked(model, target));
  }

  // ---------------------------------------------------------------------------------------------------- orders

  private obey(order: Order): void {
    switch (order.kind) {
      case 'readSystem':
        this.systemReading.ask();
        break;
      case 'readTasks':
        // Who sees no list at all waits for it.
        (isNewestFirst(this.model.sort) || !isListed(this.model) ? this.taskReading : this.sortedReading).ask();
        break;
      case 'readDetail':
        this.detailReading.ask();
        break;
      case 'follow':
        this.follow(order.id);
        break;
      case 'readWorkerTasks':
        this.workerReading.ask();
        break;
      case 'explain':
        void this.ask(async () => {
          this.post({ kind: 'explained', explanation: await this.client.explain(order.id) });
        });
        break;
      case 'readOwn':
        this.ownReading.ask();
        break;
      case 'suspend':
        this.screen.suspend(() => this.answering.ask());
        break;
      case 'quit':
        this.stop();
        break;
      default:
        this.perform(order);
    }
  }

  private perform(deed: Deed): void {
    void this.ask(async () => {
      const text = await perform(deed, this.client);
      this.post({ kind: 'orderDone', at: this.now(), text });
    });
  }

  /** Does `work`; what goes wrong with it becomes a fact, unless `signal` gave it up. Never rejects. */
  private async ask(work: () => Promise<void>, signal: AbortSignal = this.ended.signal): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (signal.aborted || this.ended.signal.aborted) return;
      const code = error instanceof OctasklyError ? error.code : 'internal';
      const kind = code === 'unauthorized' ? 'linkRefused' : away.has(code) ? 'linkLost' : 'failed';
      this.post({ kind, at: this.now(), reason: reasonOf(error) });
    }
  }

  private readSystem(): Promise<void> {
    return this.ask(async () => {
      const { client } = this;
      if (!seesCluster(this.model)) {
        // That it answers is all there is to know.
        await client.trust.whoami();
        this.post({ kind: 'systemRead', at: this.now(), stats: null, workers: [], approvals: [] });
        return;
      }
      const read = [client.stats(), client.workers(), client.trust.approvals()] as const;
      const [stats, { workers }, { approvals }] = await Promise.all(read);
      this.post({ kind: 'systemRead', at: this.now(), stats, workers, approvals });
    });
  }

  private readTasks(): Promise<void> {
    return this.ask(async () => {
      const query = queryOf(this.model);
      try {
        const list = await this.client.tasks(query, { signal: this.ended.signal });
        this.post({ kind: 'tasksRead', query, list });
      } catch (error) {
        // What stands there belongs to another question, or cannot be trusted any more.
        this.post({ kind: 'tasksRefused', query, reason: reasonOf(error) });
        throw error;
      }
    });
  }

  private readOwn(): Promise<void> {
    return this.ask(async () => {
      const list = await this.client.tasks({ limit: sortedMax }, { signal: this.ended.signal });
      const own = ownCountsOf(list.tasks, list.next_cursor !== null);
      this.post({ kind: 'ownRead', own, names: list.worker_names });
    });
  }

  private readWorkerTasks(): Promise<void> {
    return this.ask(async () => {
      const id = this.model.workerPage?.id;
      if (id === undefined) return;
      const query = { worker: id, status: ['running'], limit: listRows(this.model.size) } as const;
      const { tasks } = await this.client.tasks(query, { signal: this.ended.signal });
      // A worker that is away has none to give, which its state says already.
      const log = await this.client.workerLog(id, logLines).catch(() => []);
      this.post({ kind: 'workerTasksRead', id, tasks, log });
    });
  }

  private readDetail(): Promise<void> {
    return this.ask(async () => {
      const id = this.model.detail?.id;
      if (id === undefined) return;
      this.post({ kind: 'detailRead', task: await this.client.task(id, { signal: this.ended.signal }) });
    });
  }

  // --------------------------------------------------------------------------------------------------- streams

  /** Ends with `stop`. */
  private async readFeed(): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      await this.ask(async () => {
        for await (const item of this.client.events({ signal })) {
          if (item.kind === 'gap') this.post({ kind: 'feedRestarted', at: this.now() });
          else this.heard(item.event);
        }
      });
      // It ends by itself only for a lasting reason, such as a token that is not valid any more.
      await pause(this.model.link.kind === 'refused' ? refusedEveryMs : tickMs, signal);
    }
  }

  private heard(event: FeedEvent): void {
    this.feed ??= { tally: emptyTally, events: [], detail: false };
    const { feed } = this;
    feed.tally = counted(feed.tally, event);
    feed.events.push(event);
    if (feed.events.length > eventsMax) feed.events.shift();
    feed.detail ||= event.id === this.model.detail?.id;
    this.drawing.ask();
  }

  private follow(id: string | null): void {
    this.following.abort();
    this.output.clear();
    if (id === null) return;
    this.following = new AbortController();
    const { signal } = this.following;
    void this.ask(
      () =>
        followOutput(this.client, id, signal, {
          onText: (stream, text) => {
            this.output.set(stream, ((this.output.get(stream) ?? '') + text).slice(-outputLengthMax));
            this.drawing.ask();
          },
          onSkipped: () => this.post({ kind: 'outputSkipped', id }),
        }),
      signal,
    );
  }
}
