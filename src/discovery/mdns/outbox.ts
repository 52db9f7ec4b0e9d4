/**
 * What the machine has to say: messages cut into packets that fit a frame, and news; bounded, in order, each given once.
 */

import type { MdnsCounts, MdnsDeparture, MdnsNews } from './contract.ts';
import { outboxMax, packetBytes, packetQuestionsMax } from './limits.ts';
import { encodeMessage, questionBytes, recordBytes } from './packet.ts';
import { type Message, message, type Question, type ResourceRecord } from './records.ts';

const headerBytes = 12;

export class Outbox {
  readonly #counts: MdnsCounts;
  #departures: MdnsDeparture[] = [];
  #news: MdnsNews[] = [];

  constructor(counts: MdnsCounts) {
    this.#counts = counts;
  }

  /** Sends messages by a link, each as one packet. Dropped when nobody takes what is sent. */
  send(link: string, to: MdnsDeparture['to'], messages: readonly Message[]): void {
    for (const each of messages) {
      if (this.#departures.length >= outboxMax) return;
      this.#departures.push({ link, to, bytes: encodeMessage(each) });
      this.#counts.sent += 1;
    }
  }

  tell(news: MdnsNews): void {
    if (this.#news.length < outboxMax) this.#news.push(news);
  }

  take(): { readonly departures: readonly MdnsDeparture[]; readonly news: readonly MdnsNews[] } {
    const taken = { departures: this.#departures, news: this.#news };
    this.#departures = [];
    this.#news = [];
    return taken;
  }
}

/**
 * Questions with the answers known already, in as many queries as it takes. Known answers that do not fit follow in
 * packets without questions, each before the last marked as truncated (RFC 6762 section 7.2).
 */
export function queries(questions: readonly Question[], known: readonly ResourceRecord[]): Message[] {
  const parts = parted(questions, questionBytes, packetBytes - headerBytes);
  const last = parts.pop() ?? [];
  const room = packetBytes - headerBytes - sum(last, questionBytes);
  const answers = parted(known, recordBytes, packetBytes - headerBytes, room);
  const closing = (answers.length > 0 ? answers : [[]]).map((part, place) =>
    message({ questions: place === 0 ? last : [], answers: part, truncated: place < answers.length - 1 }),
  );
  return [...parts.map((part) => message({ questions: part })), ...closing];
}

/** Answers in as many responses as it takes; of what goes along, as much as fits beside the last of them. */
export function responses(answers: readonly ResourceRecord[], along: readonly ResourceRecord[]): Message[] {
  const parts = parted(answers, recordBytes, packetBytes - headerBytes);
  return parts.map((part, place) => {
    const room = packetBytes - headerBytes - sum(part, recordBytes);
    const additionals = place === parts.length - 1 ? fitting(along, room) : [];
    return message({ response: true, answers: part, additionals });
  });
}

/** One response to whoever knows DNS alone: what does not fit is left out, and it is said so (RFC 6762 section 18.5). */
export function soleResponse(
  query: Pick<Message, 'id' | 'questions'>,
  answers: readonly ResourceRecord[],
  along: readonly ResourceRecord[],
): Message {
  const room = packetBytes - headerBytes - sum(query.questions, questionBytes);
  const fit = fitting(answers, room);
  const additionals = fitting(along, room - sum(fit, recordBytes));
  const truncated = fit.length < answers.length;
  return message({ ...query, response: true, truncated, answers: fit, additionals });
}

function fitting(records: readonly ResourceRecord[], room: number): ResourceRecord[] {
  let left = room;
  return records.filter((record) => {
    const size = recordBytes(record);
    if (size > left) return false;
    left -= size;
    return true;
  });
}

/**
 * Cuts a list into parts of at most `room` bytes, the first of at most `first`, which may be empty when it is smaller than
 * the others; what alone is larger is alone.
 */
function parted<T>(items: readonly T[], sizeOf: (item: T) => number, room: number, first = room): T[][] {
  const parts: T[][] = [];
  let part: T[] = [];
  let left = first;
  for (const item of items) {
    const size = sizeOf(item);
    const helps = part.length > 0 || (parts.length === 0 && first < room);
    if ((size > left && helps) || part.length >= packetQuestionsMax) {
      parts.push(part);
      part = [];
      left = room;
    }
    part.push(item);
    left -= size;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}

function sum<T>(items: readonly T[], sizeOf: (item: T) => number): number {
  return items.reduce((total, item) => total + sizeOf(item), 0);
}
