/** What a worker declares of itself, as a row: order of the fields and check of what arrived, side by side. */

import {
  enforcements,
  type Isolation,
  type LevelLack,
  type LevelOffer,
  type LimitOffer,
  limitNames,
  sandboxLevels,
} from '../core/isolation.ts';
import type { WorkerDeclaration } from '../core/worker.ts';
import { amount, bool, fieldLimits, labels, list, nodeName, nullOr, oneOf, row, text, whole, word } from './fields.ts';
import { packProgram, readProgram } from './update-messages.ts';

/** Characters of a sentence a worker says of itself. */
export const sentenceLengthMax = 1000;

/** What a worker declares, as a row of that version of the protocol. */
export function packDeclaration(worker: WorkerDeclaration, protocol: number): unknown[] {
  const sinceSix = protocol < 6 ? [] : [packProgram(worker.program)];
  return [
    worker.id,
    worker.name,
    worker.processId,
    worker.version,
    worker.slots,
    worker.cpuCores,
    worker.memoryMb,
    worker.gpu,
    Object.entries(worker.labels),
    worker.platform,
    worker.arch,
    packIsolation(worker.isolation),
    worker.peerPort,
    ...sinceSix,
  ];
}

/** Fields of protocol 5, and how many there are now. */
const fieldsOfFive = 13;
const fieldsNow = 14;

/** Throws `MalformedMessage`. */
export function readDeclaration(value: unknown, protocol: number): WorkerDeclaration {
  const isOfFive = protocol < 6;
  const fields = row(value, isOfFive ? fieldsOfFive : fieldsNow, 'worker');
  return {
    id: nodeName(fields[0], 'id'),
    name: nodeName(fields[1], 'name'),
    processId: nodeName(fields[2], 'processId'),
    version: word(fields[3], 'version'),
    slots: whole(fields[4], 'slots', { min: 1, max: fieldLimits.slotsMax }),
    cpuCores: amount(fields[5], 'cpuCores', { min: 0, max: fieldLimits.cpuCoresMax }),
    memoryMb: amount(fields[6], 'memoryMb', { min: 0, max: fieldLimits.memoryMbMax }),
    gpu: whole(fields[7], 'gpu', { min: 0, max: fieldLimits.gpuMax }),
    labels: labels(fields[8]),
    platform: word(fields[9], 'platform'),
    arch: word(fields[10], 'arch'),
    isolation: readIsolation(fields[11]),
    peerPort: nullOr(fields[12], (port) => whole(port, 'peerPort', fieldLimits.port)),
    program: isOfFive ? null : readProgram(fields[13], sentenceLengthMax),
  };
}

function packIsolation({ least, levels, missing }: Isolation): unknown[] {
  return [
    least,
    levels.map(({ level, mechanism, network, limits }) => [
      level,
      mechanism,
      network,
      limitNames.map((name) => [limits[name].enforcement, limits[name].mechanism]),
    ]),
    missing.map(({ level, reason, remedy }) => [level, reason, remedy]),
  ];
}

function readIsolation(value: unknown): Isolation {
  const fields = row(value, 3, 'isolation');
  return {
    least: oneOf(fields[0], 'least', sandboxLevels),
    levels: list(fields[1], 'levels', readOffer, sandboxLevels.length),
    missing: list(fields[2], 'missing', readLack, sandboxLevels.length),
  };
}

function readOffer(value: unknown): LevelOffer {
  const fields = row(value, 4, 'level');
  const limits = row(fields[3], limitNames.length, 'limits').map((limit): LimitOffer => {
    const pair = row(limit, 2, 'limit');
    return { enforcement: oneOf(pair[0], 'enforcement', enforcements), mechanism: sentence(pair[1], 'mechanism') };
  });
  return {
    level: oneOf(fields[0], 'level', sandboxLevels),
    mechanism: sentence(fields[1], 'mechanism'),
    network: bool(fields[2], 'network'),
    limits: Object.fromEntries(limitNames.map((name, place) => [name, limits[place]])) as LevelOffer['limits'],
  };
}

function readLack(value: unknown): LevelLack {
  const fields = row(value, 3, 'lack');
  return {
    level: oneOf(fields[0], 'level', sandboxLevels),
    reason: sentence(fields[1], 'reason'),
    remedy: sentence(fields[2], 'remedy'),
  };
}

function sentence(value: unknown, name: string): string {
  return text(value, name, sentenceLengthMax);
}
