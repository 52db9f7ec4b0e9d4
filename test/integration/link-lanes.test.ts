/** Links over QUIC: the same sessions as over TCP, on several lanes; and what is done where UDP does not pass. */

import { afterEach, describe, expect, test } from 'bun:test';
import type { Log } from '../../src/ports/time.ts';
import type { Transport } from '../../src/ports/transport.ts';
import { createFallbackTransport } from '../../src/runtime/fallback.ts';
import { linkLimits } from '../../src/runtime/links.ts';
import { createQuicTransport, quicLimits } from '../../src/runtime/quic.ts';
import { createTcpTransport } from '../../src/runtime/tcp.ts';
import { cleanUp, clientKeys, dial, dialWell, gateOf, serve, serverKeys, until } from './link-peers.ts';

afterEach(cleanUp);

const quic = createQuicTransport({ ...linkLimits, ...quicLimits });
const tcp = createTcpTransport(linkLimits);

describe('links over QUIC', () => {
  test('carry messages both ways, from and to nodes with proven keys, and end in good order', async () => {
    const server = await serve({ transport: quic });
    const { link, messages, ends } = await dialWell(server.listener.port, { transport: quic });
    const output = {
      kind: 'output',
      taskId: '01hxyz456789',
      attempt: 1,
      stream: 'stdout',
      data: new Uint8Array(60_000),
    } as const;
    for (let i = 0; i < 100; i++) link.send({ ...output, offset: i });
    link.send({ kind: 'goodbye' });
    await until('all is heard', () => server.accepted[0]?.messages.length === 101);
    server.accepted[0]?.link.send({ kind: 'alive' });
    await until('the answer is heard', () => messages.length === 1);
    expect(server.accepted[0]?.messages.at(-1)).toEqual({ kind: 'goodbye' });
    expect(link.remoteKey).toBe(serverKeys.publicKey.toHex());
    expect(server.accepted[0]?.link.remoteKey).toBe(clientKeys.publicKey.toHex());
    expect(server.accepted[0]?.link.remote).toMatch(/^127\.0\.0\.1:\d+$/);
    link.close('enough');
    await until('both sides have ended', () => ends.length > 0 && server.accepted[0]?.ends.length === 1);
    expect(ends).toEqual([{ code: 'closed', detail: 'enough' }]);
    expect(server.accepted[0]?.ends.map(({ code }) => code)).toEqual(['closed']);
  });

  test('are refused to who does not know the secret, whatever certificates say', async () => {
    const server = await serve({ transport: quic, gate: gateOf([], false) });
    expect(await dial(server.listener.port, { transport: quic })).toMatchObject({ code: 'wrong_secret' });
    await until('it is counted', () => server.listener.counts.wrong_secret === 1);
  });

  test('bring a sign of life through while bytes of files wait', async () => {
    const server = await serve({ transport: quic });
    const { link, messages } = await dialWell(server.listener.port, { transport: quic });
    await until('it is accepted', () => server.accepted.length === 1);
    const far = server.accepted[0]?.link;
    const part = { blob: `sha256:${'a'.repeat(64)}`, offset: 0, data: new Uint8Array(512 * 1024) };
    for (let i = 0; i < 60; i++) far?.send({ kind: 'blobData', parts: [part] });
    expect([far?.blobsCongested, far?.congested]).toEqual([true, false]);
    far?.send({ kind: 'alive' });
    await until('the sign of life is there', () => messages.some(({ kind }) => kind === 'alive'));
    expect(messages.length).toBeLessThan(50);
    await until('the files are there', () => messages.length === 61);
    link.close('done');
  });
});

describe('createFallbackTransport()', () => {
  function noted() {
    const lines: string[] = [];
    const note = (message: string): void => void lines.push(message);
    return { lines, log: { debug() {}, info: note, warn: note, error: note } satisfies Log };
  }

  function fallback(ms: number, log: Log): Transport {
    const patience = { briefMs: ms, patienceMs: ms };
    return createFallbackTransport({
      ...{ better: quic, other: tcp, unable: () => null },
      ...{ usual: patience, doubtful: patience, log },
    });
  }

  /** Dials, and keeps what comes of it. */
  async function keep(port: number, transport: Transport): Promise<void> {
    const { link } = await dialWell(port, { transport });
    link.choice?.kept();
  }

  test('dials by QUIC where that gets through', async () => {
    const { lines, log } = noted();
    const server = await serve({ transport: quic });
    const transport = fallback(2000, log);
    await keep(server.listener.port, transport);
    expect(lines).toEqual(['QUIC is used']);
  });

  test('dials by TCP where QUIC does not, says so once, and when QUIC gets through again', async () => {
    const { lines, log } = noted();
    const byTcp = await serve();
    const transport = fallback(300, log);
    const { port } = byTcp.listener;
    for (let i = 0; i < 2; i++) await keep(port, transport);
    expect(byTcp.accepted).toHaveLength(2);
    expect(lines).toEqual([expect.stringContaining('QUIC does not get through')]);
    const byQuic = await serve({
      transport: { ...quic, listen: (_any, take) => quic.listen({ host: '127.0.0.1', port }, take) },
    });
    await keep(port, transport);
    await until('it came by QUIC', () => byQuic.accepted.length === 1);
    expect(lines.slice(1)).toEqual(['QUIC gets through again and is used']);
  });

  test('fails in the words of TCP where nothing listens', async () => {
    const { lines, log } = noted();
    const transport = fallback(200, log);
    const end = await dial(1, { transport });
    expect(end).toMatchObject({ code: 'connection_lost', detail: expect.stringContaining('nothing listens there') });
    expect(lines).toEqual([]);
  });
});
