/**
 * Dispatchers, workers and commands of the compiled file that find each other on a network of namespaces, started as
 * people do: without an address.
 */

import { afterEach, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceOf } from '../../src/discovery/service.ts';
import { executable } from '../e2e/executable.ts';
import { cannotNetwork, closeLans, type Host, type Inside, openLan } from './namespaces.ts';

const without = cannotNetwork('nodes that find each other');
afterEach(closeLans);

/** Longest from the start of both, or of a worker, to a worker that has joined, on a quiet network. */
const joinedMsMax = 1500;
/** Longest from the loss of the address in use to a worker that has joined by another one. */
const rejoinedMsMax = 2500;
/** What this machine may need beside: other work on it must not make the test fail. */
const slackMs = 1500;

async function octaskly(host: Host, ...args: readonly string[]): Promise<Inside> {
  return host.start([await executable(), ...args], { HOME: host.directory });
}

const dispatcher = (host: Host, ...args: string[]): Promise<Inside> =>
  octaskly(host, 'dispatcher', '--p2p-enabled', 'false', ...args);

const worker = (host: Host, ...args: string[]): Promise<Inside> =>
  octaskly(host, 'worker', '--p2p-enabled', 'false', ...args);

/** Lets a host's worker in with a join token, and ends it: it has a credential of this dispatcher from then on. */
async function introduce(host: Host, to: Host, name = 'pi'): Promise<void> {
  const invited = to.start([await executable(), 'invite', '-o', 'quiet'], { HOME: to.directory });
  const token = (await invited.line(/^\S{40,}$/)).line.trim();
  const joined = await octaskly(host, 'join', token, '--name', name);
  expect(await joined.ended()).toBe(0);
}

const joinedAt = (ip: string): RegExp => new RegExp(`Joined the dispatcher at ${ip.replaceAll('.', '\\.')}:`);

describe.skipIf(without !== null)('on a network', () => {
  test('a worker with a credential joins within the time allowed, started with the dispatcher and after it', async () => {
    const [home, device] = openLan(2).hosts as [Host, Host];
    const first = await dispatcher(home);
    await first.line(/announced by mDNS/);
    await introduce(device, home);
    expect(await first.end()).toBe(0);
    // A move makes the address it knows useless: only what is found counts.
    home.ip('addr', 'del', `${home.address()}/24`, 'dev', 'eth0');
    home.ip('addr', 'add', '10.79.0.77/24', 'dev', 'eth0');
    const [second, together] = await Promise.all([dispatcher(home), worker(device, '--name', 'pi')]);
    const both = await together.line(joinedAt('10.79.0.77'));
    await together.end();
    const alone = await worker(device, '--name', 'pi');
    const later = await alone.line(joinedAt('10.79.0.77'));
    console.log(
      `joined after ${Math.round(both.at)} ms together, ${Math.round(later.at)} ms with a dispatcher that runs`,
    );
    expect(both.at).toBeLessThan(joinedMsMax + slackMs);
    expect(later.at).toBeLessThan(joinedMsMax + slackMs);
    expect(await second.end()).toBe(0);
  }, 60_000);

  test('a dispatcher that moves to another address is found again by a worker that runs', async () => {
    const [home, device] = openLan(2).hosts as [Host, Host];
    const moving = await dispatcher(home);
    await moving.line(/announced by mDNS/);
    await introduce(device, home);
    const running = await worker(device, '--name', 'pi');
    await running.line(joinedAt(home.address()));
    home.ip('addr', 'del', `${home.address()}/24`, 'dev', 'eth0');
    home.ip('addr', 'add', '10.79.0.88/24', 'dev', 'eth0');
    const { at } = await running.line(joinedAt('10.79.0.88'));
    console.log(`joined again at the new address ${Math.round(at)} ms after the start`);
  }, 60_000);

  test('a dispatcher that loses the address in use and keeps another is joined there by its worker', async () => {
    const [home, device] = openLan(2).hosts as [Host, Host];
    await (await dispatcher(home)).line(/announced by mDNS/);
    await introduce(device, home);
    const running = await worker(device, '--name', 'pi');
    await running.line(joinedAt(home.address()));
    await running.line(/found a dispatcher.*fe80/);
    const before = running.lines.length;
    home.ip('addr', 'flush', 'dev', 'eth0', 'scope', 'global');
    const lostAt = performance.now();
    await running.line(/Joined the dispatcher at \[fe80:\S+%eth0\]:7878/, { from: before });
    const tookMs = performance.now() - lostAt;
    console.log(`joined at the address that stayed ${Math.round(tookMs)} ms after the other was lost`);
    expect(tookMs).toBeLessThan(rejoinedMsMax + slackMs);
  }, 60_000);

  test('a dispatcher on two networks that loses one is joined by the other', async () => {
    const lan = openLan(2);
    const [home, device] = lan.hosts as [Host, Host];
    lan.addBridge(1);
    for (const host of lan.hosts) host.plug('wlan0', 1);
    await (await dispatcher(home)).line(/announced by mDNS/);
    await introduce(device, home);
    const running = await worker(device, '--name', 'pi');
    const joined = await running.line(/Joined the dispatcher at 10\.79\.[01]\.1:7878/);
    const used = joined.line.includes('10.79.0.1') ? 0 : 1;
    await running.line(
      /found a dispatcher.*10\.79\.0\.1:.*10\.79\.1\.1:|found a dispatcher.*10\.79\.1\.1:.*10\.79\.0\.1:/,
    );
    const before = running.lines.length;
    home.unplug(used === 0 ? 'eth0' : 'wlan0');
    const lostAt = performance.now();
    await running.line(new RegExp(`Joined the dispatcher at (?:10\\.79\\.${1 - used}\\.1|\\[f\\S+\\]):7878`), {
      from: before,
    });
    const tookMs = performance.now() - lostAt;
    console.log(`joined by the other network ${Math.round(tookMs)} ms after the first was lost`);
    expect(tookMs).toBeLessThan(rejoinedMsMax + slackMs);
  }, 60_000);

  test('a network that has IPv6 alone is enough, with nothing but link-local addresses', async () => {
    const { hosts } = openLan(2);
    const [home, device] = hosts as [Host, Host];
    for (const host of hosts) host.ip('addr', 'flush', 'dev', 'eth0', 'scope', 'global');
    await (await dispatcher(home)).line(/announced by mDNS/);
    const invited = await octaskly(home, 'invite', '-o', 'quiet');
    const token = (await invited.line(/^\S{40,}$/)).line.trim();
    const joining = await worker(device, '--join', token);
    const { at } = await joining.line(/Joined the dispatcher at \[fe80:\S+%eth0\]:7878/);
    console.log(`joined by IPv6 alone after ${Math.round(at)} ms`);
  }, 60_000);

  test('of two dispatchers a worker lists both and takes the one its credential belongs to', async () => {
    const [home, other, device] = openLan(3).hosts as [Host, Host, Host];
    const [own, foreign] = await Promise.all([dispatcher(home), dispatcher(other)]);
    await Promise.all([own.line(/announced by mDNS/), foreign.line(/announced by mDNS/)]);
    await introduce(device, home);
    const running = await worker(device, '--name', 'pi');
    await running.line(joinedAt(home.address()));
    for (const [host, isOwn] of [
      [home, true],
      [other, false],
    ] as const) {
      await running.line(new RegExp(`found a dispatcher.*${host.address().replaceAll('.', '\\.')}:7878.*own=${isOwn}`));
    }
  }, 60_000);

  test('a device with nothing asks the only dispatcher; of several it asks none and lists them', async () => {
    const [home, other, device] = openLan(3).hosts as [Host, Host, Host];
    const only = await dispatcher(home);
    await only.line(/announced by mDNS/);
    const asking = await worker(device);
    await asking.line(/octaskly approve \d{6}/);
    await asking.end();
    const second = await dispatcher(other);
    await second.line(/announced by mDNS/);
    const choosing = await worker(device);
    const { line } = await choosing.line(/several dispatchers were found/);
    expect([line.includes(home.address()), line.includes(other.address())]).toEqual([true, true]);
    expect(line).toContain('--dispatcher');
  }, 60_000);

  test('a device that saw several, or was a member before, asks no stranger that is left', async () => {
    const [home, other, device] = openLan(3).hosts as [Host, Host, Host];
    const [own, foreign] = await Promise.all([dispatcher(home), dispatcher(other)]);
    await Promise.all([own.line(/announced by mDNS/), foreign.line(/announced by mDNS/)]);
    const undecided = await worker(device, '--name', 'new');
    await undecided.line(/several dispatchers were found/);
    const secret = readFileSync(join(home.directory, '.octaskly', 'secret'), 'utf8').trim();
    const env = { HOME: device.directory, OCTASKLY_SECRET: secret };
    const member = device.start([await executable(), 'worker', '--name', 'pi', '--p2p-enabled', 'false'], env);
    await member.line(joinedAt(home.address()));
    await member.end();
    expect(await own.end()).toBe(0);
    const bereft = await worker(device, '--name', 'pi');
    await bereft.line(/this device belongs to the dispatcher with the key SHA256:\S+, which is not found/);
    await undecided.line(/one dispatcher is left of several/);
    expect([...undecided.lines, ...bereft.lines].join('\n')).not.toContain('asks to join');
  }, 60_000);

  test('a worker with the cluster secret is let in by the dispatcher that has it', async () => {
    const [home, other, device] = openLan(3).hosts as [Host, Host, Host];
    const [own] = await Promise.all([dispatcher(home), dispatcher(other)]);
    await own.line(/announced by mDNS/);
    const dataDir = join(device.directory, '.octaskly');
    mkdirSync(dataDir, { mode: 0o700 });
    copyFileSync(join(home.directory, '.octaskly', 'secret'), join(dataDir, 'secret'));
    await (await worker(device)).line(joinedAt(home.address()));
  }, 60_000);

  test('a command uses the only dispatcher that is found, and lists several', async () => {
    const [home, other, device] = openLan(3).hosts as [Host, Host, Host];
    await (await dispatcher(home, '--require-auth', 'true')).line(/announced by mDNS/);
    const made = await octaskly(home, 'token', 'create', '--role', 'admin', '--name', 'me');
    const token = (await made.line(/^\S{60,}$/)).line;
    const env = { HOME: device.directory, OCTASKLY_TOKEN: token };
    const status = device.start([await executable(), 'workers'], env);
    expect([await status.ended(), status.lines.join('\n')]).toEqual([
      0,
      expect.stringContaining(`found at http://${home.address()}:3000`),
    ]);
    await (await dispatcher(other, '--require-auth', 'true')).line(/announced by mDNS/);
    const asked = await octaskly(device, 'workers');
    expect(await asked.ended()).toBe(2);
    expect(asked.lines.join('\n')).toContain(`--api http://${other.address()}:3000`);
  }, 60_000);
});

describe.skipIf(without !== null)('a stranger', () => {
  test('that announces the key of our dispatcher keeps no command from it', async () => {
    const [home, stranger, device] = openLan(3).hosts as [Host, Host, Host];
    const own = await dispatcher(home, '--require-auth', 'true');
    const [fingerprint] = /SHA256:[\w+/]{43}/.exec((await own.line(/announced by mDNS/)).line) ?? [''];
    const facts = { protocol: 4, apiPort: 3000, scheme: 'http', fingerprint, clusterId: '0123456789abcdef' } as const;
    const fake = stranger.start([process.execPath, join(import.meta.dir, 'mdns-node.ts')]);
    await fake.line(/"open"/);
    fake.write(JSON.stringify({ publish: serviceOf({ ...facts, id: '00000000aaaaaaaa' }, 9999) }));
    await fake.line(/"established"/);
    const asked = await octaskly(device, 'workers');
    await asked.ended();
    expect(asked.lines.join('\n')).toContain(`found at http://${home.address()}:3000`);
  }, 60_000);

  test('that announces the fingerprint of our dispatcher is dialled and left, and a flood of them keeps nobody out', async () => {
    const [home, stranger, device] = openLan(3).hosts as [Host, Host, Host];
    const own = await dispatcher(home);
    const line = (await own.line(/announced by mDNS/)).line;
    const [fingerprint] = /SHA256:[\w+/]{43}/.exec(line) ?? [''];
    await introduce(device, home);
    // Answers with a key of its own, at the port the false announcements name.
    await (await dispatcher(stranger, '--discovery', 'false')).line(/dispatcher ready/);
    const facts = { protocol: 4, apiPort: 3000, scheme: 'http', fingerprint, clusterId: '0123456789abcdef' } as const;
    const fakes = Array.from({ length: 5 }, (_, n) => serviceOf({ ...facts, id: `f${n}f${n}f${n}f${n}` }, 7878));
    for (const publish of fakes) {
      const fake = stranger.start([process.execPath, join(import.meta.dir, 'mdns-node.ts')]);
      await fake.line(/"open"/);
      fake.write(JSON.stringify({ publish }));
      await fake.line(/"established"/);
    }
    // Where it was is no help: only one of those found is the right one.
    home.ip('addr', 'del', `${home.address()}/24`, 'dev', 'eth0');
    home.ip('addr', 'add', '10.79.0.99/24', 'dev', 'eth0');
    const running = await worker(device, '--name', 'pi');
    await running.line(/Joined the dispatcher at (?:10\.79\.0\.99|\[f\S+\]):/);
    expect(running.lines.join('\n')).not.toContain(`Joined the dispatcher at ${stranger.address()}`);
  }, 60_000);
});
