/** The compiled file over HTTPS: the certificate it makes, the fingerprint it prints, and the command line that pins it. */

import { afterEach, expect, test } from 'bun:test';
import { X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closeSites, openSite, type Site } from './site.ts';

afterEach(closeSites);

const fingerprintPattern = /SHA256:(?:[0-9A-F]{2}:){31}[0-9A-F]{2}/;

/** The command line of another device: it has no data directory with a certificate or a secret. */
function elsewhere(site: Site, more: Record<string, string> = {}): { env: Record<string, string> } {
  return { env: { OCTASKLY_DATA_DIR: site.path('elsewhere'), OCTASKLY_API: httpsUrl(site), ...more } };
}

function httpsUrl(site: Site): string {
  return `https://127.0.0.1:${site.apiPort}`;
}

test('dispatcher --tls self prints the fingerprint of the certificate it keeps, and keeps it over a restart', async () => {
  const site = openSite();
  const first = await site.dispatcher(['--tls', 'self']);
  const printed = fingerprintPattern.exec(first.log())?.[0];
  const certificate = new X509Certificate(readFileSync(join(site.dataDir, 'tls.crt')));
  expect(printed).toBe(`SHA256:${certificate.fingerprint256}`);
  first.kill('SIGTERM');
  await first.ended;
  const second = await site.dispatcher(['--tls', 'self']);
  expect(fingerprintPattern.exec(second.log())?.[0]).toBe(printed ?? '');
});

test('the command line finds the certificate on the same machine, and names HTTPS when it is asked for plain HTTP', async () => {
  const site = openSite();
  await site.dispatcher(['--tls', 'self']);
  expect(await site.text(['submit', 'true', '-o', 'quiet'], { env: { OCTASKLY_API: httpsUrl(site) } })).not.toBe('');
  const plain = await site.run(['ps']);
  expect(plain.status).toBe(2);
  expect(plain.stderr).toContain(`--api ${httpsUrl(site)}`);
});

test('the command line elsewhere trusts the fingerprint it is given, and no other certificate', async () => {
  const site = openSite();
  const node = await site.dispatcher(['--tls', 'self']);
  const fingerprint = fingerprintPattern.exec(node.log())?.[0] ?? '';
  const unpinned = await site.run(['ps'], elsewhere(site));
  expect(unpinned.status).toBe(2);
  expect(unpinned.stderr).toContain(`--tls-fingerprint ${fingerprint}`);
  expect((await site.run(['ps', '--tls-fingerprint', fingerprint], elsewhere(site))).status).toBe(0);
  const byVariable = elsewhere(site, {
    OCTASKLY_TLS_FINGERPRINT: fingerprint.toLowerCase().replaceAll(':', '').slice(6),
  });
  expect((await site.run(['ps'], byVariable)).status).toBe(0);
  const other = `SHA256:${'AB:'.repeat(31)}AB`;
  const refused = await site.run(['ps', '--tls-fingerprint', other], elsewhere(site));
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain(`has the fingerprint ${fingerprint}, expected is ${other}`);
  const malformed = await site.run(['ps', '--tls-fingerprint', 'SHA256:12'], elsewhere(site));
  expect(malformed.status).toBe(2);
  expect(malformed.stderr).toContain('is no fingerprint');
});

test('dispatcher refuses a key that others can read, and options that do not go together', async () => {
  const site = openSite();
  const node = await site.dispatcher(['--tls', 'self']);
  node.kill('SIGTERM');
  await node.ended;
  const key = join(site.dataDir, 'tls.key');
  chmodSync(key, 0o644);
  const ports = ['--port', `${site.port}`, '--api-port', `${site.apiPort}`];
  const wide = await site.run(['dispatcher', '--tls', 'self', ...ports]);
  expect(wide.status).toBe(2);
  expect(wide.stderr).toContain(`chmod 600 ${key}`);
  const half = await site.run(['dispatcher', '--tls-key', key, ...ports]);
  expect(half.status).toBe(2);
  expect(half.stderr).toContain('--tls-cert');
});
