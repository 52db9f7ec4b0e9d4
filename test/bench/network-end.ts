/**
 * A process of the network figures: one end of a connection, bare or a whole link (sealed, checked messages).
 *
 *   listen CARRIER HOST          prints its port; serves until it is ended
 *   dial CARRIER HOST PORT WORK  does the work (JSON), prints the figures (JSON), ends
 *
 * Bare is a socket with nothing of ours on it but a byte in front that says whether a word or a message of bytes begins, so
 * that its arrival can be answered.
 */

import type { Link } from '../../src/ports/links.ts';
import { nativeCrypto } from '../../src/runtime/crypto.ts';
import { dispatcherGate, keySet } from '../../src/runtime/keys.ts';
import { createLinks, linkLimits } from '../../src/runtime/links.ts';
import { createQuicTransport, quicLimits } from '../../src/runtime/quic.ts';
import { createTcpTransport } from '../../src/runtime/tcp.ts';
import {
  type DispatcherMessage,
  blobDataBytesMax as messageBytes,
  type WorkerMessage,
} from '../../src/wire/messages.ts';

export const carrierNames = ['bare', 'tcp', 'quic'] as const;
export type CarrierName = (typeof carrierNames)[number];

/** What a dialler measures: so many words there and back, then so many bytes one way; or words while bytes flow. */
export type Work =
  | { readonly kind: 'apart'; readonly trips: number; readonly bytes: number }
  | { readonly kind: 'together'; readonly seconds: number; readonly everyMs: number };

/** Times there and back in ms, sorted. */
export interface Figures {
  readonly times: readonly number[];
  readonly megabytesPerSecond: number;
}

/** The dialler's end. `trip` resolves when a word is back. */
interface End {
  trip(): Promise<void>;
  /** Sends one message of `messageBytes`; resolves when the next one has room. */
  send(): Promise<void>;
  /** Resolves when all that was sent is on the other side. */
  arrival(): Promise<void>;
}

const blob = `sha256:${'a'.repeat(64)}`;
const keys = keySet('the secret of the measured cluster');
const vitals = { load1: 1, memoryFreeMb: 1000, running: 1, batteryPercent: null, charging: null, temperatureC: null };

/** Answers wait in a row: the other side gives them in order. */
class Answers {
  readonly #waiting: (() => void)[] = [];

  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  came(): void {
    this.#waiting.shift()?.();
  }
}

function transportOf(carrier: CarrierName) {
  return carrier === 'quic' ? createQuicTransport({ ...linkLimits, ...quicLimits }) : createTcpTransport(linkLimits);
}

function linksOf(carrier: CarrierName) {
  return createLinks({
    crypto: nativeCrypto,
    staticKeypair: nativeCrypto.generateKeypair(),
    transport: transportOf(carrier),
    gate: dispatcherGate(() => [keys], { strangers: false }),
  });
}

async function listenLink(carrier: CarrierName, host: string): Promise<number> {
  const answer = (link: Link<DispatcherMessage>, message: WorkerMessage): void => {
    if (message.kind === 'heartbeat') link.send({ kind: 'alive' });
    if (message.kind === 'blobWanted') link.send({ kind: 'blobRefused', blob, detail: 'Everything has arrived.' });
  };
  const listener = await linksOf(carrier).listen({ host, port: 0 }, (link) => ({
    onMessage(message, done) {
      answer(link, message);
      done?.();
    },
    onDrain() {},
    onEnd() {},
  }));
  return listener.port;
}

async function dialLink(carrier: CarrierName, host: string, port: number): Promise<End> {
  const [words, arrivals, room] = [new Answers(), new Answers(), new Answers()];
  const dialled = await linksOf(carrier).dial({ host, port, proof: { by: 'secret', psk: keys.psk } }, () => ({
    onMessage: ({ kind }) => (kind === 'alive' ? words : arrivals).came(),
    onDrain: () => room.came(),
    onEnd: ({ detail }) => console.error(detail),
  }));
  if (!dialled.ok) throw new Error(dialled.end.detail);
  const { link } = dialled;
  const data = crypto.getRandomValues(new Uint8Array(messageBytes));
  return {
    trip() {
      link.send({ kind: 'heartbeat', vitals });
      return words.next();
    },
    async send() {
      link.send({ kind: 'blobData', parts: [{ blob, offset: 0, data }] });
      // As `BlobServer` does: a message a turn, and none while too much waits.
      if (link.blobsCongested) await room.next();
      else await new Promise(setImmediate);
    },
    arrival() {
      // On the same lane, so behind them.
      link.send({ kind: 'blobWanted', ranges: [{ blob, offset: 0, length: 1 }] });
      return arrivals.next();
    },
  };
}

const bareWord = new Uint8Array(64);
const bareMessage = crypto.getRandomValues(new Uint8Array(messageBytes));
bareMessage[0] = 1;

function listenBare(host: string): number {
  const listener = Bun.listen<{ due: number }>({
    hostname: host,
    port: 0,
    socket: {
      open(socket) {
        socket.data = { due: 0 };
        socket.setNoDelay(true);
      },
      data(socket, chunk) {
        let at = 0;
        while (at < chunk.length) {
          if (socket.data.due === 0) socket.data.due = (chunk[at] === 0 ? bareWord : bareMessage).length;
          const taken = Math.min(socket.data.due, chunk.length - at);
          socket.data.due -= taken;
          at += taken;
          if (socket.data.due === 0) socket.write(bareWord);
        }
      },
    },
  });
  return listener.port;
}

async function dialBare(host: string, port: number): Promise<End> {
  const [answers, room] = [new Answers(), new Answers()];
  let heard = 0;
  const data = (_socket: unknown, { length }: Uint8Array): void => {
    heard += length;
    for (; heard >= bareWord.length; heard -= bareWord.length) answers.came();
  };
  const socket = await Bun.connect({ hostname: host, port, socket: { data, drain: () => room.came() } });
  socket.setNoDelay(true);
  let last = Promise.resolve();
  return {
    trip() {
      socket.write(bareWord);
      return answers.next();
    },
    async send() {
      last = answers.next();
      for (let sent = 0; sent < messageBytes; ) {
        const taken = socket.write(bareMessage, sent, messageBytes - sent);
        sent += taken;
        if (sent < messageBytes) await room.next();
      }
    },
    arrival: () => last,
  };
}

async function apart(end: End, { trips, bytes }: Extract<Work, { kind: 'apart' }>): Promise<Figures> {
  const times: number[] = [];
  const warmUp = Math.ceil(trips / 5);
  for (let i = 0; i < warmUp + trips; i += 1) {
    const startedAt = performance.now();
    await end.trip();
    if (i >= warmUp) times.push(performance.now() - startedAt);
  }
  const messages = Math.ceil(bytes / messageBytes);
  await transfer(end, Math.ceil(messages / 5));
  const startedAt = performance.now();
  await transfer(end, messages);
  const megabytesPerSecond = (messages * messageBytes) / 1000 / (performance.now() - startedAt);
  return { times: times.toSorted((a, b) => a - b), megabytesPerSecond };
}

async function transfer(end: End, messages: number): Promise<void> {
  for (let i = 0; i < messages; i += 1) await end.send();
  await end.arrival();
}

/** Words leave by the clock and not one after the other, so that one that is late holds up no measurement. */
async function together(end: End, { seconds, everyMs }: Extract<Work, { kind: 'together' }>): Promise<Figures> {
  await transfer(end, 2);
  const times: number[] = [];
  const trips: Promise<void>[] = [];
  const timer = setInterval(() => {
    const sentAt = performance.now();
    trips.push(end.trip().then(() => void times.push(performance.now() - sentAt)));
  }, everyMs);
  const startedAt = performance.now();
  let sent = 0;
  while (performance.now() - startedAt < seconds * 1000) {
    await end.send();
    sent += messageBytes;
  }
  clearInterval(timer);
  await end.arrival();
  const megabytesPerSecond = sent / 1000 / (performance.now() - startedAt);
  await Promise.all(trips);
  return { times: times.toSorted((a, b) => a - b), megabytesPerSecond };
}

if (import.meta.main) {
  const [verb, carrier = '', host = '', port = '', work = ''] = process.argv.slice(2);
  const name = carrierNames.find((each) => each === carrier);
  if (name === undefined) throw new Error(`no such carrier: "${carrier}"`);
  if (verb === 'listen') {
    console.log(name === 'bare' ? listenBare(host) : await listenLink(name, host));
  } else {
    const end = await (name === 'bare' ? dialBare(host, Number(port)) : dialLink(name, host, Number(port)));
    const wanted: Work = JSON.parse(work);
    console.log(JSON.stringify(await (wanted.kind === 'apart' ? apart(end, wanted) : together(end, wanted))));
    process.exit(0);
  }
}
