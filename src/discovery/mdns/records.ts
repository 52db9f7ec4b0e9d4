/**
 * Resource records as plain data, and how they are told apart. A record is the same as another when name, type and data
 * are (RFC 6762 section 2); its lifetime and its cache-flush bit are of no account.
 */

import { typeCodes } from './labels.ts';
import { canonical } from './names.ts';

export type RecordBody =
  | { readonly type: 'PTR'; readonly target: string }
  | {
      readonly type: 'SRV';
      readonly target: string;
      readonly port: number;
      readonly priority: number;
      readonly weight: number;
    }
  /** The strings as text of one character per byte. */
  | { readonly type: 'TXT'; readonly strings: readonly string[] }
  | { readonly type: 'A' | 'AAAA'; readonly address: string }
  /** Types that are there at this name, and no others (RFC 6762 section 6.1). Written, never read. */
  | { readonly type: 'NSEC'; readonly types: readonly string[] }
  /** Whatever else was heard. */
  | { readonly type: 'other'; readonly code: number; readonly bytes: Uint8Array };

export interface ResourceRecord {
  readonly name: string;
  readonly ttlSeconds: number;
  /** The cache-flush bit: nobody else has records of this name and type (RFC 6762 section 10.2). */
  readonly unique: boolean;
  readonly body: RecordBody;
}

/** A type of record, or `ANY`; others as dns-packet calls them. */
export type QuestionType = string;

export interface Question {
  readonly name: string;
  readonly type: QuestionType;
  /** The answer is wanted by unicast (RFC 6762 section 5.4). */
  readonly unicast: boolean;
}

export interface Message {
  readonly id: number;
  readonly response: boolean;
  /** In a query: more known answers follow. */
  readonly truncated: boolean;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

/** A message with nothing in it but what is given. */
export function message(parts: Partial<Message>): Message {
  const empty = { questions: [], answers: [], authorities: [], additionals: [] };
  return { id: 0, response: false, truncated: false, ...empty, ...parts };
}

/** Number of a record's type. */
export function codeOf(body: RecordBody): number {
  return body.type === 'other' ? body.code : typeCodes[body.type];
}

/** What all records of one name and type have in common. */
export function setKeyOf(name: string, type: QuestionType): string {
  return `${canonical(name)} ${type}`;
}

/** Equal for equal records, and for those only. */
export function keyOf({ name, body }: ResourceRecord): string {
  return `${setKeyOf(name, body.type)} ${dataKeyOf(body)}`;
}

/** Equal for equal data of one type. */
export function dataKeyOf(body: RecordBody): string {
  switch (body.type) {
    case 'PTR':
      return canonical(body.target);
    case 'SRV':
      return `${body.priority} ${body.weight} ${body.port} ${canonical(body.target)}`;
    case 'TXT':
      return JSON.stringify(body.strings);
    case 'A':
    case 'AAAA':
      return body.address;
    case 'NSEC':
      return body.types.join(' ');
    case 'other':
      return `${body.code} ${body.bytes.join(' ')}`;
  }
}
