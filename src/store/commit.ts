/**
 * Changes into rows: the hot path of the store. Opens no transaction itself; the caller wraps it in one.
 *
 * A new task that nothing has happened to is one insert, a change is one update, and an end and its output are the same one:
 * finding the row and moving its index entries costs more than writing its columns.
 * Invariants: a task is new once, and every other change of it finds its row; both are asserted.
 */

import { and, eq, isNotNull, type SQL, sql } from 'drizzle-orm';
import type { SQLiteTable } from 'drizzle-orm/sqlite-core';
import { assert, unreachable } from '../base/assert.ts';
import type { Task } from '../core/task.ts';
import type { InviteRecord, NodeRecord, TokenRecord } from '../core/trust.ts';
import type { Change } from '../ports/store.ts';
import { Appends } from './append.ts';
import type { Sha256 } from './audit.ts';
import { type Connection, slots } from './connection.ts';
import { pruneBlobs } from './prune.ts';
import { attemptRowOf, isPristine, isSmooth, newRowOf, outputRowOf, stateRowOf, workerRowOf } from './rows.ts';
import {
  attempts,
  batches,
  blobs,
  deliveries,
  idempotency,
  inputBlobs,
  invites,
  nodes,
  outputs,
  settings,
  tasks,
  taskTags,
  tokens,
  workers,
} from './schema.ts';

type ChangeOf<Kind extends Change['kind']> = Extract<Change, { kind: Kind }>;
type NewRow = ReturnType<typeof newRowOf>;
type AssignmentRow = Pick<NewRow, 'id' | 'phase' | 'workerId' | 'attempt'>;
type StateRow = ReturnType<typeof stateRowOf>;
type OutputRow = ReturnType<typeof outputRowOf>;
type Insert<Table extends SQLiteTable> = Table['$inferInsert'];

const usage = [
  ...(['durationMs', 'cpuMs', 'memoryPeakBytes', 'stdoutBytes', 'stderrBytes', 'discardedBytes'] as const),
  ...(['writtenBytes', 'sandboxLevel'] as const),
] as const;
const outputColumns = ['stdout', 'stdoutSize', 'stdoutBlob', 'stderr', 'stderrSize', 'stderrBlob'] as const;
const end = ['outcome', 'exitCode', 'signal', 'outcomeDetail', ...usage] as const;

/** The statements on `tasks`, and the row each takes. */
function compileTaskStatements(connection: Connection) {
  const { orm } = connection;
  const asked = slots(tasks, 'id', 'createdAt', 'command', 'name', 'priority', 'batchId', 'owner', 'spec');
  const assigned = slots(tasks, 'status', 'phase', 'workerId', 'attempt');
  // What a task has whose first attempt simply ends: the other columns are as they were inserted.
  const smooth = { ...assigned, ...slots(tasks, 'startedAt', 'completedAt', 'outcome', 'exitCode', ...usage) };
  const lived = slots(tasks, 'failures', 'losses', 'startedAt', 'cancelRequested', 'reason', 'avoid', 'notBefore');
  const state = { ...assigned, ...lived, ...slots(tasks, 'completedAt', ...end) };
  const output = slots(tasks, ...outputColumns);
  const update = (values: Record<string, SQL>) => orm.update(tasks).set(values).where(eq(tasks.id, asked.id));
  return {
    newTask: connection.compile<NewRow>(orm.insert(tasks).values({ ...asked, ...assigned })),
    assignment: connection.compile<AssignmentRow>(update(slots(tasks, 'phase', 'workerId', 'attempt'))),
    state: connection.compile<StateRow>(update(state)),
    smooth: connection.compile<StateRow>(update(smooth)),
    smoothAndOutput: connection.compile<StateRow & OutputRow>(update({ ...smooth, ...slots(tasks, ...outputColumns) })),
    stateAndOutput: connection.compile<StateRow & OutputRow>(update({ ...state, ...output })),
    output: connection.compile<OutputRow & { id: string }>(update(output)),
  };
}

/** The statements on all other tables. */
function compileStatements(connection: Connection) {
  const { orm } = connection;
  const tag = slots(taskTags, 'taskId', 'key', 'value');
  const attempt = slots(attempts, 'taskId', 'attempt', 'workerId', 'startedAt', 'endedAt', ...end);
  const blob = slots(blobs, 'hash', 'bytes');
  const inputBlob = slots(inputBlobs, 'taskId', 'blob');
  const file = slots(outputs, 'taskId', 'path', 'blob', 'bytes', 'executable', 'problem', 'keptAt');
  const batch = slots(batches, 'id', 'name', 'createdAt', 'size', 'owner', 'notify');
  const answer = slots(idempotency, 'key', 'bodyHash', 'answer', 'createdAt');
  const worker = slots(workers, 'name', 'publicKey', 'firstSeenAt', 'lastSeenAt', 'draining', 'declaration');
  const setting = slots(settings, 'key', 'value');
  const delivery = slots(deliveries, 'destination', 'createdAt', 'notice', 'tries', 'nextAt');
  return {
    tag: connection.compile<Insert<typeof taskTags>>(orm.insert(taskTags).values(tag)),
    attempt: connection.compile<Insert<typeof attempts>>(orm.insert(attempts).values(attempt)),
    blob: connection.compile<Insert<typeof blobs>>(orm.insert(blobs).values(blob).onConflictDoNothing()),
    inputBlob: connection.compile<Insert<typeof inputBlobs>>(
      orm.insert(inputBlobs).values(inputBlob).onConflictDoNothing(),
    ),
    noFiles: connection.compile<Pick<Insert<typeof outputs>, 'taskId'>>(
      orm.delete(outputs).where(eq(outputs.taskId, file.taskId)),
    ),
    file: connection.compile<Insert<typeof outputs>>(orm.insert(outputs).values(file)),
    fileHere: connection.compile<{ keptAt: string | null; blob: string }>(
      orm
        .update(outputs)
        .set({ keptAt: null })
        .where(and(isNotNull(outputs.keptAt), eq(outputs.keptAt, file.keptAt), eq(outputs.blob, file.blob))),
    ),
    batch: connection.compile<Insert<typeof batches>>(orm.insert(batches).values(batch)),
    batchGrown: connection.compile<{ id: string; by: number }>(
      orm
        .update(batches)
        .set({ size: sql`${batches.size} + ${sql.placeholder('by')}` })
        .where(eq(batches.id, batch.id)),
    ),
    idempotency: connection.compile<Insert<typeof idempotency>>(orm.insert(idempotency).values(answer)),
    worker: connection.compile<Insert<typeof workers>>(
      orm
        .insert(workers)
        .values({ ...slots(workers, 'id'), ...worker })
        .onConflictDoUpdate({ target: workers.id, set: worker }),
    ),
    delivery: connection.compile<Insert<typeof deliveries>>(
      orm
        .insert(deliveries)
        .values({ ...slots(deliveries, 'id'), ...delivery })
        .onConflictDoUpdate({ target: deliveries.id, set: delivery }),
    ),
    noDelivery: connection.compile<Pick<Insert<typeof deliveries>, 'id'>>(
      orm.delete(deliveries).where(eq(deliveries.id, slots(deliveries, 'id').id)),
    ),
    setting: connection.compile<Insert<typeof settings>>(
      orm
        .insert(settings)
        .values(setting)
        .onConflictDoUpdate({ target: settings.key, set: { value: setting.value } }),
    ),
  };
}

/** The statements on who may join and ask. */
function compileTrustStatements(connection: Connection) {
  const { orm } = connection;
  const node = slots(nodes, 'name', 'workerId', 'admittedBy', 'inviteId', 'admittedAt', 'revokedAt');
  const invite = slots(invites, 'name', 'usesMax', 'uses', 'createdAt', 'createdBy', 'expiresAt', 'revokedAt');
  const token = slots(tokens, 'name', 'role', 'hash', 'createdAt', 'expiresAt', 'revokedAt');
  return {
    node: connection.compile<NodeRecord>(
      orm
        .insert(nodes)
        .values({ ...slots(nodes, 'publicKey'), ...node })
        .onConflictDoUpdate({ target: nodes.publicKey, set: node }),
    ),
    invite: connection.compile<InviteRecord>(
      orm
        .insert(invites)
        .values({ ...slots(invites, 'id'), ...invite })
        .onConflictDoUpdate({ target: invites.id, set: invite }),
    ),
    token: connection.compile<TokenRecord>(
      orm
        .insert(tokens)
        .values({ ...slots(tokens, 'id'), ...token })
        .onConflictDoUpdate({ target: tokens.id, set: token }),
    ),
  };
}

function prepareFilesOf(connection: Connection) {
  const ofTask = eq(outputs.taskId, sql.placeholder('taskId'));
  return connection.keep((orm) => orm.select({ blob: outputs.blob }).from(outputs).where(ofTask).prepare());
}

/** Writes the changes of one commit. Errors: SQLite's own; `AssertionError` for a change that contradicts the rows. */
export class Commits {
  readonly #connection: Connection;
  readonly #write: ReturnType<typeof compileStatements>;
  readonly #tasks: ReturnType<typeof compileTaskStatements>;
  readonly #trust: ReturnType<typeof compileTrustStatements>;
  readonly #filesOf: ReturnType<typeof prepareFilesOf>;
  readonly #appends: Appends;

  constructor(connection: Connection, sha256: Sha256) {
    this.#connection = connection;
    this.#write = compileStatements(connection);
    this.#tasks = compileTaskStatements(connection);
    this.#trust = compileTrustStatements(connection);
    this.#filesOf = prepareFilesOf(connection);
    this.#appends = new Appends(connection, sha256);
  }

  /** Applies `changes`. A task is among them at most once, so is its output; otherwise their order does not matter. */
  apply(changes: readonly Change[]): void {
    const streams = new Map<string, ChangeOf<'output'>>();
    for (const change of changes) if (change.kind === 'output') streams.set(change.taskId, change);
    for (const change of changes) {
      switch (change.kind) {
        case 'task':
          this.#task(change, streams);
          break;
        case 'output':
        case 'outputs':
          break;
        case 'attempt':
          this.#write.attempt(attemptRowOf(change.record));
          break;
        case 'batch':
          this.#write.batch({ ...change, notify: change.notify === undefined ? null : JSON.stringify(change.notify) });
          break;
        case 'batchGrown':
          this.#write.batchGrown(change);
          break;
        case 'idempotency':
          this.#write.idempotency(change);
          break;
        case 'worker':
          this.#write.worker(workerRowOf(change.record));
          break;
        case 'node':
          this.#trust.node(change.record);
          break;
        case 'invite':
          this.#trust.invite(change.record);
          break;
        case 'token':
          this.#trust.token(change.record);
          break;
        case 'delivery':
          this.#write.delivery({ ...change.record, notice: JSON.stringify(change.record.notice) });
          break;
        case 'deliveryEnded':
          this.#write.noDelivery({ id: change.id });
          break;
        case 'setting':
          this.#write.setting(change);
          break;
        case 'outputHere':
        case 'audit':
          break;
        default:
          unreachable(change);
      }
    }
    for (const output of streams.values()) this.#output(output);
    for (const change of changes) {
      if (change.kind === 'outputs') this.#files(change);
      // In order: what an attempt left before it is here.
      if (change.kind === 'outputHere') this.#write.fileHere({ keptAt: change.workerId, blob: change.blob });
    }
    this.#appends.append(changes.filter((change) => change.kind === 'audit'));
  }

  #task({ task, isNew, notBeforeWall }: ChangeOf<'task'>, streams: Map<string, ChangeOf<'output'>>): void {
    if (isNew) {
      this.#tasks.newTask(newRowOf(task));
      for (const [key, value] of Object.entries(task.spec.tags)) this.#write.tag({ taskId: task.id, key, value });
      for (const { blob, bytes } of task.spec.inputs) {
        this.#write.blob({ hash: blob, bytes });
        this.#write.inputBlob({ taskId: task.id, blob });
      }
    }
    if (isPristine(task, notBeforeWall)) {
      // The status of a task that never was blocked is as it was; not to name it leaves its index alone.
      if (isNew || this.#assignment(task)) return;
    }
    const state = stateRowOf(task, notBeforeWall);
    const output = streams.get(task.id);
    if (output !== undefined) {
      streams.delete(task.id);
      this.#blobs(output);
    }
    const row = output === undefined ? null : Object.assign(state, outputRowOf(output.stdout, output.stderr));
    const { smooth, smoothAndOutput, state: whole, stateAndOutput } = this.#tasks;
    const changed = isSmooth(task, notBeforeWall)
      ? row === null
        ? smooth(state)
        : smoothAndOutput(row)
      : row === null
        ? whole(state)
        : stateAndOutput(row);
    assert(changed === 1, `task ${task.id} is changed but was never stored`);
  }

  /** The short way for a task that was handed to a worker or taken back; false when more of it may have changed. */
  #assignment({ id, phase, workerId, attempt, status, spec }: Task): boolean {
    if (status !== 'queued' || spec.dependsOn.length > 0) return false;
    const changed = this.#tasks.assignment({ id, phase, workerId, attempt });
    assert(changed === 1, `task ${id} is changed but was never stored`);
    return true;
  }

  #output(change: ChangeOf<'output'>): void {
    this.#blobs(change);
    const changed = this.#tasks.output({ id: change.taskId, ...outputRowOf(change.stdout, change.stderr) });
    assert(changed === 1, `output of task ${change.taskId} is stored but the task never was`);
  }

  #blobs({ stdout, stderr }: ChangeOf<'output'>): void {
    for (const { blob, totalBytes } of [stdout, stderr]) {
      if (blob !== null) this.#write.blob({ hash: blob, bytes: totalBytes });
    }
  }

  /** What an earlier attempt left makes way. */
  #files({ taskId, files, problems, keptAt }: ChangeOf<'outputs'>): void {
    const earlier = this.#filesOf.all({ taskId }).flatMap(({ blob }) => blob ?? []);
    this.#write.noFiles({ taskId });
    for (const { path, blob, bytes, executable } of files) {
      this.#write.blob({ hash: blob, bytes });
      this.#write.file({ taskId, path, blob, bytes, executable, problem: null, keptAt: keptAt ?? null });
    }
    for (const [number, problem] of problems.entries()) {
      // No path begins with a slash, so this is none of a file.
      this.#write.file({
        taskId,
        path: `/${String(number).padStart(2, '0')}`,
        blob: null,
        bytes: 0,
        executable: false,
        problem,
        keptAt: null,
      });
    }
    pruneBlobs(this.#connection.orm, earlier);
  }
}
