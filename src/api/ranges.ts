/**
 * Ranges of bytes in HTTP headers (RFC 9110, section 14), as far as this API knows them: one range a request. Pure.
 */

import { OctasklyError } from '../base/errors.ts';

/** Bytes from `from` up to, not including, `end`. */
export interface ByteRange {
  readonly from: number;
  readonly end: number;
}

/**
 * What a `Range` header asks of `size` bytes; null = all of them: without a header, and for what need not be understood
 * (several ranges, another unit, nothing to cut). Throws `range_not_satisfiable` for a range behind the end.
 */
export function rangeOf(header: string | null, size: number): ByteRange | null {
  const [whole, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? [];
  if (whole === undefined || (first === '' && last === '') || size === 0) return null;
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (first !== '' && last !== '' && Number(last) < from) return null;
  if (from < end) return { from, end };
  throw new OctasklyError('range_not_satisfiable', `There are ${size} bytes; none of them lies in "${header}".`);
}

/** A part of something that is `total` bytes long. */
export interface ContentRange extends ByteRange {
  readonly total: number;
}

/** What a `Content-Range` header says of a request's body. Throws `bad_request` for anything but `bytes from-to/total`. */
export function contentRangeOf(header: string): ContentRange {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header.trim());
  const [from, last, total] = (match ?? []).slice(1).map(Number);
  if (from !== undefined && last !== undefined && total !== undefined && from <= last && last < total) {
    return { from, end: last + 1, total };
  }
  const should = 'it should be "bytes FROM-TO/TOTAL" with FROM <= TO < TOTAL';
  throw new OctasklyError('bad_request', `Cannot understand the Content-Range header "${header}": ${should}.`);
}
