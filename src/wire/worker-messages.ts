/**
 * What a worker says, as rows: order of the fields and check of what arrived, side by side. `messages.ts` has the shapes.
 * `checkWorkerMessage` is the dispatcher's guard: what passes it is a `WorkerMessage` in every field and within every
 * bound; what it means is not judged here.
 */

import { unreachable } from '../base/assert.ts';
import type { AttemptKey, HeldAttempt, ReportEntry } from '../core/attempt.ts';
import { filesMax, problemsMax } from '../core/files.ts';
import { type WakeAddress, type WorkerVitals, wakeAddressesMax } from '../core/worker.ts';
import { checkBlobMessage, packBlobMessage } from './blob-messages.ts';
import { packDeclaration, readDeclaration, sentenceLengthMax } from './declaration.ts';
import {
  amount,
  bool,
  bytes,
  count,
  fieldLimits,
  halves,
  kindOf,
  list,
  measure,
  nodeName,
  nullOr,
  oneOf,
  row,
  taskId,
  text,
  word,
  wrong,
} from './fields.ts';
import {
  type AdoptedTask,
  inlineOutputBytesMax,
  logLengthMax,
  logLinesMax,
  outputChunkBytesMax,
  protocolVersion,
  protocolVersionMin,
  type WorkerMessage,
} from './messages.ts';
import {
  packAssignment,
  packBytes,
  packFile,
  packKey,
  packOutcome,
  packUsage,
  readAssignment,
  readAttempt,
  readFile,
  readKey,
  readOutcome,
  readUsage,
} from './shapes.ts';
import { packUpdateReport, readUpdateReport } from './update-messages.ts';

export const streams = ['stdout', 'stderr'] as const;
const heldPhases = ['waiting', 'running', 'ended'] as const;

/** The version of the protocol that brought the message. */
export function workerMessageSince({ kind }: Pick<WorkerMessage, 'kind'>): number {
  return kind === 'resting' || kind === 'updating' || kind === 'wakeable' ? 6 : protocolVersionMin;
}

/** The message as a row for CBOR, as that version of the protocol has it. */
export function packWorkerMessage(message: WorkerMessage, protocol = protocolVersion): unknown[] {
  switch (message.kind) {
    case 'join':
      return [
        'join',
        packDeclaration(message.worker, protocol),
        message.held.map((held) => [held.taskId, held.attempt, held.phase, held.adopted === true]),
      ];
    case 'enroll':
      return ['enroll', message.name, message.platform, message.arch, message.version];
    case 'heartbeat':
      return ['heartbeat', packVitals(message.vitals)];
    case 'report':
      return ['report', message.entries.map(packEntry)];
    case 'output':
      return ['output', message.taskId, message.attempt, message.stream, message.offset, packBytes(message.data)];
    case 'stdinTaken':
      return ['stdinTaken', message.taskId, message.attempt, message.offset, message.open];
    case 'blobWanted':
    case 'blobData':
    case 'blobRefused':
      return packBlobMessage(message);
    case 'handedOver':
      return ['handedOver', message.entries.map(({ taskId: id, attempt, to }) => [id, attempt, to])];
    case 'adopted':
      return [
        'adopted',
        message.tasks.map(({ assignment, from, adoptedAt }) => [packAssignment(assignment), from, adoptedAt]),
      ];
    case 'kept':
      return ['kept', message.attempts.map(packKey)];
    case 'logLines':
      return ['logLines', message.request, message.lines];
    case 'resting':
      return ['resting', message.why];
    case 'wakeable':
      return ['wakeable', message.by.map(({ mac, broadcast, armed }) => [mac, broadcast, armed])];
    case 'updating':
      return packUpdateReport(message);
    case 'leaving':
    case 'goodbye':
      return [message.kind];
    default:
      return unreachable(message);
  }
}

/** The message in a decoded row. Throws `MalformedMessage`. */
export function checkWorkerMessage(value: unknown, protocol = protocolVersion): WorkerMessage {
  const kind = kindOf(value, 'message');
  switch (kind) {
    case 'join': {
      const fields = row(value, 3, kind);
      return { kind, worker: readDeclaration(fields[1], protocol), held: list(fields[2], 'held', readHeld) };
    }
    case 'enroll': {
      const fields = row(value, 5, kind);
      return {
        kind,
        name: nodeName(fields[1], 'name'),
        platform: word(fields[2], 'platform'),
        arch: word(fields[3], 'arch'),
        version: word(fields[4], 'version'),
      };
    }
    case 'heartbeat':
      return { kind, vitals: readVitals(row(value, 2, kind)[1]) };
    case 'report':
      return { kind, entries: list(row(value, 2, kind)[1], 'entries', readEntry) };
    case 'output': {
      const fields = row(value, 6, kind);
      return {
        kind,
        taskId: taskId(fields[1]),
        attempt: readAttempt(fields[2]),
        stream: oneOf(fields[3], 'stream', streams),
        offset: count(fields[4], 'offset'),
        data: bytes(fields[5], 'data', outputChunkBytesMax),
      };
    }
    case 'stdinTaken': {
      const fields = row(value, 5, kind);
      return {
        kind,
        taskId: taskId(fields[1]),
        attempt: readAttempt(fields[2]),
        offset: count(fields[3], 'offset'),
        open: bool(fields[4], 'open'),
      };
    }
    case 'blobWanted':
    case 'blobData':
    case 'blobRefused':
      return checkBlobMessage(kind, value);
    case 'handedOver':
      return { kind, entries: list(row(value, 2, kind)[1], 'entries', readHandedOver) };
    case 'adopted':
      return { kind, tasks: list(row(value, 2, kind)[1], 'tasks', readAdopted) };
    case 'kept':
      return { kind, attempts: list(row(value, 2, kind)[1], 'attempts', readKey) };
    case 'logLines': {
      const fields = row(value, 3, kind);
      return { kind, request: count(fields[1], 'request'), lines: readLines(fields[2]) };
    }
    case 'resting':
      return { kind, why: nullOr(row(value, 2, kind)[1], (why) => text(why, 'why', sentenceLengthMax)) };
    case 'updating':
      return { kind, ...readUpdateReport(value) };
    case 'wakeable':
      return { kind, by: list(row(value, 2, kind)[1], 'by', readWakeAddress, wakeAddressesMax) };
    case 'leaving':
    case 'goodbye':
      row(value, 1, kind);
      return { kind };
    default:
      throw wrong('kind', 'a message of a worker', kind);
  }
}

/** Two messages that say together what this one says, in order; null when it cannot be halved. */
export function halveWorkerMessage(message: WorkerMessage): readonly [WorkerMessage, WorkerMessage] | null {
  if (message.kind === 'report' && message.entries.length > 1) {
    const [first, second] = halves(message.entries);
    return [
      { kind: 'report', entries: first },
      { kind: 'report', entries: second },
    ];
  }
  if (message.kind === 'adopted' && message.tasks.length > 1) {
    const [first, second] = halves(message.tasks);
    return [
      { kind: 'adopted', tasks: first },
      { kind: 'adopted', tasks: second },
    ];
  }
  return null;
}

function readHandedOver(value: unknown): AttemptKey & { readonly to: string } {
  const fields = row(value, 3, 'entry');
  return { taskId: taskId(fields[0]), attempt: readAttempt(fields[1]), to: nodeName(fields[2], 'to') };
}

function readAdopted(value: unknown): AdoptedTask {
  const fields = row(value, 3, 'adopted');
  return {
    assignment: readAssignment(fields[0]),
    from: nodeName(fields[1], 'from'),
    adoptedAt: measure(fields[2], 'adoptedAt'),
  };
}

export function packEntry(entry: ReportEntry): unknown[] {
  switch (entry.kind) {
    case 'started':
      return ['started', entry.taskId, entry.attempt, entry.startedAt];
    case 'ended':
      return [
        'ended',
        entry.taskId,
        entry.attempt,
        entry.startedAt,
        packOutcome(entry.outcome),
        packUsage(entry.usage),
        packBytes(entry.stdout),
        packBytes(entry.stderr),
        entry.outputs.map(packFile),
        entry.outputProblems,
        entry.outputsStay === true,
      ];
    case 'returned':
      return ['returned', entry.taskId, entry.attempt];
    default:
      return unreachable(entry);
  }
}

export function readEntry(value: unknown): ReportEntry {
  const kind = kindOf(value, 'entry');
  switch (kind) {
    case 'started': {
      const fields = row(value, 4, kind);
      return {
        kind,
        taskId: taskId(fields[1]),
        attempt: readAttempt(fields[2]),
        startedAt: measure(fields[3], 'startedAt'),
      };
    }
    case 'ended': {
      const fields = row(value, 11, kind);
      return {
        kind,
        taskId: taskId(fields[1]),
        attempt: readAttempt(fields[2]),
        startedAt: measure(fields[3], 'startedAt'),
        outcome: readOutcome(fields[4]),
        usage: readUsage(fields[5]),
        stdout: bytes(fields[6], 'stdout', inlineOutputBytesMax),
        stderr: bytes(fields[7], 'stderr', inlineOutputBytesMax),
        outputs: list(fields[8], 'outputs', readFile, filesMax),
        outputProblems: list(fields[9], 'outputProblems', readProblem, problemsMax),
        ...(bool(fields[10], 'outputsStay') ? { outputsStay: true } : {}),
      };
    }
    case 'returned': {
      const fields = row(value, 3, kind);
      return { kind, taskId: taskId(fields[1]), attempt: readAttempt(fields[2]) };
    }
    default:
      throw wrong('entry', 'started, ended or returned', kind);
  }
}

function readHeld(value: unknown): HeldAttempt {
  const fields = row(value, 4, 'held');
  return {
    taskId: taskId(fields[0]),
    attempt: readAttempt(fields[1]),
    phase: oneOf(fields[2], 'phase', heldPhases),
    ...(bool(fields[3], 'adopted') ? { adopted: true } : {}),
  };
}

function readLines(value: unknown): readonly string[] {
  let room = logLengthMax;
  return list(
    value,
    'lines',
    (line) => {
      const read = text(line, 'line', room);
      room -= read.length;
      return read;
    },
    logLinesMax,
  );
}

const macPattern = /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/;

function readWakeAddress(value: unknown): WakeAddress {
  const fields = row(value, 3, 'address');
  const mac = word(fields[0], 'mac');
  if (!macPattern.test(mac)) throw wrong('mac', 'six bytes in hex with colons between', mac);
  return {
    mac,
    broadcast: nullOr(fields[1], (each) => word(each, 'broadcast')),
    armed: nullOr(fields[2], (each) => bool(each, 'armed')),
  };
}

function readProblem(value: unknown): string {
  return text(value, 'problem', fieldLimits.pathLengthMax + sentenceLengthMax);
}

function packVitals(vitals: WorkerVitals): unknown[] {
  return [
    vitals.load1,
    vitals.memoryFreeMb,
    vitals.running,
    vitals.batteryPercent,
    vitals.charging,
    vitals.temperatureC,
  ];
}

function readVitals(value: unknown): WorkerVitals {
  const fields = row(value, 6, 'vitals');
  return {
    load1: nullOr(fields[0], (load) => measure(load, 'load1')),
    memoryFreeMb: nullOr(fields[1], (free) => measure(free, 'memoryFreeMb')),
    running: count(fields[2], 'running'),
    batteryPercent: nullOr(fields[3], (charge) => amount(charge, 'batteryPercent', { min: 0, max: 100 })),
    charging: nullOr(fields[4], (charging) => bool(charging, 'charging')),
    temperatureC: nullOr(fields[5], (heat) => amount(heat, 'temperatureC', { min: -273.15, max: 1000 })),
  };
}
