/**
 * The dashboard at work: facts come in from the dispatcher, the clock and the person; `update` and `pressed` say what
 * becomes of the state; what they order is done here; the screen is drawn.
 *
 * Facts from the dispatcher wait in an inbox and are taken together, at most five times a second, however many there are.
 * Nothing is asked of the dispatcher but after an event, a key, or five seconds. The dispatcher being away is a state, not
 * an end: everything that asks goes on asking.
 */

import { unreachable } from '../src/base/assert.ts';
import { OctasklyError, reasonOf } from '../src/base/errors.ts';
import type { Client } from '../src/client/client.ts';
import { clicked, type Key, pressed, wheeled } from './keys.ts';
import { type DataEvent, initial, type Model, type Order, queryOf, type Step, type Target, update } from './model.ts';
import { type Paced, paced } from './pace.ts';
import { counted, emptyTally, type Tally } from './rates.ts';
import type { Screen } from './screen.ts';
import type { OutputStream } from './tail.ts';
import { type Frame, targetAt, view } from './views.ts';

/** Least time between two pictures, ms, when nobody touched a key; and when somebody did. */
const drawEveryMs = 200;
const answerEveryMs = 20;
/** Least time between two readings of the same thing, ms. */
const readEveryMs = 500;
const tickMs = 1000;
/** Bytes of output before its present end that are read when a task is opened. */
const outputBytesBack = 64 * 1024;
/** Characters of output that wait to be shown; older ones cannot be seen any more. */
const outputLengthMax = 256 * 1024;

export interface DashboardOptions {
  /** Makes the client; it tells `onLost` when a follow loses the dispatcher. */
  connect(onLost: (reason: string) => void): Client;
  readonly screen: Screen;
  /** Ms since 1970. */
  now(): number;
  /** Calls when the process is asked to end; returns what ends the listening. */
  onStop(listener: () => void): () => void;
}

/**
 * Shows the dashboard until the person leaves it or the process is asked to end. What goes wrong with the dispatcher is
 * shown; rejects only for a mistake of our own.
 */
export async function runDashboard(options: DashboardOptions): Promise<void> {
  const dashboard = new Dashboard(options);
  const unhook = options.onStop(() => dashboard.stop());
  try {
    await dashboard.run();
  } finally {
    dashboard.stop();
    unhook();
  }
}

interface Feed {
  readonly tally: Tally;
  readonly tasks: boolean;
  readonly detail: boolean;
}

const quietFeed: Feed = { tally: emptyTally, tasks: false, detail: false };

class Dashboard {
  private readonly client: Client;
  private readonly screen: Screen;
  private readonly now: () => number;
  private readonly ended = new AbortController();
  private readonly inbox: DataEvent[] = [];
  /** What the event stream told since the inbox was last emptied; null: nothing. */
  private feed: Feed | null = null;
  private readonly output = new Map<OutputStream, string>();
  private model: Model;
  private frame: Frame = { rows: [], hits: [] };
  private following = new AbortController();
  /** A mistake of our own, which ended everything. */
  private mistake: { readonly error: unknown } | null = null;
  private readonly drawing: Paced;
  private readonly answering: Paced;
  private readonly systemReading: Paced;
  private readonly taskReading: Paced;
  private readonly detailReading: Paced;

  constructor({ connect, screen, now }: DashboardOptions) {
    this.client = connect((reason) => this.post({ kind: 'linkLost', at: now(), reason }));
    this.screen = screen;
    this.now = now;
    const { columns, rows } = screen.look;
    this.model = initial({ address: this.client.baseUrl, now: now(), size: { columns, rows } });
    this.drawing = paced(drawEveryMs, now, () => this.turn());
    this.answering = paced(answerEveryMs, now, () => this.turn());
    this.systemReading = paced(readEveryMs, now, () => this.readSystem());
    this.taskReading = paced(readEveryMs, now, () => this.readTasks());
    this.detailReading = paced(readEveryMs, now, () => this.readDetail());
  }

  stop(): void {
    this.ended.abort();
  }

  async run(): Promise<void> {
    const { screen } = this;
    screen.onKey((key) => this.onKey(key));
    screen.onClick((column, row) => this.onTarget(targetAt(this.frame, column, row)));
    screen.onWheel((direction) => this.act((model) => wheeled(model, direction)));
    screen.onResize((size) => this.act((model) => update(model, { kind: 'resized', size })));
    const ticking = setInterval(() => this.post({ kind: 'timePassed', at: this.now() }), tickMs);
    this.act((model) => update(model, { kind: 'timePassed', at: this.now() }));
    try {
      await this.readFeed();
    } finally {
      clearInterval(ticking);
      this.following.abort();
      const paces = [this.drawing, this.answering, this.systemReading, this.taskReading, this.detailReading];
      for (const pace of paces) pace.stop();
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
        this.taskReading.ask();
        break;
      case 'readDetail':
        this.detailReading.ask();
        break;
      case 'follow':
        this.follow(order.id);
        break;
      case 'cancel':
        void this.ask(async () => {
          await this.client.cancel(order.id);
          this.post({ kind: 'orderDone', at: this.now(), text: `Task ${order.id} is to end.` });
        });
        break;
      case 'retry':
        void this.ask(async () => {
          const { id } = await this.client.retry(order.id);
          this.post({ kind: 'orderDone', at: this.now(), text: `Submitted again as task ${id}.` });
        });
        break;
      case 'explain':
        void this.ask(async () => {
          this.post({ kind: 'explained', explanation: await this.client.explain(order.id) });
        });
        break;
      case 'quit':
        this.stop();
        break;
      default:
        unreachable(order);
    }
  }

  /** Does `work`; what goes wrong with it becomes a fact, unless `signal` gave it up. Never rejects. */
  private async ask(work: () => Promise<void>, signal: AbortSignal = this.ended.signal): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (signal.aborted || this.ended.signal.aborted) return;
      const away = error instanceof OctasklyError && ['unreachable', 'timeout'].includes(error.code);
      this.post({ kind: away ? 'linkLost' : 'failed', at: this.now(), reason: reasonOf(error) });
    }
  }

  private readSystem(): Promise<void> {
    return this.ask(async () => {
      const [stats, { workers }] = await Promise.all([this.client.stats(), this.client.workers()]);
      this.post({ kind: 'systemRead', at: this.now(), stats, workers });
    });
  }

  private readTasks(): Promise<void> {
    return this.ask(async () => {
      const query = queryOf(this.model);
      const list = await this.client.tasks(query, { signal: this.ended.signal });
      this.post({ kind: 'tasksRead', query, list });
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
          else {
            const { tally, tasks, detail } = this.feed ?? quietFeed;
            this.feed = {
              tally: counted(tally, item.event),
              tasks: tasks || item.event.kind === 'task',
              detail: detail || item.event.id === this.model.detail?.id,
            };
            this.drawing.ask();
          }
        }
      });
      // It ends by itself only for a lasting reason, such as a token that is not valid any more.
      await pause(tickMs, signal);
    }
  }

  private follow(id: string | null): void {
    this.following.abort();
    this.output.clear();
    if (id === null) return;
    this.following = new AbortController();
    const { signal } = this.following;
    void this.ask(async () => {
      const task = await this.client.task(id, { signal });
      const sizes = { stdout: task.stdout_bytes, stderr: task.stderr_bytes };
      await Promise.all([this.copy(id, 'stdout', sizes, signal), this.copy(id, 'stderr', sizes, signal)]);
    }, signal);
  }

  private async copy(
    id: string,
    stream: OutputStream,
    sizes: Readonly<Record<OutputStream, number>>,
    signal: AbortSignal,
  ): Promise<void> {
    const decoder = new TextDecoder();
    const from = Math.max(0, sizes[stream] - outputBytesBack);
    for await (const chunk of this.client.output(id, { stream, follow: true, from, signal })) {
      if (signal.aborted) return;
      const waiting = (this.output.get(stream) ?? '') + decoder.decode(chunk, { stream: true });
      this.output.set(stream, waiting.slice(-outputLengthMax));
      this.drawing.ask();
    }
  }
}

/** Resolves after `delayMs`, or when `signal` aborts. */
function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener('abort', done);
  });
}
