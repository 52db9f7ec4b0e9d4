/**
 * A site: a temporary directory as somebody's home, and the processes of the compiled file that run from it, started
 * and asked as a user does: by the command line and by HTTP. Nothing of the product is called in this process.
 *
 * Invariants: every process is known by its pid and ended by it; after `closeSites` none is left, nor any task's process,
 * and the directory is gone. What a test leaves behind makes it fail.
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Subprocess } from 'bun';
import type { Stats, TaskRequest, TaskView, TaskWithAttempts, WorkerView } from '../../src/api/schemas.ts';
import { executable } from './executable.ts';

/** Longest a condition is waited for unless the test says otherwise: for slow and busy machines. */
const patienceMs = 30_000;
const finalStatuses = ['completed', 'failed', 'timed_out', 'cancelled'];

/** How a process ended, and what it wrote. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A command before the executable, such as `['setpriv', '--reuid', '65534']`. */
  readonly through?: readonly string[];
  /** In the place of the executable: another build of it, and what it is run by. */
  readonly program?: readonly string[];
}

export interface CallOptions extends StartOptions {
  readonly stdin?: Uint8Array<ArrayBuffer> | string;
}

/** A process that runs; what it writes to standard error is its log. */
export interface Node {
  readonly pid: number;
  readonly log: () => string;
  readonly ended: Promise<{ readonly status: number | null; readonly signal: NodeJS.Signals | number | null }>;
  /** Sends a signal to this process alone. */
  kill(signal: NodeJS.Signals): void;
}

/** What the API answered. */
export interface Answer<T> {
  readonly status: number;
  readonly body: T;
}

/** Resolves when `condition` holds; rejects with its name and `details()` when it does not in time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { withinMs = patienceMs, details = () => '' }: { withinMs?: number; details?: () => string } = {},
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until ${what}${details()}`);
    await Bun.sleep(10);
  }
}

/** The lines of a stream as they come, without their ends. */
export async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/** A port nobody listens on, below those the system gives to outgoing connections. */
function freePort(): number {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    try {
      Bun.listen({ hostname: '0.0.0.0', port, socket: { data() {} } }).stop(true);
      return port;
    } catch {
      // Taken; another one.
    }
  }
}

/** Nothing of a test is to be seen on the networks of the machine it runs on. */
const quiet = { OCTASKLY_DISCOVERY: 'false' };

const sites: Site[] = [];

export function openSite(): Site {
  const site = new Site();
  sites.push(site);
  return site;
}

/** For `afterEach`: ends every process of every site. Throws when something of a task was left behind. */
export async function closeSites(): Promise<void> {
  const left: string[] = [];
  for (const site of sites.splice(0)) left.push(...(await site.close()));
  if (left.length > 0) throw new Error(`processes were left behind: ${left.join('; ')}`);
}

export class Site {
  readonly directory = mkdtempSync(join(tmpdir(), 'octaskly-e2e-'));
  readonly home = join(this.directory, 'home');
  readonly dataDir = join(this.home, '.octaskly');
  /** Workers dial this port. */
  readonly port = freePort();
  readonly apiPort = freePort();
  readonly url = `http://127.0.0.1:${this.apiPort}`;
  readonly #nodes: { name: string; node: Node }[] = [];

  constructor() {
    mkdirSync(this.home);
  }

  /** A path in the temporary directory. */
  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  #environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    const path = process.env.PATH ?? '/usr/bin:/bin';
    return { PATH: path, HOME: this.home, OCTASKLY_API: this.url, ...quiet, ...more };
  }

  async #command(args: readonly string[], { env, cwd, through = [], program }: StartOptions) {
    const command = [...through, ...(program ?? [await executable()]), ...args];
    return { command, cwd: cwd ?? this.directory, env: this.#environment(env) };
  }

  #track(name: string, child: Subprocess, log: () => string = () => ''): Node {
    const node: Node = {
      pid: child.pid,
      log,
      ended: child.exited.then(() => ({ status: child.exitCode, signal: child.signalCode })),
      kill: (signal) => child.kill(signal),
    };
    this.#nodes.push({ name, node });
    return node;
  }

  /** Starts `octaskly ARGS...` and leaves it running. */
  async start(args: readonly string[], options: StartOptions = {}): Promise<Node> {
    const name = `${this.#nodes.length}-${args[0]}`;
    const file = this.path(`${name}.log`);
    writeFileSync(file, '');
    const { command, ...how } = await this.#command(args, options);
    const child = Bun.spawn(command, { ...how, stdin: 'ignore', stdout: 'ignore', stderr: Bun.file(file) });
    return this.#track(name, child, () => readFileSync(file, 'utf8'));
  }

  /** Where a dispatcher of this site listens, as options. */
  get places(): readonly string[] {
    return ['--bind', '127.0.0.1', '--port', `${this.port}`, '--api-port', `${this.apiPort}`];
  }

  /** Starts a dispatcher on this site's ports and waits until it is ready. */
  async dispatcher(args: readonly string[] = [], options: StartOptions = {}): Promise<Node> {
    const node = await this.start(['dispatcher', ...this.places, ...args], options);
    await this.#outcome(node, 'the dispatcher is ready', 'dispatcher ready');
    return node;
  }

  /** Starts a worker and waits until it has joined. */
  async worker(name: string, args: readonly string[] = [], options: StartOptions = {}): Promise<Node> {
    const node = await this.start(['worker', '--port', `${this.port}`, '--name', name, ...args], options);
    await this.#outcome(node, `${name} has joined`, 'Joined the dispatcher');
    return node;
  }

  async #outcome(node: Node, what: string, line: string): Promise<void> {
    let isOver = false;
    void node.ended.then(() => {
      isOver = true;
    });
    await this.until(what, () => node.log().includes(line) || isOver);
    if (!node.log().includes(line)) throw new Error(`waited in vain until ${what}: ${node.log()}`);
  }

  /** Starts `octaskly ARGS...` for a caller that reads and writes its streams. */
  async open(args: readonly string[], options: StartOptions = {}): Promise<Subprocess<'pipe', 'pipe', 'pipe'>> {
    const { command, ...how } = await this.#command(args, options);
    const child = Bun.spawn(command, { ...how, stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
    this.#track(`${args[0]}`, child);
    return child;
  }

  /** Runs `octaskly ARGS...` to its end. */
  async run(args: readonly string[], { stdin, ...options }: CallOptions = {}): Promise<Ended> {
    const { command, ...how } = await this.#command(args, options);
    const input = stdin === undefined ? 'ignore' : new Blob([stdin]);
    const child = Bun.spawn(command, { ...how, stdin: input, stdout: 'pipe', stderr: 'pipe' });
    const { ended } = this.#track(`${args[0]}`, child);
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).arrayBuffer(),
      new Response(child.stderr).text(),
    ]);
    return { ...(await ended), stdout: Buffer.from(stdout), stderr };
  }

  /** Standard output of a command that must end well, without the line end. */
  async text(args: readonly string[], options: CallOptions = {}): Promise<string> {
    const { status, stdout, stderr } = await this.run(args, options);
    if (status !== 0) throw new Error(`octaskly ${args.join(' ')} ended with ${status}: ${stderr}`);
    return stdout.toString().trimEnd();
  }

  // -------------------------------------------------------------------------------------------------- the API

  async call<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // A connection kept from before a restart would fail at its first use.
      keepalive: false,
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as T };
  }

  async get<T>(path: string): Promise<T> {
    const { status, body } = await this.call<T>('GET', path);
    if (status !== 200) throw new Error(`GET ${path} answered ${status}: ${JSON.stringify(body)}`);
    return body;
  }

  /** Submits a task that must be accepted; its id. */
  async submit(request: TaskRequest): Promise<string> {
    const { status, body } = await this.call<TaskView>('POST', '/api/v1/tasks', request);
    if (status !== 201) throw new Error(`the task was refused with ${status}: ${JSON.stringify(body)}`);
    return body.id;
  }

  task(id: string): Promise<TaskWithAttempts> {
    return this.get(`/api/v1/tasks/${id}`);
  }

  stats(): Promise<Stats> {
    return this.get('/api/v1/stats');
  }

  async workers(): Promise<WorkerView[]> {
    return (await this.get<{ workers: WorkerView[] }>('/api/v1/workers')).workers;
  }

  /** All tasks, newest first. */
  async allTasks(): Promise<TaskView[]> {
    const tasks: TaskView[] = [];
    for (let cursor = ''; ; ) {
      const page = await this.get<{ tasks: TaskView[]; next_cursor: string | null }>(
        `/api/v1/tasks?limit=1000${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      tasks.push(...page.tasks);
      if (page.next_cursor === null) return tasks;
      cursor = page.next_cursor;
    }
  }

  // ------------------------------------------------------------------------------------------------ conditions

  /** As `until`; a failure shows what the nodes logged last. An error of the condition counts as "not yet". */
  async until(what: string, condition: () => boolean | Promise<boolean>, withinMs = patienceMs): Promise<void> {
    let trouble = '';
    const calm = async (): Promise<boolean> => {
      try {
        return await condition();
      } catch (error) {
        trouble = `; the last error: ${error instanceof Error ? error.message : String(error)}`;
        return false;
      }
    };
    await until(what, calm, { withinMs, details: () => `${trouble}${this.#logs()}` });
  }

  #logs(): string {
    return this.#nodes
      .filter(({ node }) => node.log() !== '')
      .map(({ name, node }) => ({ name, lines: node.log().trimEnd().split('\n').slice(-8) }))
      .map(({ name, lines }) => `\n--- ${name}\n${lines.join('\n')}`)
      .join('');
  }

  /** Waits until a task is in this state, or in any final one. */
  async reached(id: string, status: TaskView['status'] | 'final', withinMs = patienceMs): Promise<TaskWithAttempts> {
    let task: TaskWithAttempts | undefined;
    await this.until(
      `task ${id} is ${status}`,
      async () => {
        task = await this.task(id);
        return status === 'final' ? finalStatuses.includes(task.status) : task.status === status;
      },
      withinMs,
    );
    return task as TaskWithAttempts;
  }

  // ---------------------------------------------------------------------------------------------------- the end

  /** Ends everything; returns what had to be ended although its worker was gone. */
  async close(): Promise<string[]> {
    for (const { node } of this.#nodes) node.kill('SIGKILL');
    await Promise.all(this.#nodes.map(({ node }) => node.ended));
    let left = this.processes();
    const deadline = performance.now() + 10_000;
    while (left.length > 0 && performance.now() < deadline) {
      await Bun.sleep(20);
      left = this.processes();
    }
    for (const { pid } of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone in the meantime.
      }
    }
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
    return left.map(({ pid, command }) => `${pid} ${command}`);
  }

  /** Living processes that have this site as their home: its nodes and what tasks started. Linux; elsewhere none. */
  processes(): { pid: number; command: string }[] {
    const found: { pid: number; command: string }[] = [];
    for (const pid of process.platform === 'linux' ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : []) {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`HOME=${this.home}`)) continue;
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        if (command !== '') found.push({ pid: Number(pid), command });
      } catch {
        // Ended, or another user's.
      }
    }
    return found;
  }
}
