import { expect, test } from 'bun:test';
import type { RollMember } from '../../../src/core/fleet.ts';
import { emptyState } from '../../../src/core/state.ts';
import { Fleet } from '../../../src/dispatcher/fleet.ts';
import { declaration, policy, worker } from '../core/samples.ts';
import { ManualClock } from '../manual-clock.ts';
import { silentLog } from './fakes.ts';

const owner = { name: 'owner', role: 'admin', from: null } as const;
const next = '2.0.0';

/** A dispatcher of version 2.0.0 with one worker of 1.0.0, whose update has begun and that has the program already. */
async function leaving() {
  const clock = new ManualClock();
  const state = emptyState(policy);
  const runs = (version: string): void => {
    const wanted = { version, program: { target: 'linux-x64', refusal: null, needsSignature: false } };
    state.workers.set('w1', worker('w1', declaration('w1', wanted)));
  };
  runs('1.0.0');
  const said: RollMember[] = [];
  const offer = { blob: `sha256:${'0'.repeat(64)}`, bytes: 10, signed: null };
  const fleet = new Fleet({
    ...{ clock, version: next, log: silentLog, state: () => state, store: { setting: () => null } },
    programs: {
      targets: async () => new Set(['linux-x64']),
      isSigned: false,
      open: async () => offer,
      read: () => null,
    },
    blobs: { offer: () => undefined, withdraw: () => undefined, readTo: () => 0 },
    send: () => true,
    setDraining: async () => undefined,
    inTurn: () => Promise.resolve(undefined as never),
    publish: (member) => said.push(member),
  });
  const { id } = await fleet.start({ only: null, waitMs: 1000, allowDowngrade: false }, owner);
  const rest = async (): Promise<void> => {
    for (let count = 0; count < 50; count++) await Promise.resolve();
  };
  await rest();
  fleet.reported('w1', { version: next, step: 'fetching', detail: null });
  fleet.reported('w1', { version: next, step: 'draining', detail: null });
  await rest();
  fleet.left('w1');
  await rest();
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await rest();
  };
  return { fleet, runs, pass, rest, roll: () => fleet.roll(id) };
}

test('Fleet ends with a worker that was killed and is back as it was, without waiting for what it has not to tell', async () => {
  const { fleet, pass, rest, roll } = await leaving();
  fleet.joined('w1');
  await rest();
  await pass(14_000);
  expect(roll()?.status).toBe('running');
  await pass(1000);
  expect([roll()?.status, roll()?.reason]).toEqual([
    'failed',
    'Worker w1: It is back with 1.0.0, and says nothing of the update: it was started anew, or lost its link, before that was done.',
  ]);
});

test('Fleet takes a worker that is back with the new version for updated, though it was killed before it could say so', async () => {
  const { fleet, runs, pass, rest, roll } = await leaving();
  runs(next);
  fleet.joined('w1');
  await rest();
  await pass(15_000);
  expect(roll()?.members).toMatchObject([{ status: 'updated' }]);
  expect(roll()?.status).toBe('completed');
});

test('Fleet waits for a worker on after the trial of its new program, which joins and leaves', async () => {
  const { fleet, pass, rest, roll } = await leaving();
  fleet.joined('w1');
  await rest();
  fleet.left('w1');
  await rest();
  await pass(200_000);
  expect(roll()?.status).toBe('running');
  fleet.joined('w1');
  fleet.reported('w1', { version: next, step: 'done', detail: null });
  await rest();
  expect(roll()?.status).toBe('completed');
});
