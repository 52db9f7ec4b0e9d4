/**
 * Beacons as each host of a simulated world would hear them, and people who hand tasks to a worker directly. What they
 * were told is kept for the checks.
 */

import type { ReportEntry } from '../../src/core/attempt.ts';
import { nextId } from '../../src/core/ids.ts';
import type { Requirement } from '../../src/core/task.ts';
import type { Beacon } from '../../src/discovery/beacon.ts';
import { PeerTable } from '../../src/discovery/peer-table.ts';
import type { Log } from '../../src/ports/time.ts';
import type { Assignment, Stream } from '../../src/wire/messages.ts';
import type { PeerMessage } from '../../src/wire/peer-messages.ts';
import type { Peer } from '../../src/worker/peer.ts';
import { Machine } from './clock.ts';
import type { Dice } from './dice.ts';
import { keyOf } from './net.ts';
import { peersOf } from './peers.ts';
import type { Program } from './processes.ts';
import type { Host, World } from './world.ts';

/** How often each host hears of the others, ms. */
const beaconMs = 1000;
/** A person who heard nothing of its task for so long gives up. */
const patienceMs = 120_000;

/** A task somebody handed to a worker directly. */
export interface Handed {
  readonly id: string;
  readonly program: Program;
  readonly requires: Requirement;
  readonly host: string;
  /** What the worker said to it; null = nothing yet. */
  answer: 'runs' | 'refused' | null;
  readonly output: Record<Stream, number[]>;
  end: Extract<ReportEntry, { kind: 'ended' }> | null;
}

/** Lets every worker that has peers hear of the others, from now on. */
export function sendBeacons(world: World): void {
  const { timeline, hosts, network } = world;
  for (const from of hosts) {
    if (from.program === null || from.declaration.peerPort === null) continue;
    const beacon = beaconOf(from, from.program.worker.offer);
    for (const to of hosts) {
      const { program } = to;
      if (to === from || program === null || network.isCut([from.name, to.name])) continue;
      const table = program.peers;
      if (!(table instanceof PeerTable)) continue;
      program.machine.schedule(timeline.now, () => {
        table.heard(beacon, { address: from.name, port: 1 }, program.machine.clock.steady());
        table.expire(program.machine.clock.steady());
      });
    }
  }
  timeline.at(timeline.now + beaconMs, () => sendBeacons(world));
}

function beaconOf(
  { declaration, name: host }: Host,
  offer: Pick<Beacon, 'slotsFree' | 'waiting' | 'draining'>,
): Beacon {
  const { id, name, slots, cpuCores, memoryMb, gpu, labels, platform, arch, peerPort } = declaration;
  return {
    ...{ id, name, slots, cpuCores, memoryMb, gpu, labels, platform, arch, peerPort, ...offer },
    ...{ publicKey: keyOf(host), role: 'worker', version: '0', protocol: 4, addresses: [], memoryFreeMb: null },
    ...{ load1: null, blobs: new Uint8Array(0) },
  };
}

/** Hands tasks to workers directly, each by a program of its own with the key of the host it runs on. */
export class Askers {
  readonly handed: Handed[] = [];
  readonly #world: World;
  readonly #dice: Dice;
  #count = 0;

  constructor(world: World, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
  }

  hand({ program, requires }: Pick<Handed, 'program' | 'requires'>, from: Host, to: Host): void {
    this.#count += 1;
    const { timeline, journal } = this.#world;
    const name = `a${this.#count}`;
    const machine: Machine = new Machine(name, {
      timeline,
      dice: this.#dice.fork(),
      pace: from.pace,
      onCrash: () => undefined,
      afterwards: () => undefined,
    });
    const log: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    const peers = peersOf({ hosts: this.#world.hosts, network: this.#world.network, machine, host: from, log }, name);
    const id = handedId(machine.clock.wall(), this.#count);
    const output = { stdout: [], stderr: [] };
    const handed: Handed = { id, program, requires, host: to.name, answer: null, output, end: null };
    this.handed.push(handed);
    const leave = (): void => {
      void peers.close();
      machine.schedule(machine.instant + 20, () => {
        machine.alive = false;
        this.#world.network.died(machine, { silently: false });
      });
    };
    machine.schedule(timeline.now, () => {
      journal.note(name, `hands ${id} to ${to.name}`);
      peers.add({ onMessage: (peer, message) => hear(handed, { peer, message, leave }), onPeerEnd: leave });
      machine.clock.after(patienceMs, leave);
      const dialled = peers.dial({ publicKey: keyOf(to.name), host: to.name, port: 1 });
      void dialled.then((answer) => {
        if (!answer.ok) leave();
        else answer.peer.send({ kind: 'run', task: assignmentOf(handed) });
      });
    });
  }
}

/** Ids that no dispatcher gives out in the same millisecond. */
function handedId(wall: number, count: number): string {
  return `${nextId('', wall).slice(0, 8)}z${count.toString().padStart(3, '0')}`;
}

function assignmentOf({ id, program, requires }: Handed): Assignment {
  return {
    taskId: id,
    attempt: 1,
    spec: {
      ...{ command: JSON.stringify(program), argv: null, name: null, priority: 0, timeoutMs: 60_000, env: {} },
      ...{ workdir: null, stdin: { kind: 'closed' }, inputs: [], outputs: [], maxOutputBytes: 10_000_000 },
      ...{ requires, outputsAt: 'dispatcher' },
    },
  };
}

function hear(handed: Handed, { peer, message, leave }: { peer: Peer; message: PeerMessage; leave: () => void }): void {
  if (message.kind === 'runAnswered') {
    handed.answer = message.refusal === null ? 'runs' : 'refused';
    if (message.refusal !== null) leave();
  } else if (message.kind === 'output') take(handed, message.stream, message);
  else if (message.kind === 'report') {
    for (const entry of message.entries) {
      if (entry.kind !== 'ended') continue;
      const { stdoutBytes, stderrBytes } = entry.usage;
      take(handed, 'stdout', { offset: stdoutBytes - entry.stdout.length, data: entry.stdout });
      take(handed, 'stderr', { offset: stderrBytes - entry.stderr.length, data: entry.stderr });
      handed.end = entry;
      peer.send({ kind: 'ack', attempts: [{ taskId: entry.taskId, attempt: entry.attempt }] });
      leave();
    }
  }
}

function take({ output }: Handed, stream: Stream, { offset, data }: { offset: number; data: Uint8Array }): void {
  const known = output[stream];
  for (const [place, byte] of data.entries()) known[offset + place] = byte;
}
