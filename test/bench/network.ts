/**
 * Links beside a bare socket, on loopback: how long a word takes there and back, and how many bytes go one way. Bare is
 * `Bun.connect` with nothing of ours; the others are whole links over TCP and over QUIC. Every end is a process of its
 * own (`network-end.ts`), bytes go in messages as large as those of files, each figure is the median of the rounds.
 */

import { join } from 'node:path';
import { readLines } from '../e2e/site.ts';
import { type CarrierName, carrierNames, type Figures, type Work } from './network-end.ts';
import { median } from './stage.ts';

const host = '127.0.0.1';
const script = join(import.meta.dir, 'network-end.ts');

export interface NetworkFigures {
  /** There and back, ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly megabytesPerSecond: number;
  /** Of every trip, sorted, ms. */
  readonly times: readonly number[];
}

export interface NetworkOptions {
  readonly rounds: number;
  readonly trips: number;
  readonly bytes: number;
}

/** Where an end runs, as what goes before its command. */
export interface Place {
  readonly through: readonly string[];
  readonly host: string;
}

const here: Place = { through: [], host };

/** Measures the three in turn, round by round, so that what disturbs the machine disturbs all of them. */
export async function measureNetwork({
  rounds,
  ...amounts
}: NetworkOptions): Promise<Record<CarrierName, NetworkFigures>> {
  const all: Record<CarrierName, NetworkFigures[]> = { bare: [], tcp: [], quic: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const carrier of carrierNames)
      all[carrier].push(await measureBetween(here, here, carrier, { kind: 'apart', ...amounts }));
  }
  return { bare: medians(all.bare), tcp: medians(all.tcp), quic: medians(all.quic) };
}

/** Does the work between two processes, the one in `there` listening. */
export async function measureBetween(
  from: Place,
  there: Place,
  carrier: CarrierName,
  work: Work,
): Promise<NetworkFigures> {
  const listener = start(there, 'listen', carrier, there.host);
  try {
    const port = await firstLine(listener.stdout);
    const dialler = start(from, 'dial', carrier, there.host, port, JSON.stringify(work));
    const { times, megabytesPerSecond }: Figures = JSON.parse(await firstLine(dialler.stdout));
    await dialler.exited;
    return { p50Ms: at(times, 0.5), p99Ms: at(times, 0.99), megabytesPerSecond, times };
  } finally {
    listener.kill();
    await listener.exited;
  }
}

function start({ through }: Place, ...args: readonly string[]) {
  const env = { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin' };
  const command = [...through, process.execPath, script, ...args];
  return Bun.spawn(command, { env, stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' });
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  for await (const line of readLines(stream)) return line;
  throw new Error('an end of the measured connection ended without a word');
}

function at(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Of each figure by itself. */
export function medians(rounds: readonly NetworkFigures[]): NetworkFigures {
  const of = (key: Exclude<keyof NetworkFigures, 'times'>): number => median(rounds.map((each) => each[key]));
  const times = rounds.flatMap((each) => each.times).toSorted((a, b) => a - b);
  return { p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), megabytesPerSecond: of('megabytesPerSecond'), times };
}

/** As one long round: for what is seldom, and so differs from round to round. */
export function together(rounds: readonly NetworkFigures[]): NetworkFigures {
  const { times, megabytesPerSecond } = medians(rounds);
  return { p50Ms: at(times, 0.5), p99Ms: at(times, 0.99), megabytesPerSecond, times };
}

if (import.meta.main) {
  for (const [name, { p50Ms, p99Ms, megabytesPerSecond }] of Object.entries(
    await measureNetwork({ rounds: 5, trips: 3000, bytes: 500_000_000 }),
  )) {
    console.log(`${name}: ${p50Ms.toFixed(3)} / ${p99Ms.toFixed(3)} ms, ${megabytesPerSecond.toFixed(0)} MB/s`);
  }
}
