/** `octaskly doctor` as people call it, against dispatchers on this machine; nothing is sent to the network. */

import { afterEach, describe, expect, test } from 'bun:test';
import { nativeCrypto } from '../../src/runtime/crypto.ts';
import { createLinks } from '../../src/runtime/links.ts';
import { closeSites, type Ended, openSite, type Site } from './site.ts';

afterEach(closeSites);

const quietly = ['--discovery', 'false'];

async function doctor(site: Site, ...args: readonly string[]): Promise<Ended & { text: string }> {
  const ended = await site.run(['doctor', ...args, ...quietly]);
  return { ...ended, text: ended.stdout.toString() };
}

/** What `doctor net HOST -o quiet` finds besides what this machine's own network is. */
async function foundAt(from: Site, host: string): Promise<string[]> {
  const { text } = await doctor(from, 'net', host, '--api-port', String(from.apiPort), '-o', 'json');
  const { findings } = JSON.parse(text);
  return findings
    .filter(({ about, severity }: Record<string, string>) => about !== '' && severity !== 'note')
    .map(({ name }: Record<string, string>) => name);
}

describe('octaskly doctor', () => {
  test('looks at the sandbox and the network when no topic is given', async () => {
    const { text, status } = await doctor(openSite());
    for (const title of ['Sandbox', 'Interfaces', 'Multicast', 'Firewall']) expect(text).toContain(`${title}\n`);
    expect(text).toContain('not tried: --discovery false');
    expect([0, 1]).toContain(status ?? -1);
  });

  test.each([
    [['net', 'a b'], '"a b" is no host to look at; doctor net takes host or host:port.'],
    [['net', 'box:70000'], '"box:70000" is no host'],
    [['nat'], 'There is no topic "nat" for doctor; there is: sandbox, net.'],
    [['sandbox', 'box'], 'doctor sandbox takes no host, doctor net does.'],
  ])('refuses %j with a sentence', async (words, sentence) => {
    const { status, stderr } = await doctor(openSite(), ...words);
    expect(status).toBe(2);
    expect(stderr).toContain(sentence);
  });

  test('says that a name is not known, and what a .local name needs', async () => {
    const site = openSite();
    const { text, status } = await doctor(site, 'net', 'no-such-box.local');
    expect(status).toBe(1);
    expect(text).toContain('FAIL name_not_resolved (no-such-box.local)');
    expect(text).toContain('libnss-mdns');
  });

  test('finds nothing wrong with the dispatcher of its own data directory, and changes nothing there', async () => {
    const site = openSite();
    const node = await site.dispatcher(quietly);
    await site.until('its start is on record', () => node.log().includes('dispatcher started'));
    const before = node.log();
    expect(await foundAt(site, `127.0.0.1:${site.port}`)).toEqual([]);
    const { text } = await doctor(site, 'net', `127.0.0.1:${site.port}`, '--api-port', `${site.apiPort}`);
    expect(text).toContain('ok    handshake: speaks our protocol, key SHA256:');
    expect(text).toMatch(/ok {4}clock: -?[01] s ahead/);
    expect(node.log()).toBe(before);
  });

  test('finds a dispatcher of another cluster', async () => {
    const [own, other] = [openSite(), openSite()];
    await Promise.all([own.dispatcher(quietly), other.dispatcher(quietly)]);
    expect(await foundAt(own, `127.0.0.1:${other.port}`)).toEqual(['other_cluster']);
  });

  test('finds another version, and says both', async () => {
    const site = openSite();
    const links = createLinks({
      crypto: nativeCrypto,
      staticKeypair: nativeCrypto.generateKeypair(),
      versions: { version: 3, versionMin: 3 },
    });
    const ignore = { onMessage: () => {}, onDrain: () => {}, onEnd: () => {} };
    const listener = await links.listen({ host: '127.0.0.1', port: 0 }, () => ignore);
    try {
      const { text } = await doctor(site, 'net', `127.0.0.1:${listener.port}`);
      expect(text).toContain(`FAIL version_differs (127.0.0.1:${listener.port})`);
      expect(text).toMatch(/speaks protocol 5 to 6, the\s+other 3/);
    } finally {
      await listener.close();
    }
  });

  test('tells a port that listens and says nothing, and the API, from a dispatcher', async () => {
    const site = openSite();
    await site.dispatcher(quietly);
    expect(await foundAt(site, `127.0.0.1:${site.apiPort}`)).toEqual(['not_octaskly']);
    const mute = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    try {
      expect(await foundAt(site, `127.0.0.1:${mute.port}`)).toEqual(['not_octaskly']);
    } finally {
      mute.stop(true);
    }
  });
});
