import { expect, test } from 'bun:test';
import type { LinkEnd, LinkHandlers, Links } from '../../../src/ports/links.ts';
import type { DispatcherMessage } from '../../../src/wire/messages.ts';
import { Dialling } from '../../../src/worker/dialling.ts';
import { type Address, Redial } from '../../../src/worker/redial.ts';
import { ManualClock } from '../manual-clock.ts';
import { FakeLink, silentLog } from './fakes.ts';
import { promises } from './worker-bench.ts';

const lost: LinkEnd = { code: 'connection_lost', detail: 'Nothing listens there.' };
const wrongKey: LinkEnd = { code: 'wrong_key', detail: 'It is another dispatcher.' };
const noHandlers: LinkHandlers<DispatcherMessage> = {
  onMessage: () => undefined,
  onDrain: () => undefined,
  onEnd: () => undefined,
};

/** Dials that end when the test says so. */
class Bench {
  readonly clock = new ManualClock();
  readonly dials: string[] = [];
  readonly linked: string[] = [];
  readonly failed: string[] = [];
  readonly redial: Redial;
  readonly dialling: Dialling;
  private readonly open = new Map<string, { link(): FakeLink; fail(end: LinkEnd): void }>();
  private readonly listeners = new Set<(lost: boolean) => void>();
  private hosts: readonly string[];

  constructor(...hosts: string[]) {
    this.hosts = hosts;
    const addresses = (): readonly Address[] => this.hosts.map((host) => ({ host, port: 1 }));
    this.redial = new Redial(addresses, { bytes: (count) => new Uint8Array(count) });
    const links: Links = { listen: () => Promise.reject(new Error('it does not listen')), dial: this.#dial };
    const onNews = (listener: (lost: boolean) => void): (() => void) => {
      this.listeners.add(listener);
      return () => this.listeners.delete(listener);
    };
    this.dialling = new Dialling({
      ...{ links, clock: this.clock, log: silentLog, redial: this.redial },
      whereabouts: { addresses, onNews, isSearching: () => false, reached: () => undefined },
      proof: () => ({ by: 'secret', psk: new Uint8Array(32) }),
      onLink: (_, { host }) => {
        this.linked.push(host);
        return noHandlers;
      },
      onFailed: ({ code }, { host }, silent) =>
        this.failed.push([host, code, ...silent.map((each) => `(${each.host})`)].join(' ')),
    });
  }

  #dial: Links['dial'] = ({ host }, handlers) => {
    this.dials.push(host);
    return new Promise((resolve) => {
      this.open.set(host, {
        link: () => {
          const link = new FakeLink();
          handlers(link);
          resolve({ ok: true, link });
          return link;
        },
        fail: (end) => resolve({ ok: false, end }),
      });
    });
  };

  link(host: string): FakeLink {
    const link = this.open.get(host)?.link();
    if (link === undefined) throw new Error(`${host} was not dialled`);
    return link;
  }

  async fail(host: string, end = lost): Promise<void> {
    this.open.get(host)?.fail(end);
    await promises();
  }

  /** Other hosts are known from now on. */
  news(...hosts: string[]): void {
    this.hosts = hosts;
    for (const listener of this.listeners) listener(false);
  }
}

test('an address that does not answer holds up nobody: the next is dialled beside it, and the first link wins', () => {
  const bench = new Bench('gone', 'here');
  bench.dialling.start();
  bench.clock.advance(249);
  expect(bench.dials).toEqual(['gone']);
  bench.clock.advance(1);
  expect(bench.dials).toEqual(['gone', 'here']);
  bench.link('here');
  expect([bench.linked, bench.link('gone').closed]).toEqual([['here'], 'no link is wanted any more']);
  expect(bench.linked).toEqual(['here']);
});

test('an address that is found is dialled at once, while another is dialled and while a retry waits', async () => {
  const bench = new Bench('old');
  bench.dialling.start();
  bench.news('old', 'new');
  expect(bench.dials).toEqual(['old', 'new']);
  await bench.fail('old');
  expect(bench.failed).toEqual([]);
  await bench.fail('new');
  expect(bench.failed).toEqual(['new connection_lost']);
  bench.dialling.again(15_000);
  bench.news('old', 'new', 'newer');
  expect(bench.dials).toEqual(['old', 'new', 'newer']);
});

test('a dial that fails late is told when nothing else is planned, and not when something is', async () => {
  const bench = new Bench('slow', 'quick');
  bench.dialling.start();
  bench.clock.advance(250);
  await bench.fail('quick', wrongKey);
  expect(bench.failed).toEqual(['quick wrong_key (slow)']);
  bench.dialling.again(100);
  await bench.fail('slow');
  expect(bench.failed).toEqual(['quick wrong_key (slow)']);
  expect(bench.redial.isHopeless).toBe(false);
});

test('stop() dials no more, whatever is found, and closes a link that comes late', () => {
  const bench = new Bench('a');
  bench.dialling.start();
  bench.dialling.stop();
  bench.news('a', 'b');
  bench.clock.advance(60_000);
  expect([bench.dials, bench.link('a').closed, bench.linked]).toEqual([['a'], 'no link is wanted any more', []]);
});
