/**
 * Ids of tasks and batches: 12 characters of Crockford's base32 in lower case, 8 for the millisecond since 2026-01-01
 * (40 bits, enough until 2060) and 4 for a counter. Later ids sort after earlier ones as plain strings, so a database
 * appends instead of scattering, and submission order is id order, also across clock jumps: the time in an id never
 * goes back, because the next id starts from the greater of the clock and the id before.
 */

import { assert } from '../base/assert.ts';

const digits = '0123456789abcdefghjkmnpqrstvwxyz';
const epochMs = Date.UTC(2026, 0, 1);
const timeMax = 2 ** 40 - 1;
const counterMax = 2 ** 20 - 1;
const timeChars = 8;
const counterChars = 4;

export const idPattern = /^[0-9a-hjkmnp-tv-z]{12}$/;

function encode(value: number, length: number): string {
  let text = '';
  let rest = value;
  for (let i = 0; i < length; i++) {
    text = digits.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function decode(text: string): number {
  let value = 0;
  for (const char of text) value = value * 32 + digits.indexOf(char);
  return value;
}

/** The instant inside an id, wall-clock ms since 1970: when it was given out, or a little later after a clock jump. */
export function timeOfId(id: string): number {
  return epochMs + decode(id.slice(0, timeChars));
}

/** The smallest id given out at or after `wallMs`. */
export function firstIdAt(wallMs: number): string {
  const time = Math.min(Math.max(0, Math.ceil(wallMs) - epochMs), timeMax);
  return encode(time, timeChars) + encode(0, counterChars);
}

/** The id after `last` ('' = none yet) at wall-clock `wallMs`. */
export function nextId(last: string, wallMs: number): string {
  const lastTime = last === '' ? -1 : decode(last.slice(0, timeChars));
  const time = Math.min(Math.max(0, Math.floor(wallMs) - epochMs), timeMax);
  if (time > lastTime) return encode(time, timeChars) + encode(0, counterChars);
  const counter = decode(last.slice(timeChars)) + 1;
  if (counter <= counterMax) return last.slice(0, timeChars) + encode(counter, counterChars);
  assert(lastTime < timeMax, 'ids are used up');
  return encode(lastTime + 1, timeChars) + encode(0, counterChars);
}
