/** Messages and changes in a few words, for the journal: everything that decides, no bytes of output. */

import type { AttemptKey } from '../../src/core/attempt.ts';
import type { Change } from '../../src/ports/store.ts';
import type { DispatcherMessage, WorkerMessage } from '../../src/wire/messages.ts';
import type { PeerMessage } from '../../src/wire/peer-messages.ts';

const keyed = ({ taskId, attempt }: AttemptKey): string => `${taskId}.${attempt}`;
const listed = (keys: readonly AttemptKey[]): string => keys.map(keyed).join(' ');

const short = (blob: string): string => blob.slice('sha256:'.length, 'sha256:'.length + 6);

/** What a message of either side says; null for the signs of life, which would drown the rest. */
export function inWords(message: unknown): string | null {
  const said = message as WorkerMessage | DispatcherMessage | PeerMessage;
  switch (said.kind) {
    case 'heartbeat':
    case 'alive':
      return null;
    case 'join':
      return `join ${said.worker.id}/${said.worker.processId} holding ${said.held
        .map((held) => `${keyed(held)}:${held.phase}`)
        .join(' ')}`;
    case 'report':
      return `report ${said.entries
        .map((entry) => `${entry.kind}:${keyed(entry)}${entry.kind === 'ended' ? `:${entry.outcome.kind}` : ''}`)
        .join(' ')}`;
    case 'output':
      return `output ${keyed(said)} ${said.stream} ${said.offset}+${said.data.length}`;
    case 'stdin':
      return `stdin ${keyed(said)} ${said.offset}+${said.data.length}${said.eof ? ' eof' : ''}`;
    case 'stdinTaken':
      return `stdinTaken ${keyed(said)} ${said.offset} ${said.open ? 'open' : 'shut'}`;
    case 'welcome':
      return `welcome ${said.name} ${said.resume.map((at) => `${keyed(at)}:${at.stdout}:${at.stderr}`).join(' ')}`;
    case 'refused':
      return `refused ${said.code}`;
    case 'assign':
    case 'recall':
    case 'cancel':
    case 'abandon':
    case 'ack':
      return `${said.kind} ${listed(said.attempts)}`;
    case 'offer':
      return `offer ${listed(said.attempts)}`;
    case 'offerAnswered':
      return `offerAnswered taken ${listed(said.taken)} declined ${listed(said.declined)}`;
    case 'handedOver':
      return `handedOver ${said.entries.map((entry) => `${keyed(entry)}>${entry.to}`).join(' ')}`;
    case 'granted':
      return `granted ${said.entries.map((entry) => `${keyed(entry)}<${entry.previous}`).join(' ')}`;
    case 'adopted':
      return `adopted ${said.tasks.map(({ assignment }) => keyed(assignment)).join(' ')}`;
    case 'run':
      return `run ${keyed(said.task)}`;
    case 'runAnswered':
      return `runAnswered ${said.taskId} ${said.refusal ?? 'runs'}`;
    case 'drain':
      return `drain ${said.draining}`;
    case 'blobWanted':
      return `blobWanted ${said.ranges.map(({ blob, offset, length }) => `${short(blob)} ${offset}+${length}`).join(' ')}`;
    case 'blobData':
      return `blobData ${said.parts.map(({ blob, offset, data }) => `${short(blob)} ${offset}+${data.length}`).join(' ')}`;
    case 'blobRefused':
      return `blobRefused ${short(said.blob)} ${said.detail}`;
    default:
      return said.kind;
  }
}

/** What a change of the store changes. */
export function changeInWords(change: Change): string {
  switch (change.kind) {
    case 'task': {
      const { id, status, phase, attempt, workerId } = change.task;
      return `${change.isNew ? '+' : ''}${id}.${attempt}:${status}/${phase}@${workerId ?? '-'}`;
    }
    case 'attempt':
      return `attempt ${keyed(change.record)}:${change.record.outcome.kind}`;
    case 'output':
      return `output ${change.taskId}:${change.stdout.totalBytes}:${change.stderr.totalBytes}`;
    case 'outputs':
      return `outputs ${change.taskId}:${change.files.length}:${change.problems.join('; ')}`;
    case 'worker':
      return `worker ${change.record.declaration.id}${change.record.draining ? ' draining' : ''}`;
    case 'batch':
      return `batch ${change.id}`;
    case 'idempotency':
      return `key ${change.key}`;
    default:
      return change.kind;
  }
}
