/** A terminal in memory, and the command line in it. */

import { findingViewOf } from '../../../src/api/audit-views.ts';
import type { AuditFindingView } from '../../../src/api/trust-schemas.ts';
import { OctasklyError } from '../../../src/base/errors.ts';
import { type CliEnvironment, runCli } from '../../../src/cli/cli.ts';
import type { PinOptions } from '../../../src/cli/connecting.ts';
import { BrokenPipe, type InterruptSignal, type Sink, type Terminal } from '../../../src/cli/context.ts';
import type { FoundApi } from '../../../src/cli/reach.ts';
import { openLibrary } from '../../../src/roles/library.ts';
import type { FakeDispatcher } from './dispatcher.ts';
import { MemoryFiles } from './files.ts';

class MemorySink implements Sink {
  readonly isTTY: boolean;
  readonly columns: number | null;
  private readonly parts: Uint8Array[] = [];
  /** The reader leaves when this many bytes were written. */
  bytesMax = Number.POSITIVE_INFINITY;

  constructor(columns: number | null) {
    this.isTTY = columns !== null;
    this.columns = columns;
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.parts.flatMap((part) => [...part]));
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }

  async write(data: Uint8Array | string): Promise<void> {
    this.parts.push(typeof data === 'string' ? new TextEncoder().encode(data) : data.slice());
    if (this.bytes.length > this.bytesMax) throw new BrokenPipe('gone');
  }
}

export interface ShellOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** What is in files that are not UTF-8. */
  readonly bytes?: Readonly<Record<string, Uint8Array>>;
  /** Null: a terminal. `never`: open, but nothing ever comes. */
  readonly stdin?: readonly string[] | 'never' | null;
  readonly columns?: number;
  readonly dispatcher?: FakeDispatcher;
  /** Files to bring along and places for what comes back. */
  readonly local?: MemoryFiles;
  /** Cells of a terminal that standard error is. */
  readonly errorColumns?: number;
  /** What the dispatcher of the data directory left as its URL. */
  readonly announced?: string;
  /** Where somebody listens; missing: everywhere. */
  readonly answers?: readonly string[];
  /** Dispatchers found by mDNS. */
  readonly apis?: readonly FoundApi[];
  /** What a check of the record finds. */
  readonly finding?: AuditFindingView;
}

export class Shell {
  /** How far the clock went on. */
  passedMs = 0;
  readonly stdout: MemorySink;
  readonly stderr: MemorySink;
  readonly files: Map<string, string>;
  readonly roleCalls: unknown[] = [];
  /** Addresses that were to be called, with what is known of their certificates. */
  readonly pins: (PinOptions & { readonly baseUrl: string })[] = [];
  private readonly listeners = new Set<(signal: InterruptSignal) => void>();
  private readonly options: ShellOptions;

  constructor(options: ShellOptions = {}) {
    this.options = options;
    this.stdout = new MemorySink(options.columns ?? null);
    this.stderr = new MemorySink(options.errorColumns ?? null);
    this.files = new Map(Object.entries(options.files ?? {}));
  }

  signal(signal: InterruptSignal): void {
    for (const listener of [...this.listeners]) listener(signal);
  }

  run(...argv: string[]): Promise<number> {
    const role =
      (name: string) =>
      async (values: unknown, file?: string): Promise<number> => {
        this.roleCalls.push(file === undefined ? [name, values] : [name, values, file]);
        return 0;
      };
    const environment: CliEnvironment = {
      terminal: this.terminal(),
      files: this.options.local ?? new MemoryFiles({}),
      version: '9.9.9',
      openLibrary: async () => openLibrary({}),
      roles: {
        dispatcher: role('dispatcher'),
        worker: role('worker'),
        join: role('join'),
        runOnPeer: async (task) => {
          this.roleCalls.push(['runOnPeer', task.spec]);
          return 0;
        },
        verifyRecord: async (file) => {
          this.roleCalls.push(['verifyRecord', file]);
          return this.options.finding ?? findingViewOf({ ok: true, entries: 3 });
        },
        up: role('up'),
        peers: role('peers'),
        backup: role('backup'),
        restore: role('restore'),
        doctor: (values, topic, host) =>
          role('doctor')(values, [topic, host].filter((word) => word !== null).join(' ')),
        service: role('service'),
        update: role('update'),
        version: role('version'),
      },
      parseToml: (text) => Bun.TOML.parse(text),
      parseYaml: (text) => Bun.YAML.parse(text),
      readPrivate: (path) => {
        if (path.includes('open')) throw new OctasklyError('forbidden', `"${path}" can be read by others; chmod 600`);
        return this.files.get(path)?.trim() ?? null;
      },
      announcedApi: () => this.options.announced ?? null,
      answers: (url) => Promise.resolve(this.options.answers?.includes(url) ?? true),
      findApis: () => Promise.resolve(this.options.apis ?? []),
      localToken: (dataDir) => `token-of-${dataDir}`,
      fetchFor: (baseUrl, pin) => {
        this.pins.push({ baseUrl, ...pin });
        return (
          this.options.dispatcher?.fetch ??
          (() => Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })))
        );
      },
    };
    return runCli(argv, environment);
  }

  /** As commands see it. */
  terminal(): Terminal {
    const { stdin = null, env = {} } = this.options;
    return {
      stdout: this.stdout,
      stderr: this.stderr,
      keyboard: null,
      stdin: { isTTY: stdin === null, isEmpty: false, chunks: (signal) => chunksOf(stdin, signal) },
      env,
      homeDir: '/home/ada',
      textWidth: (text) => Bun.stringWidth(text),
      now: () => Date.parse('2026-01-01T01:00:00.000Z') + this.passedMs,
      onSignal: (listener) => {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
      },
      readText: async (path) => this.files.get(path) ?? null,
      readBytes: async (path) => {
        const text = this.files.get(path);
        return text === undefined ? null : (this.options.bytes?.[path] ?? new TextEncoder().encode(text));
      },
      writeText: async (path, text) => void this.files.set(path, text),
      appendText: async (path, text) => void this.files.set(path, `${this.files.get(path) ?? ''}${text}`),
    };
  }
}

async function* chunksOf(stdin: ShellOptions['stdin'], signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  if (stdin === 'never') {
    await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
    return;
  }
  for (const text of stdin ?? []) yield new TextEncoder().encode(text);
}
