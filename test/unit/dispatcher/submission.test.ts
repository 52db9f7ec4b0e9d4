import { expect, test } from 'bun:test';
import type { NewTask, Submission } from '../../../src/api/backend.ts';
import { OctasklyError } from '../../../src/base/errors.ts';
import type { TaskStatus } from '../../../src/core/task.ts';
import { type Prepared, prepare } from '../../../src/dispatcher/submission.ts';
import { owner } from '../../plain-trust.ts';
import { noonWall, spec } from '../core/samples.ts';

function asked(wanted: Partial<NewTask> = {}): NewTask {
  const { batchId: _batch, retryOf: _retry, ...plain } = spec();
  return { ...plain, ...wanted };
}

function named(name: string, dependsOn: readonly string[] = []): NewTask {
  return asked({ name, dependsOn });
}

const live = '0000000000aa';
const done = '0000000000bb';
const failed = '0000000000cc';
const unknown = '0000000000dd';
const held = `sha256:${'a'.repeat(64)}`;
const absent = `sha256:${'b'.repeat(64)}`;

function prepared(
  tasks: readonly NewTask[],
  options: { batch?: boolean; lastId?: string; hidden?: readonly string[] } = {},
): Prepared {
  const submission: Submission = {
    tasks,
    batch: options.batch === false ? null : { name: null },
    idempotency: null,
    actor: owner,
  };
  const statuses = new Map<string, TaskStatus>([
    [done, 'completed'],
    [failed, 'failed'],
  ]);
  return prepare(submission, {
    lastId: options.lastId ?? '',
    wall: noonWall,
    retryOf: null,
    owner: null,
    isLive: (id) => id === live,
    isVisible: (id) => !(options.hidden ?? []).includes(id),
    blobSize: (blob) => (blob === held ? 5 : null),
    statuses: (ids) => new Map([...statuses].filter(([id]) => ids.includes(id))),
  });
}

function refusal(tasks: readonly NewTask[], batch = true, hidden: readonly string[] = []): OctasklyError {
  try {
    prepared(tasks, { batch, hidden });
  } catch (error) {
    if (error instanceof OctasklyError) return error;
    throw error;
  }
  throw new Error('the submission was accepted');
}

test('prepare() gives ids in order, the batch first, and says which was the last', () => {
  const { batchId, taskIds, lastId, tasks } = prepared([asked(), asked()]);
  const ids = [batchId ?? '', ...taskIds];
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(ids).size).toBe(3);
  expect(lastId).toBe(taskIds[1] as string);
  expect(tasks.map(({ id }) => id)).toEqual([...taskIds]);
  expect(tasks[0]?.spec.batchId).toBe(batchId);
});

test('prepare() gives a task outside a batch no batch', () => {
  const { batchId, tasks } = prepared([asked()], { batch: false });
  expect(batchId).toBeNull();
  expect(tasks[0]?.spec.batchId).toBeNull();
});

test('prepare() goes on after the greatest id, also when the clock went back', () => {
  const { batchId } = prepared([asked()], { lastId: 'y00000000000' });
  expect(batchId).toBe('y00000000001');
});

test('prepare() resolves names of the batch, and puts what is waited for first', () => {
  const { tasks, taskIds } = prepared([named('last', ['middle']), named('middle', ['first']), named('first')]);
  expect(tasks.map(({ spec: { name } }) => name)).toEqual(['first', 'middle', 'last']);
  const [lastId, middleId, firstId] = taskIds;
  expect(tasks[2]).toMatchObject({ id: lastId as string, spec: { dependsOn: [middleId as string] } });
  expect(tasks[1]?.spec.dependsOn).toEqual([firstId as string]);
});

test('prepare() tells what has ended from what is live', () => {
  const { tasks } = prepared([asked({ dependsOn: [live, done, failed] })]);
  expect([...(tasks[0]?.ended ?? [])]).toEqual([
    [done, 'completed'],
    [failed, 'failed'],
  ]);
});

test('prepare() treats tasks that may not be seen as tasks that are not there', () => {
  for (const id of [live, done]) {
    const known = refusal([asked({ dependsOn: [unknown] })], false);
    const hidden = refusal([asked({ dependsOn: [id] })], false, [id]);
    expect(hidden.message).toBe(known.message.replace(unknown, id));
    expect(prepared([asked({ dependsOn: [id] })], { batch: false }).taskIds).toHaveLength(1);
  }
});

test('prepare() refuses a dependency nobody knows, and names its place', () => {
  expect(refusal([asked(), asked({ dependsOn: [live, unknown] })])).toMatchObject({
    code: 'invalid',
    fields: [{ path: 'tasks.1.depends_on.1', message: `there is no task ${unknown} to wait for` }],
  });
  expect(refusal([asked({ dependsOn: [unknown] })], false).fields[0]?.path).toBe('depends_on.0');
});

test('prepare() refuses what is neither a name of the batch nor an id', () => {
  expect(refusal([named('a'), named('b', ['c'])]).fields).toEqual([
    { path: 'tasks.1.depends_on.0', message: '"c" is neither the id of a task nor a name in this batch' },
  ]);
  expect(refusal([named('a', ['a'])], false).fields[0]?.message).toContain('neither the id');
});

test('prepare() refuses a name that two tasks carry only where it is waited for', () => {
  expect(refusal([named('a'), named('a'), named('b', ['a'])]).fields[0]?.message).toBe(
    'more than one task of the batch is named "a"',
  );
  expect(prepared([named('a'), named('a'), named('b')]).tasks).toHaveLength(3);
});

test('prepare() refuses circles, however long, and names who is in them', () => {
  expect(refusal([named('a', ['a'])]).fields[0]?.message).toBe('these tasks wait for each other in a circle: a');
  const circle = [named('free'), named('a', ['c']), named('b', ['a']), named('c', ['b'])];
  expect(refusal(circle).fields[0]?.message).toBe('these tasks wait for each other in a circle: a, b, c');
});

test('prepare() takes a dependency named twice as one', () => {
  const { tasks } = prepared([named('b', ['a', 'a']), named('a')]);
  expect(tasks.map(({ spec: { name } }) => name)).toEqual(['a', 'b']);
});

test('prepare() takes ten thousand that wait for one in a moment', () => {
  const many = Array.from({ length: 9999 }, (_, n) => named(`t${n}`, ['root']));
  const { tasks } = prepared([...many, named('root')]);
  expect(tasks[0]?.spec.name).toBe('root');
  expect(tasks).toHaveLength(10_000);
});

test('prepare() gives inputs the size of their blobs', () => {
  const input = { path: 'dir/a', blob: held, bytes: null, executable: true };
  const { tasks } = prepared([asked({ inputs: [input, { ...input, path: 'b', bytes: 5 }] })]);
  expect(tasks[0]?.spec.inputs.map(({ path, bytes, executable }) => [path, bytes, executable])).toEqual([
    ['dir/a', 5, true],
    ['b', 5, true],
  ]);
});

test('prepare() names every input whose blob is not here or has another size', () => {
  const input = { path: 'a', blob: absent, bytes: null, executable: false };
  const { code, message, fields } = refusal([asked(), asked({ inputs: [input, { ...input, blob: held, bytes: 6 }] })]);
  expect(code).toBe('invalid');
  expect(message).toContain(`upload it with PUT /api/v1/blobs/${absent}`);
  expect(fields.map(({ path }) => path)).toEqual(['tasks.1.inputs.0.blob', 'tasks.1.inputs.1.bytes']);
  const many = Array.from({ length: 500 }, (_, n) => ({ ...input, path: `f${n}` }));
  expect(refusal([asked({ inputs: many })], false).fields).toHaveLength(100);
});
