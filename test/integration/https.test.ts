/** HTTPS with real sockets: the certificate that is made and kept, and who is spoken to by whom. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server as TcpServer, connect as tcpConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OctasklyError } from '../../src/base/errors.ts';
import { type ServerCertificate, selfCertificate, tlsOf } from '../../src/runtime/certificate.ts';
import { parseFingerprint } from '../../src/runtime/fingerprint.ts';
import { type HttpServer, serveHttp } from '../../src/runtime/http.ts';
import { fetchFor, pinnedFetch } from '../../src/runtime/pinned-fetch.ts';

const yearMs = 365 * 86_400_000;
const hosts = ['localhost', '127.0.0.1'];
let directory = '';
const closers: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-https-'));
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  rmSync(directory, { recursive: true, force: true });
});

function path(name: string): string {
  return join(directory, name);
}

/** The certificate of a new data directory. */
function another(name: string, now = Date.now()): Promise<ServerCertificate> {
  return selfCertificate({ dataDir: path(name), hosts, now });
}

async function errorOf(action: () => unknown): Promise<OctasklyError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof OctasklyError) return error;
    throw error;
  }
  throw new Error('it succeeded');
}

describe('selfCertificate()', () => {
  test('keeps key and fingerprint when addresses change', async () => {
    const first = await selfCertificate({ dataDir: directory, hosts, now: Date.now() });
    const later = await selfCertificate({ dataDir: directory, hosts: ['10.0.0.9'], now: Date.now() + 9 * yearMs });
    expect(later).toEqual(first);
    const der = new X509Certificate(first.cert).raw;
    const hex = createHash('sha256').update(der).digest('hex');
    expect(first.fingerprint).toBe(parseFingerprint(hex));
    expect(statSync(path('tls.key')).mode & 0o777).toBe(0o600);
  });

  test('names the hosts, is no authority, and has a key on P-256', async () => {
    const names = ['localhost', 'box', 'box.local', '127.0.0.1', '::1', '192.168.1.7'];
    const { cert } = await selfCertificate({ dataDir: directory, hosts: names, now: Date.now() });
    const certificate = new X509Certificate(cert);
    for (const name of ['localhost', 'box', 'box.local']) expect(certificate.checkHost(name)).toBe(name);
    for (const ip of ['127.0.0.1', '::1', '192.168.1.7']) expect(certificate.checkIP(ip)).toBe(ip);
    expect(certificate.ca).toBe(false);
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });

  test('renews one that has run out with the same key, and says so', async () => {
    const first = await selfCertificate({ dataDir: directory, hosts, now: Date.now() - 11 * yearMs });
    const renewed = await selfCertificate({ dataDir: directory, hosts, now: Date.now() });
    expect(renewed.key).toBe(first.key);
    expect(renewed.fingerprint).not.toBe(first.fingerprint);
    expect(renewed.notice).toContain('run out');
    expect((await selfCertificate({ dataDir: directory, hosts, now: Date.now() })).notice).toBeNull();
  });

  test('refuses a key that others can read, with the command that mends it', async () => {
    await selfCertificate({ dataDir: directory, hosts, now: Date.now() });
    chmodSync(path('tls.key'), 0o640);
    const error = await errorOf(() => selfCertificate({ dataDir: directory, hosts, now: Date.now() }));
    expect(error.code).toBe('forbidden');
    expect(error.message).toContain(`chmod 600 ${path('tls.key')}`);
  });

  test('goes on after a crash between key and certificate, and begins anew without a key', async () => {
    const first = await selfCertificate({ dataDir: directory, hosts, now: Date.now() });
    rmSync(path('tls.crt'));
    const second = await selfCertificate({ dataDir: directory, hosts, now: Date.now() });
    expect(second.key).toBe(first.key);
    rmSync(path('tls.key'));
    const third = await selfCertificate({ dataDir: directory, hosts, now: Date.now() });
    expect(third.key).not.toBe(first.key);
  });
});

describe('tlsOf()', () => {
  const given = (tlsCert: string | undefined, tlsKey: string | undefined, tls: 'off' | 'self' = 'off') =>
    tlsOf({ tls, tlsCert, tlsKey }, directory);

  test('is off by default, makes a certificate for self, takes files', async () => {
    expect(await given(undefined, undefined)).toBeNull();
    const self = await given(undefined, undefined, 'self');
    const own = await given(path('tls.crt'), path('tls.key'));
    expect(own?.fingerprint).toBe(self?.fingerprint ?? '');
  });

  test('refuses what does not go together, and says what', async () => {
    const { cert, key } = await another('one');
    await another('two');
    const old = await another('old', Date.now() - 11 * yearMs);
    const young = await another('young', Date.now() + yearMs);
    writeFileSync(path('cert'), cert);
    writeFileSync(path('key'), key);
    writeFileSync(path('nothing'), 'nothing');
    for (const [name, pair] of Object.entries({ old, young })) {
      writeFileSync(path(`${name}.crt`), pair.cert);
      writeFileSync(path(`${name}.key`), pair.key);
    }
    const locked = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
      format: 'pem',
      type: 'pkcs8',
      cipher: 'aes-256-cbc',
      passphrase: 'secret',
    });
    writeFileSync(path('locked'), locked);
    const cases: [string | undefined, string | undefined, 'off' | 'self', string][] = [
      [path('cert'), undefined, 'off', 'without --tls-key'],
      [undefined, path('key'), 'off', 'without --tls-cert'],
      [path('cert'), path('key'), 'self', 'leave one of them out'],
      [path('missing'), path('key'), 'off', `Cannot read "${path('missing')}" (--tls-cert)`],
      [path('cert'), path('missing'), 'off', `Cannot read "${path('missing')}" (--tls-key)`],
      [path('nothing'), path('key'), 'off', 'no certificate (PEM)'],
      [path('cert'), path('nothing'), 'off', 'no private key (PEM)'],
      [path('cert'), path('locked'), 'off', 'passphrase'],
      [path('cert'), join(path('two'), 'tls.key'), 'off', 'is not that of the certificate'],
      [path('old.crt'), path('old.key'), 'off', 'has run out'],
      [path('young.crt'), path('young.key'), 'off', 'is valid from'],
    ];
    for (const [certFile, keyFile, tls, said] of cases) {
      const error = await errorOf(() => given(certFile, keyFile, tls));
      expect(error.message).toContain(said);
      expect(error.code).toBe('usage');
    }
  });
});

test('parseFingerprint() takes every usual way to write one, and nothing else', () => {
  const hex = 'ab'.repeat(32);
  const colons = hex.match(/../g)?.join(':') ?? '';
  const expected = `SHA256:${colons.toUpperCase()}`;
  for (const text of [hex, colons, ` SHA256:${hex} `, `sha256:${colons}`, `sha256 Fingerprint=${colons}`, expected]) {
    expect(parseFingerprint(text)).toBe(expected);
  }
  for (const text of ['', 'SHA256:', hex.slice(1), `${hex}00`, `sha1:${hex}`, 'zz'.repeat(32)]) {
    expect(() => parseFingerprint(text)).toThrow('is no fingerprint');
  }
});

describe('pinned HTTPS', () => {
  function serve(certificate: ServerCertificate): HttpServer {
    const server = serveHttp((request) => new Response(request.headers.get('authorization')), {
      host: '127.0.0.1',
      port: 0,
      tls: certificate,
      bodyBytesMax: 1024,
    });
    closers.push(() => server.stop(0));
    return server;
  }

  /** A TLS server that is someone else, and what it was told inside TLS. */
  function impostor({ cert, key }: ServerCertificate): { readonly port: number; readonly heard: () => number } {
    let bytes = 0;
    const listener = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      tls: { cert, key },
      socket: {
        data(_socket, data) {
          bytes += data.length;
        },
      },
    });
    closers.push(() => listener.stop(true));
    return { port: listener.port, heard: () => bytes };
  }

  /** Passes each connection on to the port that `choose(n)` gives for the n-th, from 0. */
  async function switchboard(choose: (n: number) => number): Promise<number> {
    let count = 0;
    const server: TcpServer = createServer((near) => {
      const far = tcpConnect(choose(count++), '127.0.0.1');
      for (const socket of [near, far]) socket.on('error', () => {});
      near.pipe(far).pipe(near);
      near.once('close', () => far.destroy());
      far.once('close', () => near.destroy());
    });
    closers.push(() => server.close());
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  }

  const headers = { authorization: 'Bearer token' };

  test('pinnedFetch() speaks to the bearer of the fingerprint, whatever its name and authority', async () => {
    const certificate = await selfCertificate({ dataDir: directory, hosts: ['elsewhere'], now: Date.now() });
    const ask = pinnedFetch({ fingerprint: certificate.fingerprint });
    const { url, port } = serve(certificate);
    for (const base of [url, `https://localhost:${port}`]) {
      expect(await (await ask(`${base}/`, { headers })).text()).toBe('Bearer token');
    }
  });

  test('pinnedFetch() says nothing to another', async () => {
    const expected = await another('expected');
    const stranger = await another('stranger');
    const { port, heard } = impostor(stranger);
    const url = `https://127.0.0.1:${port}`;
    const error = await errorOf(() => pinnedFetch(expected)(`${url}/`, { headers }));
    expect(error.code).toBe('forbidden');
    expect(error.message).toContain(stranger.fingerprint);
    expect(error.message).toContain(expected.fingerprint);
    expect(heard()).toBe(0);
  });

  test('pinnedFetch() says nothing to one who takes the place of the first after the look', async () => {
    const expected = await another('expected');
    const { port: honest } = serve(expected);
    const { port: other, heard } = impostor(await another('stranger'));
    for (let round = 0; round < 25; round++) {
      // The look is answered by the right one; what comes later is not.
      const port = await switchboard((n) => (n === 0 ? honest : other));
      const request = { method: 'POST', headers, body: 'a'.repeat(1000), keepalive: false };
      const error = await errorOf(() => pinnedFetch(expected)(`https://127.0.0.1:${port}/`, request));
      expect(error.code).toBe('forbidden');
    }
    expect(heard()).toBe(0);
  });

  test('pinnedFetch() says nothing to one who takes the place between two calls', async () => {
    const expected = await another('expected');
    const { port: honest } = serve(expected);
    const { port: other, heard } = impostor(await another('stranger'));
    let isSwapped = false;
    const port = await switchboard(() => (isSwapped ? other : honest));
    const ask = pinnedFetch(expected);
    const request = { headers, keepalive: false };
    expect((await ask(`https://127.0.0.1:${port}/`, request)).status).toBe(200);
    isSwapped = true;
    expect((await errorOf(() => ask(`https://127.0.0.1:${port}/`, request))).message).toContain('Cannot trust');
    expect(heard()).toBe(0);
  });

  test('pinnedFetch() refuses a certificate that has run out', async () => {
    const old = await another('old', Date.now() - 11 * yearMs);
    const { port, heard } = impostor(old);
    const error = await errorOf(() => pinnedFetch(old)(`https://127.0.0.1:${port}/`, { headers }));
    expect(error.message).toContain('has run out');
    expect(heard()).toBe(0);
  });

  test('fetchFor() believes the certificate in the data directory, by whatever address, and no other for it', async () => {
    const certificate = await selfCertificate({ dataDir: directory, hosts: [], now: Date.now() });
    const { url, port } = serve(certificate);
    for (const baseUrl of [url, 'https://192.0.2.1']) {
      const trusting = fetchFor(baseUrl, { fingerprint: null, dataDir: directory });
      expect(await (await trusting(`https://127.0.0.1:${port}/`, { headers })).text()).toBe('Bearer token');
    }
    const { port: elsewhere, heard } = impostor(await another('stranger'));
    const away = fetchFor('https://192.0.2.1', { fingerprint: null, dataDir: directory });
    expect((await errorOf(() => away(`https://127.0.0.1:${elsewhere}/`, { headers }))).code).toBe('forbidden');
    expect(heard()).toBe(0);
  });

  test('fetchFor() needs to read the certificate in the data directory for this machine alone', async () => {
    const { port } = serve(await another('one'));
    writeFileSync(path('tls.crt'), 'no certificate');
    const url = `https://127.0.0.1:${port}/`;
    const reason = async (baseUrl: string): Promise<string> =>
      (await errorOf(() => fetchFor(baseUrl, { fingerprint: null, dataDir: directory })(url, { headers }))).code;
    expect([await reason(url), await reason('https://192.0.2.1')]).toEqual(['io', 'forbidden']);
  });

  test('fetchFor() without a pin says nothing, and names the fingerprint and the option', async () => {
    const stranger = await another('stranger');
    const { port, heard } = impostor(stranger);
    const url = `https://127.0.0.1:${port}`;
    await another('home');
    for (const dataDir of [directory, path('home')]) {
      const error = await errorOf(() => fetchFor(url, { fingerprint: null, dataDir })(`${url}/`, { headers }));
      expect(error.code).toBe('forbidden');
      expect(error.message).toContain(`--tls-fingerprint ${stranger.fingerprint}`);
    }
    expect(heard()).toBe(0);
  });

  test('fetchFor() over plain HTTP says so when the port speaks HTTPS', async () => {
    const { port } = serve(await another('one'));
    const url = `http://127.0.0.1:${port}`;
    const error = await errorOf(() => fetchFor(url, { fingerprint: null, dataDir: directory })(`${url}/`, {}));
    expect(error.message).toContain(`--api https://127.0.0.1:${port}`);
  });

  test('fetchFor() goes past every proxy of the environment, which would be shown the token', async () => {
    const shown: string[] = [];
    const proxy = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch(request) {
        shown.push(request.url);
        return new Response('from the proxy');
      },
    });
    closers.push(() => proxy.stop(true));
    const plain = serveHttp(() => new Response('from the dispatcher'), {
      host: '127.0.0.1',
      port: 0,
      bodyBytesMax: 1024,
    });
    closers.push(() => plain.stop(0));
    const names = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'];
    const exceptions = ['no_proxy', 'NO_PROXY'];
    const former = [...names, ...exceptions].map((name) => [name, process.env[name]] as const);
    for (const name of names) process.env[name] = `http://127.0.0.1:${proxy.port}`;
    for (const name of exceptions) delete process.env[name];
    try {
      expect(await (await fetch(plain.url)).text()).toBe('from the proxy');
      const direct = fetchFor(plain.url, { fingerprint: null, dataDir: directory });
      expect(await (await direct(`${plain.url}/`, { headers })).text()).toBe('from the dispatcher');
      const { url } = serve(await selfCertificate({ dataDir: directory, hosts: [], now: Date.now() }));
      const pinned = fetchFor(url, { fingerprint: null, dataDir: directory });
      expect(await (await pinned(`${url}/`, { headers })).text()).toBe('Bearer token');
    } finally {
      for (const [name, value] of former) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
    expect(shown).toEqual([`${plain.url}/`]);
  });

  test('fetchFor() leaves other trouble as it is', async () => {
    const closed = impostor(await another('one')).port;
    for (const close of closers.splice(0)) await close();
    for (const scheme of ['http', 'https']) {
      const url = `${scheme}://127.0.0.1:${closed}`;
      const pins = [null, `SHA256:${'AB'.repeat(32)}`];
      for (const fingerprint of scheme === 'https' ? pins : [null]) {
        const ask = fetchFor(url, { fingerprint, dataDir: directory });
        const trouble = await ask(`${url}/`, {}).then(
          () => null,
          (error: unknown) => error,
        );
        expect(trouble).toBeInstanceOf(Error);
        expect(trouble).not.toBeInstanceOf(OctasklyError);
      }
    }
  });
});
