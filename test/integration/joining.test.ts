/** How a worker comes to its proof, against a small dispatcher over loopback TCP. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeInvite } from '../../src/core/invite.ts';
import type { DispatcherLink, LinkListener } from '../../src/ports/links.ts';
import type { Log } from '../../src/ports/time.ts';
import { type Applicant, findMembership } from '../../src/roles/membership.ts';
import { clusterPath, keptCluster } from '../../src/runtime/cluster-file.ts';
import { keysInDirectory } from '../../src/runtime/cluster-keys.ts';
import { keepCredential, keptCredential } from '../../src/runtime/credential.ts';
import { nativeCrypto } from '../../src/runtime/crypto.ts';
import { nodeKey, writePrivate } from '../../src/runtime/data-dir.ts';
import { dispatcherGate, keySet } from '../../src/runtime/keys.ts';
import { createLinks } from '../../src/runtime/links.ts';
import type { DispatcherMessage, RefusalCode } from '../../src/wire/messages.ts';

const keys = keySet('a cluster secret for tests');
const inviteId = '00112233445566ff';

let dir: string;
let listener: LinkListener;
let dispatcherKey: string;
/** What the dispatcher does with a node that asks. */
let decide: (link: DispatcherLink) => DispatcherMessage[];
let asked: DispatcherLink['admission'][];
let lines: { readonly message: string; readonly fields: Readonly<Record<string, unknown>> | undefined }[];

const credentialFor = (link: DispatcherLink): DispatcherMessage => {
  const psk = keys.nodePsk(link.remoteKey);
  return { kind: 'credential', keyId: keys.id, psk, beaconKey: keys.beaconKey, name: 'pi-3' };
};
const refusal = (code: RefusalCode): DispatcherMessage => {
  return { kind: 'refused', code, detail: `No: ${code}.`, retryAfterMs: 0 };
};

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'joining-'));
  asked = [];
  lines = [];
  decide = (link) => [credentialFor(link)];
  const pair = nativeCrypto.generateKeypair();
  dispatcherKey = pair.publicKey.toHex();
  const links = createLinks({
    crypto: nativeCrypto,
    staticKeypair: pair,
    gate: dispatcherGate(() => [keys], { strangers: true }),
  });
  listener = await links.listen({ host: '127.0.0.1', port: 0 }, (link) => ({
    onMessage: (message) => {
      if (message.kind !== 'enroll') return;
      asked.push(link.admission);
      for (const answer of decide(link)) link.send(answer);
    },
    onDrain: () => undefined,
    onEnd: () => undefined,
  }));
});

afterEach(async () => {
  await listener.close();
  rmSync(dir, { recursive: true, force: true });
});

const log: Log = {
  debug: () => undefined,
  info: (message, fields) => lines.push({ message, fields }),
  warn: (message, fields) => lines.push({ message, fields }),
  error: (message, fields) => lines.push({ message, fields }),
};

function applicant(wanted: { join?: string; secret?: string; here?: boolean } = {}): Applicant {
  const directory = join(dir, 'workers', '1');
  mkdirSync(directory, { recursive: true });
  const pair = nodeKey(directory);
  return {
    values: {
      join: wanted.join,
      dispatcher: wanted.here === true ? [{ host: '127.0.0.1', port: null }] : [],
      port: listener.port,
      logFile: undefined,
      logFormat: 'json',
    },
    secret: wanted.secret ?? null,
    dataDir: dir,
    directory,
    known: [],
    name: 'pi',
    publicKey: pair.publicKey.toHex(),
    links: createLinks({ crypto: nativeCrypto, staticKeypair: pair }),
    finder: null,
    log,
    signal: AbortSignal.timeout(10_000),
  };
}

function token(of: { secret?: Uint8Array; dispatcherKey?: string; id?: string; sums?: string } = {}): string {
  const id = of.id ?? inviteId;
  return encodeInvite({
    inviteId: id,
    secret: of.secret ?? keys.inviteSecret(id, of.sums),
    dispatcherKey: of.dispatcherKey ?? dispatcherKey,
    expiresAt: 0,
    addresses: [`127.0.0.1:${listener.port}`],
    sums: of.sums ?? null,
  });
}

const settled = async (wanted: Parameters<typeof applicant>[0] = {}) => {
  const found = await findMembership(applicant(wanted));
  if (!found.ok) return found;
  const { proofs, whereabouts, ...membership } = found.membership;
  return { ...membership, proofs: proofs().map(({ by }) => by), addresses: whereabouts.addresses() };
};

test('a join token gives this device its own credential, which the same token does not ask for again', async () => {
  const first = await settled({ join: token() });
  expect(first).toMatchObject({ proofs: ['credential'], name: 'pi-3', addresses: [{ port: listener.port }] });
  expect(asked).toEqual([{ by: 'invite', inviteId, keyId: keys.id }]);
  const kept = keptCredential(applicant().directory);
  expect(kept).toEqual({
    credential: {
      keyId: keys.id,
      psk: keys.nodePsk(applicant().publicKey),
      beaconKey: keys.beaconKey,
      dispatcherKey,
    },
    name: 'pi-3',
    addresses: [`127.0.0.1:${listener.port}`],
    inviteId,
  });
  expect(await settled({ join: token() })).toMatchObject({ proofs: ['credential'], name: 'pi-3' });
  expect(await settled()).toMatchObject({ proofs: ['credential'], addresses: [{ port: listener.port }] });
  expect(asked).toHaveLength(1);
  await settled({ join: token({ id: 'ff'.repeat(8) }) });
  expect(asked).toHaveLength(2);
});

test('a token that is refused, of another dispatcher or with another secret leaves nothing and says why', async () => {
  decide = () => [refusal('invite_used')];
  expect(await settled({ join: token() })).toEqual({ ok: false, detail: 'No: invite_used.', lasting: true });
  const foreign = await settled({ join: token({ dispatcherKey: '09'.repeat(32) }) });
  expect(foreign).toMatchObject({ ok: false, detail: expect.stringContaining('Another dispatcher answers') });
  const forged = await settled({ join: token({ secret: new Uint8Array(16) }) });
  expect(forged).toMatchObject({ ok: false, detail: expect.stringContaining('token is not valid there') });
  expect([keptCredential(applicant().directory), asked.length]).toEqual([null, 1]);
  expect(findMembership(applicant({ join: 'hello' }))).rejects.toThrow('not a join token');
});

test('a device with nothing shows the code that the dispatcher sees too, and gets its credential once approved', async () => {
  decide = (link) => [{ kind: 'pending', expiresInMs: 60_000 }, credentialFor(link)];
  expect(await settled({ here: true })).toMatchObject({ proofs: ['credential'], name: 'pi-3' });
  const [admission] = asked;
  const code = admission?.by === 'nothing' ? admission.code : '';
  expect(code).toMatch(/^\d{6}$/);
  const waiting = lines.find(({ message }) => message === 'waiting to be approved');
  expect(waiting?.fields).toMatchObject({ code, approve: `octaskly approve ${code}` });
});

test('a secret comes before the kept credential when it is given, after it when it lies in the data directory', async () => {
  expect(await settled({ secret: 'given' })).toMatchObject({ proofs: ['secret'] });
  writePrivate(join(dir, 'secret'), 'kept here');
  expect(await settled()).toMatchObject({ proofs: ['secret'] });
  await settled({ join: token() });
  expect(await settled()).toMatchObject({ proofs: ['credential', 'secret'] });
  expect(await settled({ secret: 'given' })).toMatchObject({ proofs: ['secret', 'credential'] });
});

test('the key of the cluster that let the worker in is kept, and never the secret; a credential replaces it', async () => {
  const { directory } = applicant();
  const found = await findMembership(applicant({ secret: 'given' }));
  if (!found.ok) throw new Error(found.detail);
  const [proof] = found.membership.proofs();
  expect(keptCluster(directory)).toBeNull();
  found.membership.onAdmitted(proof, dispatcherKey);
  expect(keptCluster(directory)).toEqual({ beaconKey: keySet('given').beaconKey, dispatcherKey });
  const file = clusterPath(directory);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await Bun.file(file).text()).not.toContain('given');
  const fresh = { keyId: 'k2', psk: new Uint8Array(32), beaconKey: new Uint8Array(32).fill(9), dispatcherKey };
  found.membership.onCredential(fresh);
  expect(keptCluster(directory)?.beaconKey).toEqual(fresh.beaconKey);
  expect(keysInDirectory(applicant().dataDir, null, 0)).toEqual([fresh.beaconKey]);
  writePrivate(file, 'damaged');
  expect(keptCluster(directory)).toBeNull();
});

test('a credential that is sent later is kept and comes first, whatever the worker joined by', async () => {
  const found = await findMembership(applicant({ secret: 'given' }));
  if (!found.ok) throw new Error(found.detail);
  const fresh = { keyId: 'k2', psk: new Uint8Array(32).fill(5), beaconKey: new Uint8Array(32), dispatcherKey };
  found.membership.onCredential(fresh);
  expect(found.membership.proofs().map(({ by }) => by)).toEqual(['credential', 'secret']);
  // Without an address: where workers look without being told is where this one found its dispatcher.
  const { directory } = applicant();
  expect(keptCredential(directory)).toEqual({ credential: fresh, name: null, addresses: [], inviteId: null });
  keepCredential(directory, { credential: fresh, name: 'pi-3', addresses: ['a:1'], inviteId });
  const again = await findMembership(applicant());
  if (again.ok) again.membership.onCredential({ ...fresh, keyId: 'k3' });
  expect(keptCredential(directory)).toMatchObject({
    credential: { keyId: 'k3' },
    name: 'pi-3',
    addresses: ['a:1'],
    inviteId,
  });
});
