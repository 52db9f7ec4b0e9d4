import { describe, expect, test } from 'bun:test';
import type { TaskFile } from '../../../src/core/files.ts';
import { emptyState } from '../../../src/core/state.ts';
import { blobsMax, Holders, hintedBytesMin } from '../../../src/dispatcher/holders.ts';
import { policy, spec, task, worker } from '../core/samples.ts';

const blobName = (n: number): string => `sha256:${n.toString(16).padStart(64, '0')}`;
const large = (n = 1): TaskFile => ({ path: 'in', blob: blobName(n), bytes: hintedBytesMin, executable: false });
const publicKey = 'ab'.repeat(32);

function stateOf(count: number) {
  const state = emptyState(policy);
  for (let n = 0; n < count; n++) {
    const id = `w${n}`;
    const kept = { session: n, address: `10.0.0.${n}:4000`, publicKey };
    state.workers.set(id, worker(id, { peerPort: 7879 }, kept));
  }
  return state;
}

const idsIn = (message: ReturnType<Holders['wanted']>): readonly string[] =>
  message?.kind === 'holders' ? message.blobs.flatMap(({ at }) => at.map(({ id }) => id)) : [];

describe('Holders', () => {
  test('wanted() makes those who want the same at once a chain; the first is pointed at nobody', () => {
    const [holders, state] = [new Holders(), stateOf(6)];
    const told = ['w0', 'w1', 'w2', 'w3', 'w4', 'w5'].map((id) => idsIn(holders.wanted(state, id, [large()])));
    expect(told).toEqual([
      [],
      ['w0'],
      ['w1', 'w0'],
      ['w2', 'w1', 'w0'],
      ['w3', 'w2', 'w1', 'w0'],
      ['w4', 'w3', 'w2', 'w1'],
    ]);
  });

  test('wanted() names those for certain who keep what the dispatcher has not', () => {
    const holders = new Holders((blob) => (blob === blobName(1) ? ['w3'] : []));
    const state = stateOf(4);
    expect(idsIn(holders.wanted(state, 'w0', [large(1), large(2)]))).toEqual(['w3']);
  });

  test('wanted() says where a worker takes peers', () => {
    const [holders, state] = [new Holders(), stateOf(2)];
    holders.wanted(state, 'w0', [large()]);
    const at = [{ id: 'w0', publicKey, host: '10.0.0.0', port: 7879 }];
    expect(holders.wanted(state, 'w1', [large()])).toEqual({ kind: 'holders', blobs: [{ blob: blobName(1), at }] });
  });

  test('wanted() points nobody at one who was told to get it later, so that two never wait for each other', () => {
    const [holders, state] = [new Holders(), stateOf(2)];
    holders.wanted(state, 'w0', [large()]);
    holders.wanted(state, 'w1', [large()]);
    expect(holders.wanted(state, 'w0', [large()])).toBeNull();
  });

  test('those who have started a task, or made a file, have all of it: they come first, and take turns', () => {
    const [holders, state] = [new Holders(), stateOf(8)];
    state.tasks.set('t1', task('t1', { spec: spec({ inputs: [large()] }) }));
    for (const id of ['w0', 'w1', 'w2', 'w3', 'w4', 'w5']) holders.wanted(state, id, [large()]);
    for (const id of ['w1', 'w2', 'w3', 'w4', 'w5']) {
      holders.reported(state, id, [{ kind: 'started', taskId: 't1', attempt: 1, startedAt: 0 }]);
    }
    const first = idsIn(holders.wanted(state, 'w6', [large()]));
    const second = idsIn(holders.wanted(state, 'w7', [large()]));
    expect(first).toHaveLength(4);
    expect(first).not.toContain('w0');
    expect(second).toContain('w5');
  });

  test('small files, workers without peers and workers that are gone are not spoken of', () => {
    const [holders, state] = [new Holders(), stateOf(3)];
    expect(holders.wanted(state, 'w0', [{ ...large(), bytes: hintedBytesMin - 1 }])).toBeNull();
    expect(holders.size).toBe(0);
    holders.wanted(state, 'w0', [large()]);
    const gone = state.workers.get('w0');
    if (gone !== undefined) gone.session = null;
    state.workers.set('w1', worker('w1', { peerPort: null }, { session: 1, address: '10.0.0.1:1' }));
    holders.wanted(state, 'w1', [large()]);
    expect(holders.wanted(state, 'w2', [large()])).toBeNull();
  });

  test('is bounded: the longest not asked for is forgotten', () => {
    const [holders, state] = [new Holders(), stateOf(2)];
    for (let n = 0; n <= blobsMax; n++) holders.wanted(state, 'w0', [large(n)]);
    expect(holders.size).toBe(blobsMax);
    expect(holders.wanted(state, 'w1', [large(0)])).toBeNull();
    expect(holders.wanted(state, 'w1', [large(blobsMax)])).not.toBeNull();
  });
});
