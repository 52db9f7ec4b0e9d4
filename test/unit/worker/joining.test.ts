import { expect, test } from 'bun:test';
import type { LinkEnd, LinkHandlers, Links, Proof } from '../../../src/ports/links.ts';
import type { DispatcherMessage, RefusalCode } from '../../../src/wire/messages.ts';
import { type Enrolled, enroll } from '../../../src/worker/joining.ts';
import { fixedWhereabouts } from '../../fixed-whereabouts.ts';
import { ManualClock } from '../manual-clock.ts';
import { FakeLink, silentLog } from './fakes.ts';

const nothing: Proof = { by: 'nothing' };
const invite: Proof = {
  by: 'invite',
  sums: null,
  inviteId: '0'.repeat(16),
  psk: new Uint8Array(32),
  dispatcherKey: 'key',
};
const psk = new Uint8Array(32).fill(1);
const beaconKey = new Uint8Array(32).fill(2);

class Bench {
  readonly clock = new ManualClock();
  readonly codes: string[] = [];
  readonly status: string[] = [];
  readonly dialled: string[] = [];
  readonly giveUp = new AbortController();
  link = new FakeLink();
  handlers: LinkHandlers<DispatcherMessage> | null = null;
  end: Enrolled | null = null;
  failure: LinkEnd | null = null;
  /** Digits of the next link. */
  code = '123456';

  constructor(proof: Extract<Proof, { by: 'invite' | 'nothing' }>, hosts: readonly string[] = ['a']) {
    const { clock } = this;
    const dial: Links['dial'] = ({ host, proof: shown }, handlers) => {
      this.dialled.push(host);
      if (this.failure !== null) return Promise.resolve({ ok: false, end: this.failure });
      const link = new FakeLink();
      if (shown.by === 'nothing') link.admission = { by: 'nothing', code: this.code };
      else if (shown.by === 'invite') link.admission = { by: 'invite', inviteId: shown.inviteId, keyId: '' };
      this.link = link;
      this.handlers = handlers(link);
      return Promise.resolve({ ok: true, link });
    };
    const links = { listen: () => Promise.reject(new Error('it does not listen')), dial };
    const random = { bytes: (count: number) => new Uint8Array(count) };
    void enroll(
      { links, clock, random, log: silentLog },
      {
        proof,
        whereabouts: fixedWhereabouts(hosts.map((host) => ({ host, port: 7878 }))),
        ...{ name: 'pi', platform: 'linux', arch: 'arm64', version: '1.2.3' },
        onCode: (code) => this.codes.push(code),
        onStatus: (sentence) => this.status.push(sentence),
        signal: this.giveUp.signal,
      },
    ).then((end) => {
      this.end = end;
    });
  }

  hear(message: DispatcherMessage): void {
    this.handlers?.onMessage(message);
  }

  refuse(code: RefusalCode, retryAfterMs = 0): void {
    this.hear({ kind: 'refused', code, detail: `Refused: ${code}.`, retryAfterMs });
  }

  /** The link ends as it was closed here, or with `end`. */
  async ends(end: LinkEnd = { code: 'closed', detail: this.link.closed ?? 'Bye.' }): Promise<void> {
    this.handlers?.onEnd(end);
    await this.rest();
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.rest();
  }

  async rest(): Promise<void> {
    for (let n = 0; n < 10; n++) await Promise.resolve();
  }
}

test('enroll() with a join token asks once and gives the credential, with the key of who gave it', async () => {
  const bench = new Bench(invite);
  expect(bench.link.sent).toEqual([{ kind: 'enroll', name: 'pi', platform: 'linux', arch: 'arm64', version: '1.2.3' }]);
  bench.hear({ kind: 'credential', keyId: 'k1', psk, beaconKey, name: 'pi-3' });
  await bench.rest();
  expect(bench.end).toEqual({
    ok: true,
    credential: { keyId: 'k1', psk, beaconKey, dispatcherKey: bench.link.remoteKey },
    name: 'pi-3',
    address: { host: 'a', port: 7878 },
  });
  expect([bench.link.closed, bench.clock.pending]).toEqual(['enrolled', 0]);
});

test('enroll() without a token shows the code of its link, and another one after nobody approved in time', async () => {
  const bench = new Bench(nothing);
  bench.hear({ kind: 'pending', expiresInMs: 300_000 });
  await bench.advance(299_999);
  expect([bench.codes, bench.link.closed]).toEqual([['123456'], null]);
  bench.code = '654321';
  bench.refuse('approval_expired', 1000);
  await bench.ends();
  await bench.advance(999);
  expect(bench.dialled).toHaveLength(1);
  await bench.advance(1);
  bench.hear({ kind: 'pending', expiresInMs: 300_000 });
  expect(bench.codes).toEqual(['123456', '654321']);
  bench.hear({ kind: 'credential', keyId: 'k1', psk, beaconKey, name: 'pi-3' });
  await bench.rest();
  expect(bench.end?.ok).toBe(true);
});

test('enroll() gives up a link that says nothing, before and after it promised something', async () => {
  const bench = new Bench(nothing);
  await bench.advance(15_000);
  expect(bench.link.closed).toBe('The dispatcher did not answer.');
  await bench.ends();
  await bench.advance(1000);
  bench.hear({ kind: 'pending', expiresInMs: 60_000 });
  await bench.advance(69_999);
  expect(bench.link.closed).toBeNull();
  await bench.advance(1);
  expect(bench.link.closed).toBe('Nobody approved this device in time.');
});

test.each([
  'rejected',
  'revoked',
  'not_allowed',
  'identity_taken',
  'invite_used',
  'invite_expired',
  'invite_unknown',
] as const)('enroll() ends with the reason when it is refused for good: %s', async (code) => {
  const bench = new Bench(invite);
  bench.refuse(code);
  await bench.rest();
  expect(bench.end).toEqual({ ok: false, detail: `Refused: ${code}.`, lasting: true });
  expect([bench.link.closed, bench.clock.pending]).toEqual(['given up', 0]);
});

test('enroll() asks again after a refusal for now, as late as it was told, and says why once', async () => {
  const bench = new Bench(invite);
  for (let n = 0; n < 3; n++) {
    bench.refuse('busy', 5000);
    await bench.ends();
    await bench.advance(4999);
    expect(bench.dialled).toHaveLength(n + 1);
    await bench.advance(1);
  }
  expect(bench.status).toEqual(['Cannot join the dispatcher at a:7878 yet: Refused: busy. Trying again.']);
});

test('enroll() tries all addresses in turn, and waits longer after each round', async () => {
  const bench = new Bench(nothing, ['a', 'b']);
  bench.failure = { code: 'connection_lost', detail: 'Nothing listens there.' };
  await bench.ends({ code: 'connection_lost', detail: 'Nothing listens there.' });
  for (const waitMs of [100, 100, 200, 200, 400]) await bench.advance(waitMs);
  expect(bench.dialled).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  expect(bench.status).toEqual(['Cannot join the dispatcher at a:7878 yet: Nothing listens there. Trying again.']);
});

test('enroll() ends with advice when every address answers with another dispatcher', async () => {
  const bench = new Bench(invite, ['a', 'b']);
  bench.failure = { code: 'wrong_key', detail: 'It is another one.' };
  await bench.ends(bench.failure);
  expect(bench.end).toBeNull();
  await bench.advance(100);
  expect(bench.end).toMatchObject({ ok: false, lasting: true, detail: expect.stringContaining('--dispatcher') });
});

test('enroll() stops when it is told to, with the trouble it met last', async () => {
  const bench = new Bench(invite);
  bench.refuse('full');
  await bench.ends();
  bench.giveUp.abort();
  await bench.rest();
  expect(bench.end).toEqual({ ok: false, detail: 'Refused: full.', lasting: false });
  await bench.advance(60_000);
  expect([bench.dialled.length, bench.clock.pending]).toEqual([1, 0]);
});

test('enroll() takes no work and no welcome, and with a token no wait for an approval', async () => {
  const bench = new Bench(invite);
  bench.hear({ kind: 'assign', attempts: [] });
  expect(bench.link.closed).toContain('"assign"');
  await bench.ends();
  await bench.advance(1000);
  bench.hear({ kind: 'pending', expiresInMs: 1000 });
  expect(bench.link.closed).toContain('although this device has a join token');
  expect(bench.codes).toEqual([]);
});
