/**
 * A local network of its own: hosts as network namespaces, joined by bridges that live in one more namespace, with
 * processes that run inside. Nothing of it touches the interfaces of this machine, and nothing leaves it.
 *
 * Needs root and `ip`; where they are missing, `cannotNetwork` says so, and the test skips with a notice. Invariants:
 * names are drawn by chance, so that runs beside each other do not meet; after `closeLans` no namespace, and no process
 * that was started in one, is left, however the test ended.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Subprocess } from 'bun';
import { readLines, until } from '../e2e/site.ts';

const environment = { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' };

/** How a command ended, and what it wrote. */
export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function runNow(command: readonly string[]): Ran {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { env: environment, stdin: 'ignore' });
  return { status: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

function mustRun(...command: readonly string[]): string {
  const { status, stdout, stderr } = runNow(command);
  if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}

function whyNot(programs: readonly string[]): string | null {
  const missing = ['ip', ...programs].find((name) => Bun.which(name) === null);
  if (process.platform !== 'linux') return 'namespaces are Linux alone';
  if (missing !== undefined) return `${missing} is not installed`;
  if (process.getuid?.() !== 0) return 'this is not root';
  const probe = `octaskly-probe-${process.pid}`;
  const { status, stderr } = runNow(['ip', 'netns', 'add', probe]);
  runNow(['ip', 'netns', 'del', probe]);
  return status === 0 ? null : stderr.trim();
}

/** Why tests that need these programs and namespaces are skipped, printed once; null = they run. */
export function cannotNetwork(what: string, programs: readonly string[] = []): string | null {
  const reason = whyNot(programs);
  if (reason !== null) console.log(`not tested: ${what}: ${reason}`);
  return reason;
}

/** A process inside of a host. */
export class Inside {
  readonly lines: string[] = [];
  /** When each line came, steady ms. */
  readonly times: number[] = [];
  readonly startedAt = performance.now();
  private readonly child: Subprocess<'pipe', 'pipe', 'pipe'>;
  private readonly read: Promise<unknown>;

  constructor(command: readonly string[], env: Readonly<Record<string, string>>) {
    this.child = Bun.spawn([...command], {
      env: { ...environment, ...env },
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    this.read = Promise.all([this.collect(this.child.stdout), this.collect(this.child.stderr)]);
  }

  private async collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const line of readLines(stream)) {
      this.lines.push(line);
      this.times.push(performance.now());
    }
  }

  /** A line to its standard input. */
  write(line: string): void {
    this.child.stdin.write(`${line}\n`);
    this.child.stdin.flush();
  }

  /** Waits for a line; gives it, and when it came: ms since the process started. Lines before `from` do not count. */
  async line(pattern: RegExp, { from = 0, withinMs = 15_000 } = {}): Promise<{ line: string; at: number }> {
    const found = (): number => this.lines.findIndex((line, index) => index >= from && pattern.test(line));
    await until(`a line matches ${pattern}`, () => found() >= 0, {
      withinMs,
      details: () => `; lines: ${this.lines.join('\n')}`,
    });
    const index = found();
    return { line: this.lines[index] ?? '', at: (this.times[index] ?? 0) - this.startedAt };
  }

  /** Sends a signal, and waits for the end. */
  end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return this.ended();
  }

  /** Waits for the end; its last lines may still be on their way. */
  ended(): Promise<number | null> {
    return this.child.exited;
  }

  /** Waits until neither it nor anything it started writes any more. */
  async silent(): Promise<void> {
    await this.child.exited;
    await this.read;
  }
}

/** A device of the network. */
export class Host {
  readonly namespace: string;
  /** What goes before a command so that it runs there. */
  readonly through: readonly string[];
  /** For what its processes need, removed afterwards. */
  readonly directory: string;
  private readonly lan: Lan;
  private readonly number: number;

  constructor(lan: Lan, number: number) {
    this.lan = lan;
    this.number = number;
    this.namespace = `${lan.name}h${number}`;
    this.through = ['ip', 'netns', 'exec', this.namespace];
    this.directory = mkdtempSync(join(tmpdir(), `${this.namespace}-`));
    addNamespace(this.namespace);
  }

  /** Its address on a bridge, as `plug` gives it. */
  address(bridge = 0): string {
    return `10.79.${bridge}.${this.number}`;
  }

  ip(...args: readonly string[]): string {
    return mustRun('ip', '-n', this.namespace, ...args);
  }

  /** Gives it an interface on a bridge, with an IPv4 and an IPv6 address besides the link-local one. */
  plug(name: string, bridge = 0): void {
    const end = this.lan.nextCable();
    this.ip('link', 'add', name, 'type', 'veth', 'peer', 'name', end, 'netns', this.lan.switchNamespace);
    mustRun('ip', '-n', this.lan.switchNamespace, 'link', 'set', end, 'master', `lan${bridge}`, 'up');
    this.ip('addr', 'add', `${this.address(bridge)}/24`, 'dev', name);
    this.ip('addr', 'add', `fd79:${bridge}::${this.number}/64`, 'dev', name, 'nodad');
    this.ip('link', 'set', name, 'up');
  }

  unplug(name: string): void {
    this.ip('link', 'del', name);
  }

  run(...command: readonly string[]): Ran {
    return runNow([...this.through, ...command]);
  }

  /** Starts a process there; it is ended with the network at the latest. */
  start(command: readonly string[], env: Readonly<Record<string, string>> = {}): Inside {
    const inside = new Inside([...this.through, ...command], env);
    this.lan.processes.push(inside);
    return inside;
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function addNamespace(name: string): void {
  mustRun('ip', 'netns', 'add', name);
  mustRun('ip', '-n', name, 'link', 'set', 'lo', 'up');
  // Duplicate address detection would keep every IPv6 address unusable for a second or two.
  mustRun('ip', 'netns', 'exec', name, 'sh', '-c', 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad');
}

/** A network: bridges `lan0`, `lan1` …, and hosts `1`, `2` … with `eth0` on the first. */
export class Lan {
  readonly name = `ota${Math.floor(Math.random() * 36 ** 5).toString(36)}`;
  readonly switchNamespace = `${this.name}sw`;
  readonly hosts: Host[] = [];
  readonly processes: Inside[] = [];

  private cables = 0;

  /** A name for the end of a cable at the bridge. */
  nextCable(): string {
    this.cables += 1;
    return `cable${this.cables}`;
  }

  addBridge(number: number): void {
    mustRun('ip', '-n', this.switchNamespace, 'link', 'add', `lan${number}`, 'type', 'bridge');
    mustRun('ip', '-n', this.switchNamespace, 'link', 'set', `lan${number}`, 'up');
  }

  /** One more host on the first bridge. */
  addHost(): Host {
    const host = new Host(this, this.hosts.length + 1);
    this.hosts.push(host);
    host.plug('eth0');
    return host;
  }

  async close(): Promise<void> {
    const namespaces = [...this.hosts.map(({ namespace }) => namespace), this.switchNamespace];
    for (const namespace of namespaces) {
      for (const pid of runNow(['ip', 'netns', 'pids', namespace]).stdout.split('\n').filter(Boolean))
        endHard(Number(pid));
    }
    await Promise.all(this.processes.splice(0).map((each) => each.silent()));
    for (const namespace of namespaces) runNow(['ip', 'netns', 'del', namespace]);
    for (const host of this.hosts.splice(0)) host.close();
  }
}

function endHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

const lans: Lan[] = [];

/** A network with this many hosts on one bridge. */
export function openLan(hosts: number): Lan {
  const lan = new Lan();
  lans.push(lan);
  addNamespace(lan.switchNamespace);
  lan.addBridge(0);
  for (let count = 0; count < hosts; count += 1) lan.addHost();
  return lan;
}

/** For `afterEach`: ends every process of every network, and removes all of it. */
export async function closeLans(): Promise<void> {
  await Promise.all(lans.splice(0).map((lan) => lan.close()));
}
