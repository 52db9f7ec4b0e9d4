/**
 * The whole product in one thread: the real dispatcher and the real workers on simulated machines, with one simulated
 * network, disk and set of processes. Here programs are started, killed and asked to stop; when, is the scenario's
 * business, and whether all is well, that of the checks.
 */

import type { Policy } from '../../src/core/state.ts';
import type { WorkerDeclaration } from '../../src/core/worker.ts';
import type { PeerTableView } from '../../src/discovery/peer-table.ts';
import { Dispatcher } from '../../src/dispatcher/dispatcher.ts';
import type { Change } from '../../src/ports/store.ts';
import type { Log } from '../../src/ports/time.ts';
import { KeptOutputs } from '../../src/worker/kept-outputs.ts';
import { Worker } from '../../src/worker/worker.ts';
import { fixedWhereabouts } from '../fixed-whereabouts.ts';
import { MemoryBlobs } from '../memory-blobs.ts';
import { plainSandbox } from '../memory-files.ts';
import { plainTrust } from '../plain-trust.ts';
import { Machine, type Pace, Timeline } from './clock.ts';
import type { Dice } from './dice.ts';
import { Disk, SimulatedOutputs, SimulatedStore } from './disk.ts';
import { Journal } from './journal.ts';
import { Ledger, type Said } from './ledger.ts';
import { Network } from './net.ts';
import { workerPeersOf } from './peers.ts';
import { ProcessTable, Traces } from './processes.ts';
import type { Weather } from './wire.ts';
import { changeInWords } from './words.ts';

/** A device that is meant to run a worker. */
export interface Host {
  readonly name: string;
  readonly declaration: Omit<WorkerDeclaration, 'processId'>;
  readonly pace: Pace;
  /** Its blob cache, which outlives its programs. */
  readonly blobs: MemoryBlobs;
  /** The worker's program, null while there is none. */
  program: {
    readonly machine: Machine;
    readonly worker: Worker;
    readonly table: ProcessTable;
    /** What it knows of others by their beacons; null = it has no peers. */
    readonly peers: PeerTableView | null;
  } | null;
  /** What its thermometer shows; null = it has none. */
  temperatureC: number | null;
  /** It is on mains power; null = it has no battery. */
  charging: boolean | null;
  /** Its worker is not to be started again for now: somebody stopped it on purpose. */
  retired: boolean;
}

export interface Running {
  readonly machine: Machine;
  readonly dispatcher: Dispatcher;
}

/** Who wants to know what happens. */
export interface Watcher {
  /** Something happened to the dispatcher. */
  onStep(running: Running): void;
  /** The dispatcher is about to store this. */
  onCommit(changes: readonly Change[]): void;
  /** The dispatcher's program is gone. */
  onDispatcherGone(machine: Machine): void;
  /** A worker's program ended by itself or was killed. */
  onWorkerGone(host: Host): void;
  /** A program says something to another. */
  onSaid(said: Said): void;
}

export interface WorldOptions {
  readonly dice: Dice;
  readonly policy: Policy;
  readonly weather: Weather;
  readonly declarations: readonly Omit<WorkerDeclaration, 'processId'>[];
  readonly print: ((line: string) => void) | null;
}

const dispatcherName = 'd';

export class World {
  readonly timeline = new Timeline();
  readonly disk = new Disk();
  readonly traces = new Traces();
  readonly journal: Journal;
  readonly ledger = new Ledger();
  readonly network: Network;
  readonly hosts: readonly Host[];
  readonly policy: Policy;
  readonly weather: Weather;
  dispatcher: Running | null = null;
  /** Chance of a task's directory not to be made. */
  failedDirs = 0;
  /** The dispatcher lets its workers have peers. */
  peersAllowed = true;
  watcher: Watcher | null = null;
  readonly #dice: Dice;
  readonly #dispatcherPace: Pace;
  #starts = 0;

  constructor({ dice, policy, weather, declarations, print }: WorldOptions) {
    this.#dice = dice;
    this.policy = policy;
    this.weather = weather;
    this.journal = new Journal(this.timeline, print);
    this.network = new Network({
      ...{ timeline: this.timeline, dice: dice.fork(), journal: this.journal, weather },
      witness: (said) => {
        this.ledger.said(said);
        this.watcher?.onSaid(said);
      },
    });
    this.#dispatcherPace = this.#newPace();
    this.hosts = declarations.map((declaration) => {
      return {
        name: declaration.id,
        declaration,
        pace: this.#newPace(),
        blobs: new MemoryBlobs(),
        program: null,
        temperatureC: null,
        charging: null,
        retired: false,
      };
    });
  }

  /** The clocks the world has, to make them jump. */
  get paces(): readonly Pace[] {
    return [this.#dispatcherPace, ...this.hosts.map(({ pace }) => pace)];
  }

  // -------------------------------------------------------------------------------------------- the dispatcher

  startDispatcher(): void {
    if (this.dispatcher !== null) return;
    this.#starts += 1;
    const machine: Machine = this.#machine(dispatcherName, this.#dispatcherPace, {
      onCrash: () => this.killDispatcher({ silently: false }),
      afterwards: () => {
        if (this.dispatcher?.machine === machine) this.watcher?.onStep(this.dispatcher);
      },
    });
    const store = new SimulatedStore(this.disk, {
      machine,
      dice: this.#dice.fork(),
      witness: (changes) => {
        this.journal.note(dispatcherName, `commits ${changes.map(changeInWords).join(' ')}`);
        this.watcher?.onCommit(changes);
      },
    });
    const dispatcher = new Dispatcher({
      clock: machine.clock,
      store,
      outputs: new SimulatedOutputs(this.disk),
      blobs: this.disk.contents,
      log: this.#logOf(dispatcherName),
      policy: this.policy,
      version: '0',
      runId: `run${this.#starts}`,
      clusterId: '00112233445566ff',
      peersAllowed: this.peersAllowed,
      node: { id: 'd1', name: 'dispatcher' },
      roster: { save: () => undefined },
      trust: plainTrust(),
    });
    this.dispatcher = { machine, dispatcher };
    this.journal.note(dispatcherName, 'is up');
    void this.network.linksFor(machine).listen({ host: '', port: 0 }, (link) => dispatcher.accept(link));
  }

  killDispatcher({ silently }: { silently: boolean }): void {
    if (this.dispatcher === null) return;
    const { machine } = this.dispatcher;
    this.journal.note(dispatcherName, silently ? 'loses power' : 'is killed');
    machine.alive = false;
    this.dispatcher = null;
    this.disk.loseOutputs(this.#dice);
    if (silently) for (const blob of [...this.disk.contents.unsynced]) this.disk.contents.lose(blob);
    this.disk.contents.restart();
    this.network.died(machine, { silently });
    this.watcher?.onDispatcherGone(machine);
  }

  /** Ctrl-C. */
  closeDispatcher(): void {
    const running = this.dispatcher;
    if (running === null) return;
    const { machine, dispatcher } = running;
    machine.schedule(machine.instant, () => {
      this.journal.note(dispatcherName, 'closes');
      dispatcher.close();
      machine.schedule(machine.instant + 20, () => {
        if (this.dispatcher === running) this.killDispatcher({ silently: false });
      });
    });
  }

  // ----------------------------------------------------------------------------------------------- the workers

  startWorker(host: Host): void {
    if (host.program !== null) return;
    this.#starts += 1;
    const machine = this.#machine(host.name, host.pace, {
      onCrash: () => this.killWorker(host, { silently: false }),
      afterwards: () => undefined,
    });
    const dice = this.#dice.fork();
    const { blobs } = host;
    const table = new ProcessTable({ machine, dice, journal: this.journal, traces: this.traces, blobs });
    table.failedDirs = this.failedDirs;
    const peers =
      host.declaration.peerPort === null
        ? null
        : workerPeersOf({ hosts: this.hosts, network: this.network, machine, host, log: this.#logOf(host.name) });
    const worker = new Worker({
      peers,
      clock: machine.clock,
      random: { bytes: (count) => dice.bytes(count) },
      links: this.network.linksFor(machine),
      log: this.#logOf(host.name),
      launcher: table,
      workspace: table,
      sandbox: plainSandbox(),
      program: null,
      blobs,
      files: table.files,
      kept: new KeptOutputs({
        ...{ blobs, list: { save: () => undefined }, found: [], bytesMax: 0 },
        log: this.#logOf(host.name),
      }),
      declaration: { ...host.declaration, processId: `p${this.#starts}` },
      whereabouts: fixedWhereabouts([
        { host: 'dispatcher', port: 1 },
        { host: 'dispatcher', port: 2 },
      ]),
      proofs: () => [{ by: 'secret', psk: new Uint8Array(32) }],
      onCredential: () => undefined,
      onAdmitted: () => undefined,
      readVitals: () => ({
        load1: null,
        memoryFreeMb: null,
        batteryPercent: null,
        charging: host.charging,
        temperatureC: host.temperatureC,
      }),
      conditions: [],
      untouchedS: () => null,
      onStatus: (sentence) => this.journal.note(host.name, sentence),
    });
    const program = { machine, worker, table, peers: peers?.table ?? null };
    host.program = program;
    host.retired = false;
    this.journal.note(host.name, 'is up');
    machine.schedule(machine.instant, () => {
      void peers?.peers.listen({ host: '', port: 1 });
      void worker.run().then((end) => {
        this.journal.note(host.name, end.ok ? 'ends' : `ends: ${end.detail}`);
        machine.schedule(machine.instant + 20, () => {
          if (host.program === program) this.killWorker(host, { silently: false });
        });
      });
    });
  }

  /** Everything of it is gone at once, its processes too. */
  killWorker(host: Host, { silently }: { silently: boolean }): void {
    if (host.program === null) return;
    const { machine, table } = host.program;
    this.journal.note(host.name, silently ? 'loses power' : 'is gone');
    machine.alive = false;
    host.program = null;
    table.killAll();
    host.blobs.restart();
    if (this.#dice.chance(0.3)) host.blobs.blobs.clear();
    this.network.died(machine, { silently });
    this.watcher?.onWorkerGone(host);
  }

  /** The first Ctrl-C and, if `now`, the second. */
  leaveWorker(host: Host, { now }: { now: boolean }): void {
    const { program } = host;
    if (program === null) return;
    host.retired = true;
    program.machine.schedule(program.machine.instant, () => {
      this.journal.note(host.name, now ? 'is told to stop' : 'is told to leave');
      program.worker.leave();
      if (now) program.worker.stop();
    });
  }

  // --------------------------------------------------------------------------------------------------- inside

  #newPace(): Pace {
    const dice = this.#dice;
    return {
      startsAtMs: dice.whole(0, 1e9),
      rate: dice.between(0.97, 1.03),
      wallOffsetMs: dice.whole(-5000, 5000),
    };
  }

  #machine(name: string, pace: Pace, hooks: { onCrash(): void; afterwards(): void }): Machine {
    return new Machine(name, { timeline: this.timeline, dice: this.#dice.fork(), pace, ...hooks });
  }

  #logOf(name: string): Log {
    const note = (message: string): void => this.journal.note(name, `log: ${message}`);
    return { debug: () => undefined, info: note, warn: note, error: note };
  }
}
