/** Links among strangers: too many of them, slow ones, ones that stop at every byte; and what somebody on the path sees. */

import { afterEach, describe, expect, test } from 'bun:test';
import type { Subprocess } from 'bun';
import { invitePsk } from '../../src/runtime/keys.ts';
import { assignments, dispatcherMessages, workerMessages } from '../unit/wire/samples.ts';
import {
  bySecret,
  cleanUp,
  cleanups,
  clientKeys,
  clusterKeys,
  connectRaw,
  type Dialled,
  dial,
  dialWell,
  expectToServe,
  gateOf,
  serve,
  serverKeys,
  until,
} from './link-peers.ts';
import { connectThrough, relay } from './link-relay.ts';

afterEach(cleanUp);

describe('a listener among too many strangers', () => {
  test('lets the oldest of them go for the next one; authenticated peers do not count', async () => {
    const server = await serve({ limits: { unauthenticatedMax: 3 } });
    const { port, counts } = server.listener;
    for (let i = 0; i < 5; i++) await dialWell(port);
    const strangers = [await connectRaw(port), await connectRaw(port), await connectRaw(port)];
    const further = await connectRaw(port);
    await until('the oldest is closed', () => strangers[0]?.closed === true);
    expect(counts).toEqual({ refused: 1 });
    expect([strangers[1]?.closed, strangers[2]?.closed, further.closed]).toEqual([false, false, false]);
    await expectToServe(server);
    expect(server.accepted.every(({ ends }) => ends.length === 0)).toBe(true);
  });

  test('counts those of one address by themselves', async () => {
    const server = await serve({ limits: { unauthenticatedPerAddressMax: 2 } });
    const strangers = [await connectRaw(server.listener.port), await connectRaw(server.listener.port)];
    await connectRaw(server.listener.port);
    await until('the oldest is closed', () => strangers[0]?.closed === true);
    expect(strangers[1]?.closed).toBe(false);
  });

  test('bears peers that are gone before it has taken them in', async () => {
    const server = await serve();
    const { port } = server.listener;
    // This process stands still meanwhile: the system accepts, and the resets are there first.
    const script = `
      const net = require('node:net');
      for (let n = 0; n < 50; n++) {
        await new Promise((resolve) => {
          const socket = net.connect(${port}, '127.0.0.1', () => {
            socket.on('close', resolve).on('error', () => {});
            socket.resetAndDestroy();
          });
        });
      }`;
    expect(Bun.spawnSync([process.execPath, '-e', script]).exitCode).toBe(0);
    await until('all are counted', () => server.listener.counts.connection_lost === 50);
    await expectToServe(server);
  });

  test('counts who has nothing to show as a stranger until it has said what it wants', async () => {
    const server = await serve({ gate: gateOf([clusterKeys], true), limits: { unauthenticatedMax: 2 } });
    const { port } = server.listener;
    const asked = await dialWell(port, { proof: { by: 'nothing' } });
    asked.link.send({ kind: 'enroll', name: 'pi', platform: 'linux', arch: 'arm64', version: '1' });
    await until('it has asked', () => server.accepted[0]?.messages.length === 1);
    const silent: Dialled[] = [];
    for (let i = 0; i < 3; i++) silent.push(await dialWell(port, { proof: { by: 'nothing' } }));
    await until('the oldest silent one is cut off', () => silent[0]?.ends.length === 1);
    await until('its end is told', () => server.accepted[1]?.ends[0]?.code === 'refused');
    expect([asked, ...silent.slice(1)].flatMap(({ ends }) => ends)).toEqual([]);
  });

  test('2,000 that hang, trickle and come back: memory bounded, honest workers join and work on', async () => {
    const server = await serve();
    const { port } = server.listener;
    const settled = await dialWell(port);
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    const crowd = await startCrowd(port, 2000);
    const joinedMs: number[] = [];
    const turnedAwayNow = (): number => server.listener.counts.refused ?? 0;
    // Long enough for all of them to come back twice, and for some workers meanwhile.
    while (turnedAwayNow() < 6000 || joinedMs.length <= 10) {
      const startedAt = performance.now();
      // As a worker does: a dial that did not come through is made again.
      for (let joined = false; !joined; ) joined = 'link' in (await dial(port));
      joinedMs.push(performance.now() - startedAt);
      await Bun.sleep(20);
    }
    Bun.gc(true);
    const growthMb = (process.memoryUsage.rss() - before) / 1024 / 1024;
    const longest = Math.max(...joinedMs);
    console.log(
      `2,000 strangers: ${turnedAwayNow()} turned away, memory grew by ${growthMb.toFixed(1)} MiB, ${joinedMs.length} honest workers joined within ${longest.toFixed(0)} ms each`,
    );
    expect(longest).toBeLessThan(3000);
    expect(growthMb).toBeLessThan(64);
    settled.link.send({ kind: 'leaving' });
    await until('the worker that was there is heard', () => server.accepted[0]?.messages.length === 1);
    crowd.kill();
    await crowd.exited;
  }, 30_000);
});

/** A process with `count` connections that say nothing or a byte now and then, and are made again when they are cut. */
async function startCrowd(port: number, count: number): Promise<Subprocess> {
  const script = `${import.meta.dir}/link-crowd.ts`;
  const crowd = Bun.spawn([process.execPath, script, `${port}`, `${count}`], { stdout: 'pipe', stderr: 'inherit' });
  cleanups.push(async () => {
    crowd.kill();
    await crowd.exited;
  });
  const reader = crowd.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  expect(new TextDecoder().decode(value)).toContain('all connected once');
  return crowd;
}

describe('a peer that stalls at each byte of the handshake', () => {
  const handshakeTimeoutMs = 700;
  const limits = { handshakeTimeoutMs, unauthenticatedMax: 1000, unauthenticatedPerAddressMax: 1000, lingerMs: 50 };

  for (const proof of [bySecret, { by: 'nothing' }] as const) {
    test(`as a dialler by ${proof.by}: ended in time and counted, and the listener serves on`, async () => {
      const server = await serve({ limits, gate: gateOf([clusterKeys], true) });
      const { port, counts } = server.listener;
      const whole = await connectThrough(port, proof, Number.POSITIVE_INFINITY);
      await until('the whole handshake opens it', () => whole.session.phase === 'open');
      const startedAt = performance.now();
      const peers = await Promise.all(
        Array.from({ length: whole.sentBytes() }, (_, bytes) => connectThrough(port, proof, bytes)),
      );
      await until('all are closed', () => peers.every(({ raw }) => raw.closed), 5000);
      expect(performance.now() - startedAt).toBeLessThan(handshakeTimeoutMs + 2500);
      expect(counts).toEqual({ handshake_timeout: whole.sentBytes() });
      expect(server.accepted.length).toBe(1);
      await expectToServe(server);
    });

    test(`as a listener to a dial by ${proof.by}: the dial ends in time`, async () => {
      const server = await serve({
        limits: { ...limits, handshakeTimeoutMs: 20_000 },
        gate: gateOf([clusterKeys], true),
      });
      const whole = await relay(server.listener.port);
      await dialWell(whole.port, { proof });
      const answered = whole.bytesBack();
      expect(answered).toBeGreaterThan(100);
      const startedAt = performance.now();
      const ends = await Promise.all(
        Array.from({ length: answered }, async (_, bytesBackMax) => {
          const { port } = await relay(server.listener.port, { bytesBackMax });
          return dial(port, { proof, limits });
        }),
      );
      expect(performance.now() - startedAt).toBeLessThan(handshakeTimeoutMs + 4000);
      expect(new Set(ends.map((end) => ('code' in end ? end.code : 'open')))).toEqual(new Set(['handshake_timeout']));
    });
  }
});

describe('somebody on the path', () => {
  const command = 'curl -H "Authorization: hunter2-in-the-command" https://example.org';
  const output = 'the-output-of-a-task '.repeat(20);

  test('sees no key, name, command, variable, file or output of a whole session, by whatever it was opened', async () => {
    const server = await serve({ gate: gateOf([clusterKeys], true) });
    const path = await relay(server.listener.port);
    const dispatcherKey = serverKeys.publicKey.toHex();
    const inviteId = '0011223344556677';
    const secrets = {
      nodePsk: clusterKeys.nodePsk(clientKeys.publicKey.toHex()),
      invitePsk: invitePsk(clusterKeys.inviteSecret(inviteId)),
    };
    const proofs = [
      bySecret,
      { by: 'credential', psk: secrets.nodePsk, dispatcherKey },
      { by: 'invite', sums: null, inviteId, psk: secrets.invitePsk, dispatcherKey },
      { by: 'nothing' },
    ] as const;
    for (const [i, proof] of proofs.entries()) {
      const { link, messages } = await dialWell(path.port, { proof });
      for (const message of workerMessages) link.send(message);
      const data = new TextEncoder().encode(output);
      link.send({ kind: 'output', taskId: '01hxyz456789', attempt: 1, stream: 'stdout', offset: 0, data });
      await until(
        'the dispatcher has heard all',
        () => server.accepted[i]?.messages.length === workerMessages.length + 1,
      );
      const answer = server.accepted[i]?.link;
      const [first] = assignments;
      if (first === undefined) throw new Error('there is an assignment');
      for (const message of dispatcherMessages) answer?.send(message);
      answer?.send({ kind: 'assign', attempts: [{ ...first, spec: { ...first.spec, command } }] });
      const { psk, beaconKey, id: keyId } = clusterKeys;
      answer?.send({ kind: 'credential', keyId, psk: secrets.nodePsk, beaconKey, name: 'a-secret-name' });
      await until('the worker has heard all', () => messages.length === dispatcherMessages.length + 2);
      const seen = path.seen();
      const hidden: readonly (string | Uint8Array)[] = [
        ...[psk, beaconKey, ...Object.values(secrets), clusterKeys.inviteSecret(inviteId)],
        ...[clientKeys.publicKey, clientKeys.privateKey, serverKeys.publicKey, serverKeys.privateKey],
        ...['hunter2', 'curl', 'the-output-of-a-task', 'a-secret-name', 'pi.4_b', 'printf', 'harmless', 'attic'],
        ...['sub/dir', 'out/*.mp4', 'spawn_failed', 'assign', 'report', 'credential', '01hxyz456789'],
        'SIGKILL',
      ];
      for (const each of hidden) expect(seen.includes(each), `${proof.by}: ${String(each)}`).toBe(false);
      // The relay did see the session: what is in clear is the hello.
      expect(seen.includes('octaskly')).toBe(true);
      expect(seen.length).toBeGreaterThan(5000);
    }
  });
});
