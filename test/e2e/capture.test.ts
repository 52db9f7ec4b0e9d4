/**
 * A whole life on the wire: devices join by the secret, by an invite and by approval, tasks run on each, files go there
 * and back, and a person watches over HTTPS. Nothing of what was said can be read in what was recorded; over plain HTTP
 * it can, which shows that the search finds it.
 */

import { afterEach, expect, test } from 'bun:test';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CreatedInvite } from '../../src/api/trust-schemas.ts';
import { type Capture, formsIn, openRelay, type Relay, startCapture } from './capture.ts';
import { closeSites, openSite, type Site } from './site.ts';

const relays: Relay[] = [];
const captures: Capture[] = [];

afterEach(async () => {
  for (const relay of relays.splice(0)) relay.close();
  for (const capture of captures.splice(0)) await capture.stop();
  await closeSites();
}, 20_000);

/** Records two ways: through a relay for each port, and packets where possible. */
async function record(site: Site): Promise<{ link: Relay; api: Relay; packets: Capture | null }> {
  const [link, api] = [openRelay(site.port), openRelay(site.apiPort)];
  relays.push(link, api);
  const packets = await startCapture(site.path('packets.pcap'), [site.port, site.apiPort, link.port, api.port]);
  if (packets !== null) captures.push(packets);
  return { link, api, packets };
}

/** 24 letters that are nowhere else. */
function newMark(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return Array.from(bytes, (byte) => String.fromCharCode(97 + (byte % 26))).join('');
}

/** `word` as `tr a-z b-za` leaves it: what a task says, that was not said to it. */
function rotated(word: string): string {
  return word.replace(/[a-z]/g, (letter) => (letter === 'z' ? 'a' : String.fromCharCode(letter.charCodeAt(0) + 1)));
}

/** Runs a task that says something in every place there is; what was said, by place. */
async function speak(
  site: Site,
  worker: string,
  options: { env: Record<string, string> },
): Promise<[string, string][]> {
  const marks = {
    command: newMark(),
    env: newMark(),
    stdin: newMark(),
    file: newMark(),
    name: newMark(),
    out: newMark(),
  };
  const folder = site.path(`here-${marks.name}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'input.txt'), `${marks.file}\n`);
  const command = [
    `: ${marks.command}; tr a-z b-za`,
    'tr a-z b-za < input.txt >&2',
    'echo "$SAID" | tr a-z b-za > result.txt',
    // More than fits into one message, so that it goes as a blob.
    `yes ${marks.out} | head -c 2000000`,
  ].join('; ');
  const flags = ['--in', 'input.txt', '--out', 'result.txt', '--env', `SAID=${marks.env}`, '--name', marks.name];
  const ended = await site.run(['run', '--require', `node=${worker}`, ...flags, command], {
    ...{ cwd: folder, stdin: marks.stdin },
    ...options,
  });
  const stdout = ended.stdout.toString();
  expect({ status: ended.status, stderr: ended.stderr.trim() }).toEqual({ status: 0, stderr: rotated(marks.file) });
  expect(stdout.slice(0, 24)).toBe(rotated(marks.stdin));
  expect(stdout.length).toBe(24 + 2_000_000);
  expect(readFileSync(join(folder, 'result.txt'), 'utf8').trim()).toBe(rotated(marks.env));
  const said = { ...marks, stdout: rotated(marks.stdin), stderr: rotated(marks.file), result: rotated(marks.env) };
  return Object.entries(said).map(([place, mark]) => [`${place} of ${worker}`, mark]);
}

test('formsIn() finds a word as it is, as hex and as base64, wherever it begins', () => {
  const word = 'a word, not too short';
  for (const before of ['', 'x', 'xy', 'xyz']) {
    const text = Buffer.from(`${before}${word} and more`);
    expect(formsIn(text, word)).toContain('raw');
    expect(formsIn(Buffer.from(text.toString('hex')), word)).toEqual(['hex']);
    for (const encoding of ['base64', 'base64url'] as const) {
      const found = formsIn(Buffer.from(text.toString(encoding)), word);
      expect(found).toContain(`${encoding}+${before.length % 3}`);
    }
  }
  expect(formsIn(Buffer.from('a word, not too shor'), word)).toEqual([]);
});

test('openRelay() passes on both directions, and keeps them', async () => {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => new Response(await request.text()),
  });
  const relay = openRelay(server.port ?? 0);
  try {
    const body = 'there and back '.repeat(100_000);
    const answer = await fetch(`http://127.0.0.1:${relay.port}/`, { method: 'POST', body, keepalive: false });
    expect(await answer.text()).toBe(body);
    expect(relay.recorded().toString().split('there and back ').length).toBe(200_001);
  } finally {
    relay.close();
    await server.stop(true);
  }
});

test('a whole session shows a stranger on the network no secret, command, file or output', async () => {
  const site = openSite();
  const { link, api, packets } = await record(site);
  await site.dispatcher(['--tls', 'self', '--require-auth', 'true', '--api-bind', '127.0.0.1']);
  const owner = { OCTASKLY_API: `https://127.0.0.1:${api.port}` };
  const secret = readFileSync(join(site.dataDir, 'secret'), 'utf8').trim();
  const token = await site.text(['token', 'create', '--name', 'ci', '-o', 'quiet'], { env: owner });
  const through = ['--dispatcher', `127.0.0.1:${link.port}`];
  const labelled = (name: string): string[] => [...through, '--label', `node=${name}`, '--data-dir', site.path(name)];

  await site.worker('by-secret', labelled('by-secret'), { env: { OCTASKLY_SECRET: secret } });
  const invite: CreatedInvite = JSON.parse(await site.text(['invite', '-o', 'json'], { env: owner }));
  await site.worker('by-invite', [...labelled('by-invite'), '--join', invite.token]);
  const waiting = await site.start(['worker', '--name', 'by-approval', ...labelled('by-approval')]);
  await site.until('it shows its code', () => codeIn(waiting.log()) !== null);
  await site.text(['approve', codeIn(waiting.log()) ?? ''], { env: owner });
  await site.until('it has joined', () => waiting.log().includes('Joined the dispatcher'));

  const said: [string, string | Uint8Array][] = [
    ['the secret', secret],
    ['the bytes of the secret', Buffer.from(secret, 'base64url')],
    ['the token', token],
    ['the join token', invite.token],
    ['what is in the join token', Buffer.from(invite.token.slice('octa2'.length), 'base64url').subarray(40, 56)],
  ];
  for (const worker of ['by-secret', 'by-invite', 'by-approval']) {
    said.push(...(await speak(site, worker, { env: { ...owner, OCTASKLY_TOKEN: token } })));
  }
  await site.text(['secret', 'rotate'], { env: owner });
  const next = readFileSync(join(site.dataDir, 'secret'), 'utf8').trim();
  expect(next).not.toBe(secret);
  said.push(['the next secret', next], ['its bytes', Buffer.from(next, 'base64url')]);
  said.push(...(await speak(site, 'by-invite', { env: owner })));

  const seen = new Map([
    ['the links of nodes', link.recorded()],
    ['the API', api.recorded()],
  ]);
  // As much as was said went by here.
  for (const bytes of seen.values()) expect(bytes.length).toBeGreaterThan(3 * 2_000_000);
  if (packets !== null) seen.set('the packets', await packets.stop());
  const readable = [...seen].flatMap(([where, bytes]) =>
    said.flatMap(([what, word]) => formsIn(bytes, word).map((form) => `${what}, ${form}, on ${where}`)),
  );
  expect(readable).toEqual([]);
}, 120_000);

test('over plain HTTP all of it can be read, and on the links of nodes still nothing', async () => {
  const site = openSite();
  const { link, api, packets } = await record(site);
  await site.dispatcher();
  await site.worker('plain', ['--dispatcher', `127.0.0.1:${link.port}`, '--label', 'node=plain']);
  const said = await speak(site, 'plain', { env: { OCTASKLY_API: `http://127.0.0.1:${api.port}` } });
  const all = (await packets?.stop()) ?? null;
  for (const [what, word] of said) {
    expect([what, formsIn(api.recorded(), word)]).toEqual([what, expect.arrayContaining(['raw'])]);
    expect([what, formsIn(link.recorded(), word)]).toEqual([what, []]);
    if (all !== null) expect([what, formsIn(all, word)]).toEqual([what, expect.arrayContaining(['raw'])]);
  }
}, 60_000);

/** The six digits a waiting device shows; null = none yet. */
function codeIn(log: string): string | null {
  const digits = /\b(\d{3}) (\d{3})\b/.exec(log);
  return digits === null ? null : `${digits[1]}${digits[2]}`;
}
