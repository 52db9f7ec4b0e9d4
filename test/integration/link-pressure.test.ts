/** Links to peers that read slowly or not at all, over real loopback sockets. */

import { afterEach, describe, expect, test } from 'bun:test';
import { nativeCrypto } from '../../src/runtime/crypto.ts';
import { workerDialect } from '../../src/wire/dialects.ts';
import type { DispatcherMessage, WorkerMessage } from '../../src/wire/messages.ts';
import { Session } from '../../src/wire/session.ts';
import { bySecret, cleanUp, clientKeys, connectRaw, dialWell, serve, until } from './link-peers.ts';

afterEach(cleanUp);

describe('back-pressure', () => {
  /** A worker that reads or pauses as told, and checks what arrives. */
  async function connectReader(port: number) {
    const sizes: number[] = [];
    let inOrder = true;
    const session = new Session<WorkerMessage, DispatcherMessage>({
      side: { role: 'initiator', proof: bySecret },
      crypto: nativeCrypto,
      staticKeypair: clientKeys,
      dialect: workerDialect,
      sink: {
        transmit: (frame) => pending.push(frame),
        onOpen() {},
        onMessage(message) {
          if (message.kind !== 'stdin') return;
          inOrder &&= message.offset === sizes.length && message.data[0] === sizes.length % 251;
          sizes.push(message.data.length);
        },
        onEnd() {},
      },
    });
    const pending: Uint8Array[] = [];
    const raw = await connectRaw(port, (chunk) => {
      session.receive(chunk);
      for (const frame of pending.splice(0)) raw.socket.write(frame);
    });
    session.start();
    for (const frame of pending.splice(0)) raw.socket.write(frame);
    await until('the reader is authenticated', () => session.phase === 'open');
    return { raw, sizes, inOrder: () => inOrder };
  }

  function stdin(offset: number): DispatcherMessage {
    const data = new Uint8Array(64 * 1024).fill(offset % 251);
    return { kind: 'stdin', taskId: '01hxyz456789', attempt: 1, offset, data, eof: false };
  }

  test('large messages that are kept hold what was sent, whatever memory is used for those behind them', async () => {
    const server = await serve();
    const { messages } = await dialWell(server.listener.port);
    await until('the link is accepted', () => server.accepted.length === 1);
    const blob = `sha256:${'a'.repeat(64)}`;
    const contents = Array.from({ length: 48 }, (_, i) => new Uint8Array(512 * 1024 - i * 7000).fill(i + 1));
    for (const data of contents) {
      server.accepted[0]?.link.send({ kind: 'blobData', parts: [{ blob, offset: 0, data }] });
      // Some leave at once and their memory is lent to the next, some wait.
      if (data.length % 3 === 0) await Bun.sleep(0);
    }
    await until('everything has arrived', () => messages.length === contents.length);
    const arrived = messages.flatMap((message) => (message.kind === 'blobData' ? message.parts : []));
    expect(arrived.every(({ data }, i) => Buffer.compare(data, contents[i] ?? new Uint8Array(0)) === 0)).toBe(true);
  });

  test('a reader that pauses: the sender is told, memory stays bounded, everything arrives', async () => {
    const server = await serve();
    const reader = await connectReader(server.listener.port);
    await until('the link is accepted', () => server.accepted.length === 1);
    const [peer] = server.accepted;
    if (peer === undefined) throw new Error('accepted');
    reader.raw.socket.pause();
    const total = 1000;
    let sent = 0;
    let congestions = 0;
    const pump = (): void => {
      while (sent < total && !peer.link.congested) peer.link.send(stdin(sent++));
    };
    while (sent < total) {
      pump();
      await Bun.sleep(0);
      if (peer.link.congested) {
        congestions += 1;
        // 64 MB are sent; what the sender got rid of beyond 1 MiB is in the kernel's buffers, a few MB at most.
        if (congestions === 1) expect(sent).toBeLessThan(400);
        const drains = peer.drains;
        reader.raw.socket.resume();
        await until('there is room again', () => peer.drains > drains);
        if (sent < total - 100) reader.raw.socket.pause();
      }
    }
    reader.raw.socket.resume();
    await until('everything has arrived', () => reader.sizes.length === total);
    expect(reader.inOrder()).toBe(true);
    expect(congestions).toBeGreaterThan(2);
    expect(peer.link.congested).toBe(false);
    expect(peer.ends).toEqual([]);
  });

  test('a drain follows congestion that a single flush relieves', async () => {
    const server = await serve({ limits: { highWaterBytes: 10_000 } });
    await connectReader(server.listener.port);
    await until('the link is accepted', () => server.accepted.length === 1);
    const [peer] = server.accepted;
    peer?.link.send(stdin(0));
    expect(peer?.link.congested).toBe(true);
    await until('it drains', () => peer?.drains === 1);
    expect(peer?.link.congested).toBe(false);
  });

  test('a reader that takes nothing is ended as stalled', async () => {
    const server = await serve({ limits: { stallTimeoutMs: 80 } });
    const reader = await connectReader(server.listener.port);
    await until('the link is accepted', () => server.accepted.length === 1);
    const [peer] = server.accepted;
    reader.raw.socket.pause();
    for (let i = 0; i < 300; i++) peer?.link.send(stdin(i));
    await until('it is ended', () => peer?.ends.length === 1);
    expect(peer?.ends[0]?.code).toBe('stalled');
    expect(server.listener.counts).toEqual({ stalled: 1 });
  });

  test('a sender that ignores congestion is ended as stalled, not fed without bound', async () => {
    const server = await serve({ limits: { queuedBytesMax: 4 * 1024 * 1024 } });
    const reader = await connectReader(server.listener.port);
    await until('the link is accepted', () => server.accepted.length === 1);
    const [peer] = server.accepted;
    reader.raw.socket.pause();
    for (let i = 0; i < 2000 && peer?.ends.length === 0; i++) peer?.link.send(stdin(i));
    expect(peer?.ends.map((end) => end.code)).toEqual(['stalled']);
  });
});
