/** Links over real loopback sockets, honest peers and hostile ones. Waits for conditions, with a limit each. */

import { afterEach, describe, expect, test } from 'bun:test';
import { OctasklyError } from '../../src/base/errors.ts';
import { nativeCrypto } from '../../src/runtime/crypto.ts';
import { dispatcherGate, invitePsk, keySet } from '../../src/runtime/keys.ts';
import { createLinks } from '../../src/runtime/links.ts';
import { dispatcherDialect } from '../../src/wire/dialects.ts';
import { encodeFrame } from '../../src/wire/frame.ts';
import { protocolVersion, type WorkerMessage } from '../../src/wire/messages.ts';
import {
  bySecret,
  cleanUp,
  cleanups,
  clientKeys,
  clusterKeys,
  connectInsider,
  connectRaw,
  dial,
  dialWell,
  expectToServe,
  gateOf,
  host,
  serve,
  serverKeys,
  until,
} from './link-peers.ts';

afterEach(cleanUp);

function output(offset: number, size: number): WorkerMessage {
  return {
    kind: 'output',
    taskId: '01hxyz456789',
    attempt: 1,
    stream: 'stdout',
    offset,
    data: new Uint8Array(size).fill(offset % 251),
  };
}

describe('links over TCP', () => {
  test('carry messages both ways and tell each side who the other is', async () => {
    const server = await serve();
    const { link, messages } = await dialWell(server.listener.port);
    link.send({ kind: 'leaving' });
    await until('the dispatcher hears', () => server.accepted[0]?.messages.length === 1);
    server.accepted[0]?.link.send({ kind: 'alive' });
    await until('the worker hears', () => messages.length === 1);
    expect(server.accepted[0]?.messages).toEqual([{ kind: 'leaving' }]);
    expect(messages).toEqual([{ kind: 'alive' }]);
    expect(link.remoteKey).toBe(serverKeys.publicKey.toHex());
    expect(server.accepted[0]?.link.remoteKey).toBe(clientKeys.publicKey.toHex());
    expect(link.remote).toBe(`127.0.0.1:${server.listener.port}`);
    expect(server.accepted[0]?.link.remote).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test('are opened by each proof, and tell the dispatcher what was shown and under which secret', async () => {
    const [present, previous] = [clusterKeys, keySet('the secret before this one')];
    const server = await serve({ gate: gateOf([present, previous], true) });
    const dispatcherKey = serverKeys.publicKey.toHex();
    const inviteId = '0011223344556677';
    for (const { id: keyId, psk, nodePsk, inviteSecret } of [present, previous]) {
      const credential = { by: 'credential', psk: nodePsk(clientKeys.publicKey.toHex()), dispatcherKey } as const;
      const invite = {
        by: 'invite',
        sums: null,
        inviteId,
        psk: invitePsk(inviteSecret(inviteId)),
        dispatcherKey,
      } as const;
      for (const proof of [{ by: 'secret', psk } as const, credential, invite]) {
        const { link } = await dialWell(server.listener.port, { proof });
        const { by } = proof;
        const shown = by === 'invite' ? { by, inviteId } : { by };
        expect(link.admission).toEqual({ ...shown, keyId: '' } as typeof link.admission);
        await until('it is accepted', () => server.accepted.at(-1)?.link.admission.by === by);
        expect(server.accepted.at(-1)?.link.admission).toEqual({ ...shown, keyId } as typeof link.admission);
      }
      // Of use together with the private key it was made for only.
      const stolen = { proof: credential, staticKeypair: nativeCrypto.generateKeypair() };
      expect(await dial(server.listener.port, stolen)).toMatchObject({ code: 'wrong_secret' });
      const elsewhere = { ...credential, dispatcherKey: clientKeys.publicKey.toHex() };
      expect(await dial(server.listener.port, { proof: elsewhere })).toMatchObject({ code: 'wrong_key' });
    }
    const { link } = await dialWell(server.listener.port, { proof: { by: 'nothing' } });
    await until('it is accepted', () => server.accepted.at(-1)?.link.admission.by === 'nothing');
    expect(server.accepted.at(-1)?.link.admission).toEqual(link.admission);
  });

  test('take keys as they are at each handshake, and no stranger unless told to', async () => {
    let keys = [clusterKeys];
    const server = await serve({ gate: dispatcherGate(() => keys, { strangers: false }) });
    await dialWell(server.listener.port);
    keys = [keySet('a new secret')];
    expect(await dial(server.listener.port)).toMatchObject({ code: 'wrong_secret' });
    expect(await dial(server.listener.port, { proof: { by: 'nothing' } })).toMatchObject({
      code: 'refused',
      detail: 'The other side takes no node that has neither the cluster secret nor a join token.',
    });
  });

  test('deliver what was sent before a close, then end once on both sides', async () => {
    const server = await serve();
    const { link, ends } = await dialWell(server.listener.port);
    for (let i = 0; i < 200; i++) link.send(output(i, 60_000));
    link.close('enough');
    link.close('twice');
    link.send({ kind: 'goodbye' });
    await until('both sides have ended', () => ends.length > 0 && server.accepted[0]?.ends.length === 1);
    expect(server.accepted[0]?.messages.length).toBe(200);
    expect(server.accepted[0]?.ends.map((end) => end.code)).toEqual(['closed']);
    expect(ends).toEqual([{ code: 'closed', detail: 'enough' }]);
    expect(server.listener.counts).toEqual({ closed: 1 });
  });

  test('close of a listener ends its links and frees the port', async () => {
    const server = await serve();
    const { port } = server.listener;
    const { ends } = await dialWell(port);
    await server.listener.close();
    await until('the worker notices', () => ends.length === 1);
    expect(ends[0]?.code).toBe('closed');
    const end = await dial(port);
    expect(end).toMatchObject({ code: 'connection_lost' });
    expect('detail' in end ? end.detail : '').toContain('nothing listens there');
  });

  test('a port in use is said in one sentence with what to do', async () => {
    const server = await serve();
    const links = createLinks({ crypto: nativeCrypto, staticKeypair: serverKeys });
    const { port } = server.listener;
    const error = await links
      .listen({ host, port }, () => ({ onMessage() {}, onDrain() {}, onEnd() {} }))
      .then(
        () => null,
        (reason: unknown) => reason,
      );
    expect(error).toBeInstanceOf(OctasklyError);
    expect(error).toMatchObject({ code: 'in_use' });
    expect(String(error)).toContain(`port ${port} is already in use`);
    expect(String(error)).toContain('choose another port');
  });

  test('an address of another machine is said to be none of this one', async () => {
    const links = createLinks({ crypto: nativeCrypto, staticKeypair: serverKeys });
    const listening = links.listen({ host: '192.0.2.1', port: 0 }, () => ({
      onMessage() {},
      onDrain() {},
      onEnd() {},
    }));
    await expect(listening).rejects.toMatchObject({ code: 'io' });
  });

  test('a host that does not exist is said by the dial', async () => {
    const links = createLinks({ crypto: nativeCrypto, staticKeypair: clientKeys });
    const result = await links.dial({ host: 'nowhere.invalid', port: 7878, proof: bySecret }, () => {
      throw new Error('must not be reached');
    });
    expect(result).toMatchObject({ ok: false, end: { code: 'connection_lost' } });
  });
});

describe('a listener among hostile peers', () => {
  test('wrong secret: both sides say so, and it serves on', async () => {
    const server = await serve();
    const end = await dial(server.listener.port, { proof: { by: 'secret', psk: keySet('wrong').psk } });
    expect(end).toMatchObject({ code: 'wrong_secret' });
    await until('it is counted', () => server.listener.counts.wrong_secret === 1);
    expect(server.accepted.length).toBe(0);
    await expectToServe(server);
  });

  test('old and new versions: both sides say so, and it serves on', async () => {
    const server = await serve();
    const versions = { version: protocolVersion + 2, versionMin: protocolVersion + 1 };
    const end = await dial(server.listener.port, { versions });
    expect(end).toMatchObject({ code: 'version_mismatch' });
    await until('it is counted', () => server.listener.counts.version_mismatch === 1);
    const newer = await serve({ versions });
    const older = await dial(newer.listener.port);
    expect(older).toMatchObject({ code: 'version_mismatch' });
    expect('detail' in older ? older.detail : '').toContain('Update this side.');
    await expectToServe(server);
  });

  test('garbage, oversized, truncated: closed with a counted reason, and it serves on', async () => {
    const server = await serve();
    const { port, counts } = server.listener;
    const http = await connectRaw(port);
    http.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await until('the HTTP client is closed', () => http.closed);
    expect(counts.oversized).toBe(1);
    const junk = await connectRaw(port);
    junk.socket.write(encodeFrame(new Uint8Array(100).fill(0x41)));
    await until('the junk is closed', () => junk.closed);
    expect(counts.malformed).toBe(1);
    const cut = await connectRaw(port);
    cut.socket.write(Uint8Array.of(0, 0, 0, 14, 0));
    cut.socket.end();
    await until('the truncation is counted', () => counts.connection_lost === 1);
    await expectToServe(server);
  });

  test('replayed, reordered, altered, left-out frames: forged, and it serves on', async () => {
    const server = await serve();
    const held: Uint8Array[] = [];
    const tampers: readonly ((frame: Uint8Array) => readonly Uint8Array[])[] = [
      (frame) => [frame, frame],
      (frame) => (held.push(frame) % 2 === 1 ? [] : held.splice(0).reverse()),
      (frame) => [frame.map((byte, i) => (i === 8 ? byte ^ 4 : byte))],
      (frame) => (held.push(frame) === 1 ? [] : [frame]),
    ];
    for (const [i, tamper] of tampers.entries()) {
      held.length = 0;
      const { raw, send } = await connectInsider(server.listener.port, tamper);
      send({ kind: 'leaving' });
      send({ kind: 'leaving' });
      await until(`tamper ${i} is closed`, () => raw.closed);
      expect(server.listener.counts.forged).toBe(i + 1);
      expect(server.accepted[i]?.ends.map((end) => end.code)).toEqual(['forged']);
    }
    await expectToServe(server);
  });

  test('a sealed message of the wrong direction: malformed, and it serves on', async () => {
    const server = await serve();
    const wrongWay = () => dispatcherDialect.pack({ kind: 'alive' });
    const { raw, send } = await connectInsider(server.listener.port, (frame) => [frame], wrongWay);
    send({ kind: 'leaving' });
    await until('it is closed', () => raw.closed);
    expect(server.listener.counts).toEqual({ malformed: 1 });
    expect(server.accepted[0]?.messages).toEqual([]);
    await expectToServe(server);
  });

  test('silence and half a hello: ended after the handshake timeout', async () => {
    const server = await serve({ limits: { handshakeTimeoutMs: 60 } });
    const silent = await connectRaw(server.listener.port);
    const slow = await connectRaw(server.listener.port);
    slow.socket.write(Uint8Array.of(0, 0));
    await until('both are closed', () => silent.closed && slow.closed);
    expect(server.listener.counts).toEqual({ handshake_timeout: 2 });
    await expectToServe(server);
  });

  test('a server that never answers ends the dial after the handshake timeout', async () => {
    const mute = Bun.listen({ hostname: host, port: 0, socket: { data() {} } });
    cleanups.push(() => mute.stop(true));
    const end = await dial(mute.port, { limits: { handshakeTimeoutMs: 60, lingerMs: 10 } });
    expect(end).toMatchObject({ code: 'handshake_timeout' });
  });
});
