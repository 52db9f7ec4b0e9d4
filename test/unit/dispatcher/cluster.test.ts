import { expect, test } from 'bun:test';
import { clusterIdOf } from '../../../src/dispatcher/cluster.ts';
import { FakeStore } from './fakes.ts';

test('clusterIdOf() draws an id once, and keeps it', () => {
  const store = new FakeStore();
  const random = { bytes: (count: number) => new Uint8Array(count).fill(0xab) };
  expect(clusterIdOf(store, random)).toBe('abababababababab');
  expect(store.commits).toEqual([[{ kind: 'setting', key: 'cluster_id', value: 'abababababababab' }]]);
  store.loaded = { ...store.loaded, settings: new Map([['cluster_id', '0011223344556677']]) };
  expect([clusterIdOf(store, random), store.commits.length]).toEqual(['0011223344556677', 1]);
});
