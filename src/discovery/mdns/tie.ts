/**
 * Who goes on when two probe for one name at once (RFC 6762 section 8.2.1): the records of both, in order of class, type
 * and data, are compared one by one; the first difference decides, and whoever has more when there is none.
 */

import { rdataOf } from './packet.ts';
import { codeOf, type ResourceRecord } from './records.ts';

/** Above 0 when `theirs` are later and win, below 0 when `mine` do, 0 when they are the same. All are of class IN. */
export function compareForTie(theirs: readonly ResourceRecord[], mine: readonly ResourceRecord[]): number {
  const [left, right] = [sorted(theirs), sorted(mine)];
  for (let place = 0; place < Math.min(left.length, right.length); place += 1) {
    const [a, b] = [left[place], right[place]];
    const difference = a === undefined || b === undefined ? 0 : compare(a, b);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

interface Plain {
  readonly code: number;
  readonly data: Uint8Array;
}

function sorted(records: readonly ResourceRecord[]): Plain[] {
  return records.map((record) => ({ code: codeOf(record.body), data: rdataOf(record) })).sort(compare);
}

function compare(a: Plain, b: Plain): number {
  if (a.code !== b.code) return a.code - b.code;
  for (let place = 0; place < Math.min(a.data.length, b.data.length); place += 1) {
    const difference = (a.data[place] ?? 0) - (b.data[place] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.data.length - b.data.length;
}
