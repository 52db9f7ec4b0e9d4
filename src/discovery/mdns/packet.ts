/**
 * Messages as bytes: dns-packet with bounds around it, and with what it lacks: the bit of a question that asks for a
 * unicast answer (it reads the class as unknown, and cannot write it), dots inside labels, and patience with records that
 * are none of our business.
 *
 * The only file that knows dns-packet and the Buffer it wants. Reading never throws: what is no message is null.
 */

import { type Answer, type DecodedPacket, decode, encode, type Question as PacketQuestion } from 'dns-packet';
import { assert } from '../../base/assert.ts';
import { finishWriting, prepareToRead } from './labels.ts';
import { rfc } from './limits.ts';
import { labelDot } from './names.ts';
import type { Message, Question, RecordBody, ResourceRecord } from './records.ts';

const authoritative = 0x400;
const truncatedFlag = 0x200;
/** Opcode and response code: RFC 6762 sections 18.3 and 18.11 want messages ignored where either is not 0. */
const ignoredFlags = 0x780f;
/** Top bit of a class: QU in a question, cache-flush in a record. */
const topBit = 0x80;
const rdataHeaderBytes = 10;

/** What the bytes say; null when they are no message of Multicast DNS, or one that is too large or malformed. */
export function decodeMessage(bytes: Uint8Array): Message | null {
  if (bytes.length > rfc.messageBytesMax) return null;
  const own = Buffer.from(bytes);
  const shape = prepareToRead(own);
  if (shape === null) return null;
  try {
    const packet = decode(own);
    return (packet.flags ?? 0) & ignoredFlags ? null : messageOf(packet, shape.types);
  } catch {
    return null;
  }
}

function messageOf(packet: DecodedPacket, types: readonly number[]): Message {
  let place = 0;
  const records = (answers: readonly Answer[] | undefined): ResourceRecord[] =>
    (answers ?? []).flatMap((answer) => recordOf(answer, types[place++] ?? 0) ?? []);
  return {
    id: packet.id ?? 0,
    response: packet.type === 'response',
    truncated: packet.flag_tc,
    questions: (packet.questions ?? []).flatMap((question) => questionOf(question) ?? []),
    answers: records(packet.answers),
    authorities: records(packet.authorities),
    additionals: records(packet.additionals),
  };
}

function questionOf({ name, type, class: kind }: PacketQuestion): Question | null {
  if (isBroken(name)) return null;
  switch (String(kind)) {
    case 'IN':
    case 'ANY':
      return { name, type, unicast: false };
    // 1 and 255 with the top bit.
    case 'UNKNOWN_32769':
    case 'UNKNOWN_33023':
      return { name, type, unicast: true };
    default:
      return null;
  }
}

/** Null for other classes than IN, and for names that could not be written again. */
function recordOf(answer: Answer, code: number): ResourceRecord | null {
  if (answer.type === 'OPT' || !('class' in answer) || answer.class !== 'IN') return null;
  const body = bodyOf(answer, code);
  const { name, ttl, flush } = answer;
  if (isBroken(name) || ('target' in body && isBroken(body.target))) return null;
  return { name, ttlSeconds: ttl ?? 0, unique: flush === true, body };
}

/** No UTF-8, or with control characters and breaks of lines, at which dns-packet would cut a name. */
function isBroken(name: string): boolean {
  return /[\p{Cc}\p{Zl}\p{Zp}\ufffd]/u.test(name.replaceAll(labelDot, ''));
}

function bodyOf(answer: Exclude<Answer, { type: 'OPT' }>, code: number): RecordBody {
  switch (answer.type) {
    case 'PTR':
      return { type: 'PTR', target: answer.data };
    case 'SRV': {
      const { target, port, priority = 0, weight = 0 } = answer.data;
      return { type: 'SRV', target, port, priority, weight };
    }
    case 'TXT':
      return { type: 'TXT', strings: [answer.data].flat().map((text) => Buffer.from(text).toString('latin1')) };
    case 'A':
    case 'AAAA':
      return { type: answer.type, address: answer.data };
    default:
      // Its own copy: the packet it lies in goes.
      return { type: 'other', code, bytes: Uint8Array.from(Buffer.isBuffer(answer.data) ? answer.data : []) };
  }
}

/** The bytes of a message of ours, whatever its size; whoever sends it has cut it to fit. */
export function encodeMessage({ id, response, truncated, questions, ...sections }: Message): Uint8Array {
  const bytes = encode({
    id,
    type: response ? 'response' : 'query',
    flags: (response ? authoritative : 0) | (truncated ? truncatedFlag : 0),
    questions: questions.map(({ name, type }) => ({ name, type: type as PacketQuestion['type'] })),
    answers: sections.answers.map(answerOf),
    authorities: sections.authorities.map(answerOf),
    additionals: sections.additionals.map(answerOf),
  });
  const shape = finishWriting(bytes);
  assert(shape !== null, 'a message of ours is well formed');
  questions.forEach((question, place) => {
    const at = shape.questionClassesAt[place];
    if (question.unicast && at !== undefined) bytes[at] = (bytes[at] ?? 0) | topBit;
  });
  return bytes;
}

function answerOf({ name, ttlSeconds, unique, body }: ResourceRecord): Answer {
  const common = { name, ttl: ttlSeconds, flush: unique };
  switch (body.type) {
    case 'PTR':
      return { ...common, type: 'PTR', data: body.target };
    case 'SRV':
      return { ...common, type: 'SRV', data: body };
    case 'TXT':
      return { ...common, type: 'TXT', data: body.strings.map((text) => Buffer.from(text, 'latin1')) };
    case 'A':
    case 'AAAA':
      return { ...common, type: body.type, data: body.address };
    case 'NSEC':
      return { ...common, type: 'NSEC', data: { nextDomain: name, rrtypes: [...body.types] } };
    case 'other':
      return { ...common, type: 'NULL', data: Buffer.from(body.bytes) };
  }
}

/** Bytes a record takes in a message: names are not compressed. */
export function recordBytes(record: ResourceRecord): number {
  return nameBytes(record.name) + rdataHeaderBytes + rdataOf(record).length;
}

/** Bytes a question takes in a message. */
export function questionBytes({ name }: Question): number {
  return nameBytes(name) + 4;
}

function nameBytes(name: string): number {
  return Buffer.byteLength(name) + 2;
}

/** Data of a record as bytes, names in full: what decides a tie (RFC 6762 section 8.2). */
export function rdataOf(record: ResourceRecord): Uint8Array {
  if (record.body.type === 'other') return record.body.bytes;
  const bytes = encode({ type: 'response', answers: [answerOf(record)] });
  finishWriting(bytes);
  return bytes.subarray(12 + nameBytes(record.name) + rdataHeaderBytes);
}

/** An address as records that arrive give it: `FE80:0::1%eth0` → `fe80::1`. */
export function plainAddress(address: string): string {
  const type = address.includes(':') ? 'AAAA' : 'A';
  const bare = address.replace(/%.*$/, '');
  const [answer] = decode(encode({ answers: [{ name: 'a', type, data: bare }] })).answers ?? [];
  return answer?.type === 'A' || answer?.type === 'AAAA' ? answer.data : bare;
}
