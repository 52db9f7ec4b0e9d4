/**
 * Words beside a transfer where packets get lost: how long a sign of life takes there and back while bytes of files flow
 * the same way, over TCP, where it waits behind them, and over QUIC, where it has a stream of its own. Two hosts are two
 * namespaces with a relay between them (`test/network/relay.ts`); so Linux, as root.
 */

import { join } from 'node:path';
import { closeLans, openLan } from '../network/namespaces.ts';
import { measureBetween, type NetworkFigures, type Place, together } from './network.ts';

const relay = join(import.meta.dir, '../network/relay.ts');
const addresses = ['10.78.0.1', '10.78.0.2'] as const;
/** Share of packets lost, each way. */
const loss = 0.01;
const everyMs = 10;

export interface LossFigures {
  readonly roundTripMs: number;
  readonly tcp: NetworkFigures;
  readonly quic: NetworkFigures;
}

/**
 * For each round trip time: TCP and QUIC in turn, each for so many seconds, round by round. A hundredth of 600 trips is six of
 * them, which luck decides: the trips of all rounds count together.
 */
export async function measureLoss(options: {
  readonly roundTripsMs: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
}): Promise<LossFigures[]> {
  const figures: LossFigures[] = [];
  for (const roundTripMs of options.roundTripsMs) figures.push(await measureOver(roundTripMs, options));
  return figures;
}

async function measureOver(
  roundTripMs: number,
  { seconds, rounds }: { readonly seconds: number; readonly rounds: number },
): Promise<LossFigures> {
  const [from, there] = openLan(2).hosts;
  if (from === undefined || there === undefined) throw new Error('no hosts');
  const ends = [from, there].flatMap(({ namespace }, index) => [namespace, `${addresses[index]}/24`]);
  const child = Bun.spawn([process.execPath, relay, ...ends, String(roundTripMs / 2), String(loss)], {
    env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  try {
    await child.stdout.getReader().read();
    const places: readonly [Place, Place] = [
      { through: from.through, host: addresses[0] },
      { through: there.through, host: addresses[1] },
    ];
    const all: Record<'tcp' | 'quic', NetworkFigures[]> = { tcp: [], quic: [] };
    for (let round = 0; round < rounds; round += 1) {
      for (const carrier of ['tcp', 'quic'] as const) {
        all[carrier].push(await measureBetween(...places, carrier, { kind: 'together', seconds, everyMs }));
      }
    }
    return { roundTripMs, tcp: together(all.tcp), quic: together(all.quic) };
  } finally {
    child.kill();
    await child.exited;
    await closeLans();
  }
}

if (import.meta.main) {
  for (const { roundTripMs, tcp, quic } of await measureLoss({
    roundTripsMs: [2, 20],
    seconds: Number(process.argv[2] ?? 5),
    rounds: Number(process.argv[3] ?? 1),
  })) {
    for (const [name, { p50Ms, p99Ms, megabytesPerSecond }] of Object.entries({ tcp, quic })) {
      console.log(
        `${roundTripMs} ms, ${name}: ${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)} ms beside ${megabytesPerSecond.toFixed(1)} MB/s`,
      );
    }
  }
}
