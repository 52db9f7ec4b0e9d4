/**
 * The shape of a DNS message (RFC 1035 section 4): where its names and records lie. dns-packet reads and writes messages;
 * this looks over them, before it reads and after it has written, for what it does not care for:
 *
 * - dots inside labels, which its names cannot tell from those between labels;
 * - lengths of records that disagree with what is in them, pointers that lead on and on, counts beyond any sense;
 * - types we have no use for, some of which it reads at great length: they are marked to be taken as plain bytes.
 *
 * Never throws. Work is bounded by the limits on records and on a name, whatever the message says.
 */

import { packetQuestionsMax, packetRecordsMax } from './limits.ts';

/** Codes of the types that are read. */
export const typeCodes = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, NSEC: 47 } as const;

/** Of private use: what a record of a type that is not read is marked as. */
const plainType = 0xff00;

const headerBytes = 12;
const nameBytesMax = 255;
const pointersMax = 16;

/** What was seen on the way. */
export interface Shape {
  /** Where the class of each question stands. */
  readonly questionClassesAt: readonly number[];
  /** Type of each record as it was before marking, in the order of the message. */
  readonly types: readonly number[];
}

interface Walk {
  readonly bytes: Uint8Array;
  /** Characters to be replaced inside labels. */
  readonly from: number;
  readonly to: number;
}

const wireDot = 0x2e;
const ownDot = 0x1f;

/** Makes a message that arrived, in place, one that dns-packet reads well; null when it is none that can be trusted. */
export function prepareToRead(bytes: Uint8Array): Shape | null {
  return shapeOf({ bytes, from: wireDot, to: ownDot }, true);
}

/** Gives a message that dns-packet wrote, in place, its real dots inside labels. */
export function finishWriting(bytes: Uint8Array): Shape | null {
  return shapeOf({ bytes, from: ownDot, to: wireDot }, false);
}

function shapeOf(walk: Walk, marking: boolean): Shape | null {
  const { bytes } = walk;
  if (bytes.length < headerBytes) return null;
  const questions = uint16(bytes, 4);
  const records = uint16(bytes, 6) + uint16(bytes, 8) + uint16(bytes, 10);
  if (questions > packetQuestionsMax || records > packetRecordsMax) return null;
  const questionClassesAt: number[] = [];
  const types: number[] = [];
  let at = headerBytes;
  for (let count = 0; count < questions; count += 1) {
    at = nameEnd(walk, at);
    if (at < 0 || at + 4 > bytes.length) return null;
    questionClassesAt.push(at + 2);
    at += 4;
  }
  for (let count = 0; count < records; count += 1) {
    at = nameEnd(walk, at);
    if (at < 0 || at + 10 > bytes.length) return null;
    const type = uint16(bytes, at);
    const end = at + 10 + uint16(bytes, at + 8);
    if (end > bytes.length) return null;
    const known = holds(walk, type, at + 10, end);
    if (known === null) return null;
    types.push(type);
    if (marking && !known) {
      bytes[at] = plainType >> 8;
      bytes[at + 1] = plainType & 0xff;
    }
    at = end;
  }
  return { questionClassesAt, types };
}

/** Whether the data of a record is of its type; null when a name in it is broken. */
function holds(walk: Walk, type: number, at: number, end: number): boolean | null {
  switch (type) {
    case typeCodes.A:
      return end - at === 4;
    case typeCodes.AAAA:
      return end - at === 16;
    case typeCodes.TXT:
      return isText(walk.bytes, at, end);
    case typeCodes.PTR:
      return end === at ? false : nameFills(walk, at, end);
    case typeCodes.SRV:
      return end - at < 7 ? false : nameFills(walk, at + 6, end);
    case typeCodes.NSEC:
      // Ours alone are written; those of others are of no use here, and stay plain.
      return walk.from === ownDot ? nameEnd(walk, at) >= 0 : false;
    default:
      return false;
  }
}

function nameFills(walk: Walk, at: number, end: number): boolean | null {
  const after = nameEnd(walk, at);
  return after < 0 ? null : after === end;
}

function isText(bytes: Uint8Array, from: number, end: number): boolean {
  let at = from;
  while (at < end) at += 1 + (bytes[at] ?? 0);
  return at === end && end > from;
}

/** Where the name that begins at `start` ends; -1 when it is broken. */
function nameEnd({ bytes, from, to }: Walk, start: number): number {
  let at = start;
  let end = -1;
  let length = 0;
  let limit = start;
  for (let pointers = 0; pointers <= pointersMax; ) {
    const size = bytes[at];
    if (size === undefined) return -1;
    if (size === 0) return end < 0 ? at + 1 : end;
    if (size < 64) {
      length += size + 1;
      if (length >= nameBytesMax || at + 1 + size >= bytes.length) return -1;
      if (end < 0) replace(bytes, at + 1, at + 1 + size, from, to);
      at += size + 1;
    } else {
      if (size < 192 || at + 1 >= bytes.length) return -1;
      if (end < 0) end = at + 2;
      at = uint16(bytes, at) & 0x3fff;
      // Only ever back: a pointer to itself or onwards is a loop.
      if (at >= limit || at < headerBytes) return -1;
      limit = at;
      pointers += 1;
    }
  }
  return -1;
}

function replace(bytes: Uint8Array, start: number, end: number, from: number, to: number): void {
  for (let at = start; at < end; at += 1) if (bytes[at] === from) bytes[at] = to;
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
