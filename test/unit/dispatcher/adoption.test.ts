/** What is taken in of what a worker says it has adopted, and what it is to abandon. */

import { describe, expect, test } from 'bun:test';
import { nextId } from '../../../src/core/ids.ts';
import { violations } from '../../../src/core/invariants.ts';
import { emptyState } from '../../../src/core/state.ts';
import { takeAdopted } from '../../../src/dispatcher/adoption.ts';
import { Turn } from '../../../src/dispatcher/turn.ts';
import type { TaskRow } from '../../../src/ports/store.ts';
import type { AdoptedTask, Assignment } from '../../../src/wire/messages.ts';
import { declaration, noonWall, policy, requirement, submitted, usage } from '../core/samples.ts';
import { assignment } from '../worker/fakes.ts';
import { FakeStore } from './fakes.ts';

const id = nextId('', noonWall);
const none = new Uint8Array(0);
const dayMs = 24 * 3600 * 1000;

class Scene {
  readonly store = new FakeStore();
  readonly state = emptyState(policy);

  constructor() {
    for (const [index, workerId] of ['w1', 'w2'].entries()) {
      this.turn((turn) =>
        turn.apply({
          ...{ kind: 'workerJoined', session: index + 1, address: '192.0.2.1:1', publicKey: workerId, held: [] },
          ...{ declaration: declaration(workerId), remembered: null },
        }),
      );
    }
  }

  turn(act: (turn: Turn) => void): Turn {
    const turn = new Turn(this.state, { at: 1000, wall: noonWall });
    act(turn);
    expect(violations(this.state)).toEqual([]);
    return turn;
  }

  /** What the worker is told on saying that it has adopted this. */
  adopt(told: Assignment, { workerId = 'w1', session = 1 } = {}): { readonly abandons: string[]; readonly turn: Turn } {
    const task: AdoptedTask = { assignment: told, from: 'laptop', adoptedAt: noonWall };
    const turn = this.turn((current) => takeAdopted(current, this.store, { workerId, session, tasks: [task] }));
    const abandons = (turn.outgoing.get(workerId) ?? []).flatMap((message) =>
      message.kind === 'abandon' ? message.attempts.map(({ taskId, attempt }) => `${taskId}.${attempt}`) : [],
    );
    return { abandons, turn };
  }

  entries(turn: Turn): string[] {
    return turn.changes().flatMap((change) => (change.kind === 'audit' ? [change.eventType] : []));
  }
}

describe('takeAdopted()', () => {
  test('takes a new one in as it runs, and puts it on record once', () => {
    const scene = new Scene();
    const { abandons, turn } = scene.adopt(assignment(id));
    expect(abandons).toEqual([]);
    expect(scene.entries(turn)).toEqual(['task_adopted']);
    expect(scene.state.tasks.get(id)).toMatchObject({ status: 'running', attempt: 1, workerId: 'w1' });
    expect(scene.state.tasks.get(id)?.spec).toMatchObject({ retryCount: 0, owner: null, adopted: true });
    expect(turn.outgoing.get('w1')).toBeUndefined();
    const again = scene.adopt(assignment(id));
    expect(again.abandons).toEqual([]);
    expect(scene.entries(again.turn)).toEqual([]);
    expect(scene.state.counts.running).toBe(1);
  });

  test('has any other attempt than the first abandoned', () => {
    const scene = new Scene();
    expect(scene.adopt(assignment(id, 2)).abandons).toEqual([`${id}.2`]);
    expect(scene.state.tasks.size).toBe(0);
  });

  test('takes an id of a clock that is a day ahead, and none of one that is further ahead', () => {
    const scene = new Scene();
    expect(scene.adopt(assignment(nextId('', noonWall + dayMs))).abandons).toEqual([]);
    const far = nextId('', noonWall + dayMs + 60_000);
    expect(scene.adopt(assignment(far)).abandons).toEqual([`${far}.1`]);
  });

  test('has what is known with other content abandoned, and leaves what is known as it is', () => {
    const scene = new Scene();
    scene.adopt(assignment(id));
    expect(scene.adopt(assignment(id, 1, { command: 'another' })).abandons).toEqual([`${id}.1`]);
    expect(scene.state.tasks.get(id)?.spec.command).toBe('true');
    expect(scene.adopt(assignment(id, 1, { requires: requirement({ gpu: 1 }) })).abandons).toEqual([`${id}.1`]);
  });

  test('has what another worker adopted abandoned', () => {
    const scene = new Scene();
    scene.adopt(assignment(id));
    expect(scene.adopt(assignment(id), { workerId: 'w2', session: 2 }).abandons).toEqual([`${id}.1`]);
    expect(scene.state.tasks.get(id)?.workerId).toBe('w1');
  });

  test('has a task that was submitted here abandoned', () => {
    const scene = new Scene();
    scene.turn((turn) => turn.apply({ kind: 'tasksSubmitted', tasks: [submitted(id, { priority: 5 })] }));
    const before = scene.state.tasks.get(id)?.attempt;
    expect(scene.adopt(assignment(id)).abandons).toEqual([`${id}.1`]);
    expect(scene.state.tasks.get(id)?.attempt).toBe(before ?? -1);
  });

  test('leaves one that has ended ended, and lets its end be told once more', () => {
    const scene = new Scene();
    scene.adopt(assignment(id));
    const known = scene.state.tasks.get(id);
    if (known === undefined) throw new Error('it was not taken in');
    scene.turn((turn) => turn.apply({ kind: 'workerKicked', workerId: 'w1', why: 'somebody removed it' }));
    expect(known).toMatchObject({ status: 'failed', reason: 'lost: somebody removed it' });
    scene.store.rows.set(id, { task: known } as TaskRow);
    const { abandons, turn } = scene.adopt(assignment(id));
    expect(abandons).toEqual([]);
    expect(scene.entries(turn)).toEqual([]);
    expect(scene.state.tasks.size).toBe(0);
  });

  test('takes nothing of a link that was replaced', () => {
    const scene = new Scene();
    scene.adopt(assignment(id), { session: 7 });
    expect(scene.state.tasks.size).toBe(0);
  });

  test('keeps the books right when it asks for more than is left', () => {
    const scene = new Scene();
    const large = { requires: requirement({ cpuCores: 3 }) };
    scene.turn((turn) => turn.apply({ kind: 'tasksSubmitted', tasks: [submitted(nextId(id, noonWall), large)] }));
    scene.adopt(assignment(id, 1, large));
    expect(scene.state.workers.get('w1')?.reserved.cpuCores).toBe(6);
    const end = {
      kind: 'ended',
      taskId: id,
      attempt: 1,
      startedAt: 0,
      outcome: { kind: 'exited', exitCode: 0 },
    } as const;
    const left = { stdout: none, stderr: none, outputs: [], outputProblems: [] };
    const entries = [{ ...end, ...left, usage: usage() }];
    scene.turn((turn) => turn.apply({ kind: 'workerReported', workerId: 'w1', session: 1, entries }));
    expect(scene.state.workers.get('w1')?.reserved.cpuCores).toBe(3);
  });
});
