/** A worker in memory: what it dials, hears and tells is in the hands of a test. */

import type { Condition } from '../../../src/core/conditions.ts';
import type { Credential } from '../../../src/core/trust.ts';
import type { WorkerVitals } from '../../../src/core/worker.ts';
import type { KeptAttempt } from '../../../src/ports/files.ts';
import type { LinkEnd, LinkHandlers, Links, Proof } from '../../../src/ports/links.ts';
import type { Assignment, DispatcherMessage, WorkerMessage } from '../../../src/wire/messages.ts';
import { KeptOutputs } from '../../../src/worker/kept-outputs.ts';
import type { WorkerPeers } from '../../../src/worker/parts.ts';
import { Worker, type WorkerEnd } from '../../../src/worker/worker.ts';
import { fixedWhereabouts } from '../../fixed-whereabouts.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import { MemoryFiles, plainSandbox } from '../../memory-files.ts';
import { declaration } from '../core/samples.ts';
import { ManualClock } from '../manual-clock.ts';
import { FakeLauncher, FakeLink, FakeWorkspace, silentLog } from './fakes.ts';

/** Lets promises that are already settled run their course. */
export async function promises(): Promise<void> {
  for (let n = 0; n < 20; n++) await Promise.resolve();
}

export class Bench {
  readonly clock = new ManualClock();
  readonly launcher = new FakeLauncher();
  readonly workspace = new FakeWorkspace();
  readonly blobs = new MemoryBlobs();
  readonly files = new MemoryFiles(this.blobs);
  /** What was written last of what stays here. */
  remembered: readonly KeptAttempt[] = [];
  readonly list = {
    save: (attempts: readonly KeptAttempt[]): void => {
      this.remembered = attempts;
    },
  };
  readonly kept = new KeptOutputs({ blobs: this.blobs, list: this.list, found: [], bytesMax: 1000, log: silentLog });
  readonly status: string[] = [];
  readonly worker: Worker;
  link = new FakeLink();
  handlers: LinkHandlers<DispatcherMessage> | null = null;
  dials = 0;
  /** By what was dialled, in turn. */
  readonly shown: Proof['by'][] = [];
  proofs: readonly [Proof, ...Proof[]] = [{ by: 'secret', psk: new Uint8Array(32) }];
  readonly credentials: Credential[] = [];
  /** By what it was let in, and by whom. */
  readonly admitted: string[] = [];
  end: WorkerEnd | null = null;
  /** How it feels at each heartbeat. */
  vitals: Omit<WorkerVitals, 'running'> = {
    ...{ load1: null, memoryFreeMb: null, batteryPercent: null, charging: null, temperatureC: null },
  };
  /** Why dials fail; null = they succeed. */
  failure: LinkEnd | null = null;
  /** Dials take until `connect`. */
  slow = false;
  connect: () => void = () => undefined;

  constructor(slots = 1, addresses = 1, peers: WorkerPeers | null = null, conditions: readonly Condition[] = []) {
    const { clock, launcher, workspace } = this;
    this.worker = new Worker({
      clock,
      launcher,
      workspace,
      sandbox: plainSandbox(),
      program: null,
      blobs: this.blobs,
      files: this.files,
      kept: this.kept,
      random: { bytes: (count) => new Uint8Array(count) },
      links: { listen: () => Promise.reject(new Error('a worker does not listen')), dial: this.#dial },
      log: silentLog,
      declaration: declaration('w1', { slots }),
      whereabouts: fixedWhereabouts(
        Array.from({ length: addresses }, (_, n) => ({ host: `dispatcher${n}`, port: 7878 })),
      ),
      proofs: () => this.proofs,
      onCredential: (credential) => this.credentials.push(credential),
      onAdmitted: ({ by }, key) => this.admitted.push(`${by} ${key}`),
      readVitals: () => this.vitals,
      conditions,
      untouchedS: () => null,
      peers,
      onStatus: (sentence) => this.status.push(sentence),
    });
    void this.worker.run().then((end) => {
      this.end = end;
    });
  }

  #dial: Links['dial'] = ({ proof }, handlers) => {
    this.dials += 1;
    this.shown.push(proof.by);
    if (this.failure !== null) return Promise.resolve({ ok: false, end: this.failure });
    return new Promise((resolve) => {
      this.connect = () => {
        this.link = new FakeLink();
        this.handlers = handlers(this.link);
        resolve({ ok: true, link: this.link });
      };
      if (!this.slow) this.connect();
    });
  };

  hear(message: DispatcherMessage): void {
    this.handlers?.onMessage(message);
    this.clock.settle();
  }

  welcome(peers = true): void {
    const cluster = { clusterId: '00112233445566ff', peers };
    this.hear({ kind: 'welcome', name: 'w1', heartbeatMs: 5000, silenceMs: 60_000, resume: [], ...cluster });
  }

  assign(...attempts: Assignment[]): void {
    this.hear({ kind: 'assign', attempts });
  }

  break(): void {
    this.handlers?.onEnd({ code: 'connection_lost', detail: 'The line is cut.' });
  }

  async exit(taskId: string, attempt = 1): Promise<void> {
    await this.launcher.of(taskId, attempt).exit();
    this.clock.settle();
  }

  /** What was sent, in short: reports line by line. */
  told(): string[] {
    return this.link.take().flatMap((message: WorkerMessage) => {
      if (message.kind !== 'report') return [message.kind];
      return message.entries.map((entry) => {
        const outcome = entry.kind === 'ended' ? ` ${entry.outcome.kind}` : '';
        return `${entry.taskId}#${entry.attempt} ${entry.kind}${outcome}`;
      });
    });
  }
}

/** A worker that is welcome and has told nothing yet. */
export function joined(slots = 1): Bench {
  const bench = new Bench(slots);
  bench.welcome();
  bench.told();
  return bench;
}
