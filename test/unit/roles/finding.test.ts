import { describe, expect, test } from 'bun:test';
import type { FoundDispatcher, Place, Sought } from '../../../src/discovery/service.ts';
import { type Finder, whereaboutsOf } from '../../../src/roles/finding.ts';

const fingerprint = 'SHA256:abc';

function dispatcherAt(...hosts: readonly string[]): FoundDispatcher {
  const places = hosts.map((host): Place => ({ host, port: 7878 }));
  const facts = {
    protocol: 1,
    id: 'd1',
    apiPort: 3000,
    scheme: 'http',
    fingerprint,
    clusterId: '0'.repeat(16),
  } as const;
  return { ...facts, name: 'octaskly-1', places };
}

/** A finder whose findings the test says. */
function fakeFinder() {
  let found: readonly FoundDispatcher[] = [];
  const listeners = new Set<() => void>();
  const finder: Finder = {
    get dispatchers() {
      return found;
    },
    elapsedMs: 0,
    seek: () => undefined,
    onNews(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => Promise.resolve(),
  };
  const say = (...dispatchers: readonly FoundDispatcher[]): void => {
    found = dispatchers;
    for (const listener of listeners) listener();
  };
  return { finder, say };
}

describe('whereaboutsOf()', () => {
  test('tells of an address that is gone, of a dispatcher that was found before it was known whose it is', () => {
    const { finder, say } = fakeFinder();
    let sought: Sought | null = null;
    const fixed = [{ host: '10.0.0.1', port: 7878 }];
    const whereabouts = whereaboutsOf({ fixed, named: true, finder, sought: () => sought, onFound: () => undefined });
    const news: boolean[] = [];
    whereabouts.onNews((lost) => news.push(lost));
    say(dispatcherAt('10.0.0.1', '10.0.1.1'));
    expect(news).toEqual([]);
    sought = { by: 'fingerprint', fingerprint };
    say(dispatcherAt('10.0.1.1'));
    say(dispatcherAt('10.0.1.1', '10.0.0.9'));
    expect(news).toEqual([true, false]);
  });
});
