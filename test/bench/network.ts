/**
 * Links beside a bare socket, on loopback: how long a word takes there and back, and how many bytes go one way. Bare is
 * `Bun.connect` with nothing of ours; encrypted is a whole link (sealed, checked messages) over TCP and over QUIC. The ends
 * of every pair are in one process, so the figures are those of both together; each is the median of the rounds.
 */

import type { Link } from '../../src/ports/links.ts';
import type { Transport } from '../../src/ports/transport.ts';
import { nativeCrypto } from '../../src/runtime/crypto.ts';
import { dispatcherGate, keySet } from '../../src/runtime/keys.ts';
import { createLinks, linkLimits } from '../../src/runtime/links.ts';
import { createQuicTransport, quicLimits } from '../../src/runtime/quic.ts';
import { createTcpTransport } from '../../src/runtime/tcp.ts';
import type { DispatcherMessage, WorkerMessage } from '../../src/wire/messages.ts';

const host = '127.0.0.1';
const chunkBytes = 512 * 1024;
const blob = `sha256:${'a'.repeat(64)}`;

export interface NetworkFigures {
  /** There and back, ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly megabytesPerSecond: number;
}

export interface NetworkOptions {
  readonly rounds: number;
  readonly trips: number;
  readonly bytes: number;
}

/** Two ends; `trip` resolves when a word is back, `transfer` when so many bytes are on the other side. */
interface Pair {
  trip(): Promise<void>;
  transfer(bytes: number): Promise<void>;
  close(): Promise<void>;
}

/** Measures the three in turn, round by round, so that what disturbs the machine disturbs all of them. */
export async function measureNetwork(
  options: NetworkOptions,
): Promise<Record<'bare' | 'tcp' | 'quic', NetworkFigures>> {
  const open = {
    bare: barePair,
    tcp: () => linkPair(createTcpTransport(linkLimits)),
    quic: () => linkPair(createQuicTransport({ ...linkLimits, ...quicLimits })),
  };
  const names = ['bare', 'tcp', 'quic'] as const;
  const rounds: Record<(typeof names)[number], NetworkFigures[]> = { bare: [], tcp: [], quic: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    for (const name of names) rounds[name].push(await measured(await open[name](), options));
  }
  return { bare: medians(rounds.bare), tcp: medians(rounds.tcp), quic: medians(rounds.quic) };
}

async function measured(pair: Pair, { trips, bytes }: NetworkOptions): Promise<NetworkFigures> {
  for (let i = 0; i < trips / 10; i += 1) await pair.trip();
  const times: number[] = [];
  for (let i = 0; i < trips; i += 1) {
    const startedAt = performance.now();
    await pair.trip();
    times.push(performance.now() - startedAt);
  }
  times.sort((a, b) => a - b);
  await pair.transfer(bytes / 10);
  const startedAt = performance.now();
  await pair.transfer(bytes);
  const seconds = (performance.now() - startedAt) / 1000;
  await pair.close();
  return { p50Ms: at(times, 0.5), p99Ms: at(times, 0.99), megabytesPerSecond: bytes / 1e6 / seconds };
}

function at(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

function medians(rounds: readonly NetworkFigures[]): NetworkFigures {
  const of = (key: keyof NetworkFigures): number =>
    at(
      rounds.map((each) => each[key]).toSorted((a, b) => a - b),
      0.5,
    );
  return { p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), megabytesPerSecond: of('megabytesPerSecond') };
}

/** Resolves one wait after the other. */
class Bell {
  #ring: (() => void) | null = null;

  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#ring = resolve;
    });
  }

  ring(): void {
    const ring = this.#ring;
    this.#ring = null;
    ring?.();
  }
}

async function linkPair(transport: Transport): Promise<Pair> {
  const keys = keySet('the secret of the measured cluster');
  const [answered, drained, arrived] = [new Bell(), new Bell(), new Bell()];
  let wanted = Number.POSITIVE_INFINITY;
  const links = createLinks({
    ...{ crypto: nativeCrypto, staticKeypair: nativeCrypto.generateKeypair(), transport },
    gate: dispatcherGate(() => [keys], { strangers: false }),
  });
  const answer = (link: Link<DispatcherMessage>, message: WorkerMessage): void => {
    if (message.kind !== 'blobData') {
      link.send({ kind: 'alive' });
      return;
    }
    wanted -= message.parts.reduce((sum, { data }) => sum + data.length, 0);
    if (wanted <= 0) arrived.ring();
  };
  const listener = await links.listen({ host, port: 0 }, (link) => ({
    onMessage: (message) => answer(link, message),
    onDrain() {},
    onEnd() {},
  }));
  const dialled = await links.dial({ host, port: listener.port, proof: { by: 'secret', psk: keys.psk } }, () => ({
    onMessage: () => answered.ring(),
    onDrain: () => drained.ring(),
    onEnd() {},
  }));
  if (!dialled.ok) throw new Error(dialled.end.detail);
  const { link } = dialled;
  const data = crypto.getRandomValues(new Uint8Array(64 * 1024));
  const parts = Array.from({ length: chunkBytes / data.length }, () => ({ blob, offset: 0, data }));
  return {
    trip() {
      const back = answered.wait();
      link.send({ kind: 'blobRefused', blob, detail: 'x' });
      return back;
    },
    async transfer(bytes) {
      wanted = bytes;
      const all = arrived.wait();
      for (let sent = 0; sent < bytes; sent += chunkBytes) {
        if (link.blobsCongested) await drained.wait();
        link.send({ kind: 'blobData', parts });
      }
      await all;
    },
    async close() {
      link.close('The measurement is over.');
      await listener.close();
    },
  };
}

async function barePair(): Promise<Pair> {
  const [answered, drained, arrived] = [new Bell(), new Bell(), new Bell()];
  let wanted = Number.POSITIVE_INFINITY;
  let isTrip = true;
  const listener = Bun.listen({
    hostname: host,
    port: 0,
    socket: {
      open: (socket) => void socket.setNoDelay(true),
      data(socket, chunk) {
        if (isTrip) socket.write(chunk);
        else wanted -= chunk.length;
        if (!isTrip && wanted <= 0) arrived.ring();
      },
    },
  });
  const socket = await Bun.connect({
    hostname: host,
    port: listener.port,
    socket: { data: () => answered.ring(), drain: () => drained.ring() },
  });
  socket.setNoDelay(true);
  const word = new Uint8Array(64);
  const chunk = crypto.getRandomValues(new Uint8Array(chunkBytes));
  return {
    trip() {
      isTrip = true;
      const back = answered.wait();
      socket.write(word);
      return back;
    },
    async transfer(bytes) {
      isTrip = false;
      wanted = bytes;
      const all = arrived.wait();
      for (let left = bytes; left > 0; ) {
        const room = drained.wait();
        const taken = socket.write(chunk, 0, Math.min(left, chunk.length));
        left -= taken;
        if (taken < Math.min(left + taken, chunk.length)) await room;
      }
      await all;
    },
    async close() {
      socket.end();
      listener.stop(true);
    },
  };
}
