/**
 * The rows that both directions share: attempts, outcomes, usages, what a task needs. For each the order of its fields
 * (`pack…`) and its check (`read…`) stand together. Adding a field means a new protocol version.
 */

import { unreachable } from '../base/assert.ts';
import type { AttemptKey } from '../core/attempt.ts';
import { filesMax, patternsMax, type TaskFile } from '../core/files.ts';
import { type IsolationDemand, noDemand, sandboxLevels } from '../core/isolation.ts';
import {
  type AttemptOutcome,
  type AttemptUsage,
  outputPlaces,
  type Requirement,
  type StdinSpec,
  type TerminalSize,
  terminalNamePattern,
  terminalSideMax,
} from '../core/task.ts';
import { packBlob, readBlob } from './blob-messages.ts';
import {
  amount,
  bool,
  count,
  environment,
  fieldLimits,
  kindOf,
  labels,
  list,
  measure,
  nullOr,
  oneOf,
  row,
  taskId,
  text,
  whole,
  word,
  wrong,
} from './fields.ts';
import type { Assignment } from './messages.ts';

const attemptRange = { min: 1, max: fieldLimits.attemptMax };
const terminalSideRange = { min: 1, max: terminalSideMax };
const exitCodeRange = { min: -(2 ** 31), max: 2 ** 32 - 1 };

/** Number of an attempt, from 1. */
export function readAttempt(value: unknown): number {
  return whole(value, 'attempt', attemptRange);
}

export function packKey(key: AttemptKey): unknown[] {
  return [key.taskId, key.attempt];
}

export function readKey(value: unknown): AttemptKey {
  const fields = row(value, 2, 'key');
  return { taskId: taskId(fields[0]), attempt: readAttempt(fields[1]) };
}

/** Bytes as they are packed: none is null. */
export function packBytes(data: Uint8Array): Uint8Array | null {
  return data.length === 0 ? null : data;
}

export function packOutcome(outcome: AttemptOutcome): unknown[] {
  switch (outcome.kind) {
    case 'exited':
      return ['exited', outcome.exitCode];
    case 'signaled':
      return ['signaled', outcome.signal];
    case 'timed_out':
      return ['timed_out', outcome.limitMs];
    case 'limit_exceeded':
      return ['limit_exceeded', outcome.limit, outcome.limitValue, outcome.reached];
    case 'cancelled':
      return ['cancelled'];
    case 'spawn_failed':
      return ['spawn_failed', outcome.message];
    case 'lost':
      return ['lost', outcome.why];
    default:
      return unreachable(outcome);
  }
}

export function readOutcome(value: unknown): AttemptOutcome {
  const kind = kindOf(value, 'outcome');
  switch (kind) {
    case 'exited':
      return { kind, exitCode: whole(row(value, 2, kind)[1], 'exitCode', exitCodeRange) };
    case 'signaled':
      return { kind, signal: word(row(value, 2, kind)[1], 'signal') };
    case 'timed_out':
      return { kind, limitMs: measure(row(value, 2, kind)[1], 'limitMs') };
    case 'limit_exceeded': {
      const fields = row(value, 4, kind);
      return {
        kind,
        limit: word(fields[1], 'limit'),
        limitValue: measure(fields[2], 'limitValue'),
        reached: measure(fields[3], 'reached'),
      };
    }
    case 'cancelled':
      row(value, 1, kind);
      return { kind };
    case 'spawn_failed':
      return { kind, message: text(row(value, 2, kind)[1], 'message', fieldLimits.detailLengthMax) };
    case 'lost':
      return { kind, why: text(row(value, 2, kind)[1], 'why', fieldLimits.detailLengthMax) };
    default:
      throw wrong('outcome', 'a known outcome', kind);
  }
}

export function packUsage(usage: AttemptUsage): unknown[] {
  return [
    usage.durationMs,
    usage.cpuMs,
    usage.memoryPeakBytes,
    usage.stdoutBytes,
    usage.stderrBytes,
    usage.discardedBytes,
    usage.writtenBytes,
    usage.sandboxLevel,
  ];
}

export function readUsage(value: unknown): AttemptUsage {
  const fields = row(value, 8, 'usage');
  return {
    durationMs: measure(fields[0], 'durationMs'),
    cpuMs: fields[1] === null ? null : measure(fields[1], 'cpuMs'),
    memoryPeakBytes: fields[2] === null ? null : measure(fields[2], 'memoryPeakBytes'),
    stdoutBytes: count(fields[3], 'stdoutBytes'),
    stderrBytes: count(fields[4], 'stderrBytes'),
    discardedBytes: count(fields[5], 'discardedBytes'),
    writtenBytes: nullOr(fields[6], (written) => count(written, 'writtenBytes')),
    sandboxLevel: nullOr(fields[7], (level) => oneOf(level, 'sandboxLevel', sandboxLevels)),
  };
}

function packRequirement(requires: Requirement): unknown[] {
  return [
    requires.cpuCores,
    requires.memoryMb,
    requires.gpu,
    Object.entries(requires.labels),
    requires.platform,
    requires.arch,
    packDemand(requires.isolation),
  ];
}

function readRequirement(value: unknown): Requirement {
  const fields = row(value, 7, 'requires');
  return {
    cpuCores: amount(fields[0], 'cpuCores', { min: 0, max: fieldLimits.cpuCoresMax }),
    memoryMb: amount(fields[1], 'memoryMb', { min: 0, max: fieldLimits.memoryMbMax }),
    gpu: whole(fields[2], 'gpu', { min: 0, max: fieldLimits.gpuMax }),
    labels: labels(fields[3]),
    platform: nullOr(fields[4], (platform) => word(platform, 'platform')),
    arch: nullOr(fields[5], (arch) => word(arch, 'arch')),
    isolation: readDemand(fields[6]),
  };
}

/** Most demands are none, which is one byte. */
function packDemand({ level, network, limits }: IsolationDemand): unknown[] | null {
  const { cpuTimeMs, memoryMb, diskMb, openFiles, processes } = limits;
  const row = [level, network, cpuTimeMs, memoryMb, diskMb, openFiles, processes];
  return row.every((field) => field === null || field === false) ? null : row;
}

function readDemand(value: unknown): IsolationDemand {
  if (value === null) return noDemand;
  const fields = row(value, 7, 'isolation');
  const limit = (field: unknown, name: string): number | null =>
    nullOr(field, (given) => amount(given, name, { min: 0, max: fieldLimits.limitMax }));
  return {
    level: nullOr(fields[0], (level) => oneOf(level, 'level', sandboxLevels)),
    network: bool(fields[1], 'network'),
    limits: {
      cpuTimeMs: limit(fields[2], 'cpuTimeMs'),
      memoryMb: limit(fields[3], 'memoryMb'),
      diskMb: limit(fields[4], 'diskMb'),
      openFiles: limit(fields[5], 'openFiles'),
      processes: limit(fields[6], 'processes'),
    },
  };
}

export function packFile({ path, blob, bytes, executable }: TaskFile): unknown[] {
  return [path, packBlob(blob), bytes, executable];
}

/** A file with its place. The path is only text here: whoever meets a disk with it checks it there. */
export function readFile(value: unknown): TaskFile {
  const fields = row(value, 4, 'file');
  return {
    path: text(fields[0], 'path', fieldLimits.pathLengthMax),
    blob: readBlob(fields[1]),
    bytes: count(fields[2], 'bytes'),
    executable: bool(fields[3], 'executable'),
  };
}

function readPattern(value: unknown): string {
  return text(value, 'pattern', fieldLimits.pathLengthMax);
}

/** The size of a terminal. */
export function readSize(columns: unknown, rows: unknown): TerminalSize {
  return { columns: whole(columns, 'columns', terminalSideRange), rows: whole(rows, 'rows', terminalSideRange) };
}

function readTerm(value: unknown): string {
  const name = word(value, 'term');
  if (!terminalNamePattern.test(name)) throw wrong('term', 'the name of a terminal', value);
  return name;
}

function packStdin(stdin: StdinSpec): unknown[] {
  switch (stdin.kind) {
    case 'closed':
    case 'stream':
      return [stdin.kind];
    case 'text':
      return ['text', stdin.text];
    case 'terminal':
      return ['terminal', stdin.columns, stdin.rows, stdin.term];
    default:
      return unreachable(stdin);
  }
}

function readStdin(value: unknown): StdinSpec {
  const kind = kindOf(value, 'stdin');
  switch (kind) {
    case 'closed':
    case 'stream':
      row(value, 1, 'stdin');
      return { kind };
    case 'text': {
      const given = row(value, 2, 'stdin')[1];
      // The one text that may hold NUL: it is data for a pipe and meets no system call as a string.
      if (typeof given !== 'string' || given.length > fieldLimits.stdinLengthMax) {
        throw wrong('stdin', `text of at most ${fieldLimits.stdinLengthMax} characters`, given);
      }
      return { kind, text: given };
    }
    case 'terminal': {
      const fields = row(value, 4, 'stdin');
      return { kind, ...readSize(fields[1], fields[2]), term: readTerm(fields[3]) };
    }
    default:
      throw wrong('stdin', 'closed, text, stream or terminal', kind);
  }
}

export function packAssignment(assignment: Assignment): unknown[] {
  const { spec } = assignment;
  return [
    assignment.taskId,
    assignment.attempt,
    spec.command,
    spec.argv,
    spec.name,
    spec.priority,
    spec.timeoutMs,
    Object.entries(spec.env),
    spec.workdir,
    packStdin(spec.stdin),
    spec.inputs.map(packFile),
    spec.outputs,
    spec.maxOutputBytes,
    packRequirement(spec.requires),
    spec.outputsAt,
  ];
}

export function readAssignment(value: unknown): Assignment {
  const fields = row(value, 15, 'assignment');
  const command = nullOr(fields[2], (given) => text(given, 'command', fieldLimits.commandLengthMax));
  const argv = nullOr(fields[3], (given) => list(given, 'argv', readArgument, fieldLimits.argvMax));
  if ((command === null) === (argv === null)) throw wrong('command', 'given when argv is not, and only then', command);
  return {
    taskId: taskId(fields[0]),
    attempt: readAttempt(fields[1]),
    spec: {
      command,
      argv,
      name: nullOr(fields[4], (given) => text(given, 'name', fieldLimits.nameLengthMax)),
      priority: whole(fields[5], 'priority', { min: -fieldLimits.priorityMax, max: fieldLimits.priorityMax }),
      timeoutMs: amount(fields[6], 'timeoutMs', { min: 0, max: fieldLimits.timeoutMsMax }),
      env: environment(fields[7]),
      workdir: nullOr(fields[8], (given) => text(given, 'workdir', fieldLimits.pathLengthMax)),
      stdin: readStdin(fields[9]),
      inputs: list(fields[10], 'inputs', readFile, filesMax),
      outputs: list(fields[11], 'outputs', readPattern, patternsMax),
      maxOutputBytes: count(fields[12], 'maxOutputBytes'),
      requires: readRequirement(fields[13]),
      outputsAt: oneOf(fields[14], 'outputsAt', outputPlaces),
    },
  };
}

function readArgument(value: unknown): string {
  return text(value, 'argument', fieldLimits.commandLengthMax);
}
