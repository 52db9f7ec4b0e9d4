/**
 * CBOR (RFC 8949), as small a part of it as the messages need: whole numbers of up to 32 bits, floats, text, byte
 * strings, arrays, true, false, null. cbor-x encodes and decodes; a scan in front of it refuses everything else.
 *
 * Why a scan and not cbor-x's own switches: its native addon can be hung by eight bytes (so this imports the entry
 * without the addon), its bignum tags take quadratic time, its record tags (0xdff9 and up) cannot be switched off by
 * `addExtension`, which is global besides, and its only bound on nesting is the stack. The scan is linear, does not
 * recurse, allocates nothing, and leaves cbor-x nothing but what is known to be harmless. No maps: see `fields.ts`.
 *
 * It does not know what a message is. Byte strings are decoded into arrays of their own, so that keeping a few bytes of
 * a message does not keep all of it in memory; only where one large byte string is most of a message, all are views of it.
 */

import { Encoder } from 'cbor-x/encode';
import { MalformedMessage } from './fields.ts';
import { concat } from './noise.ts';

/** Deepest nesting of arrays; the deepest message has 8. */
export const nestingMax = 12;

const options = { useRecords: false, mapsAsObjects: true, tagUint8Array: false };
const codec = new Encoder({ ...options, copyBuffers: true });
const viewingCodec = new Encoder({ ...options, copyBuffers: false });
/** A byte string from this size on that is at least half of its message is not copied. */
const viewedBytesMin = 64 * 1024;

/**
 * The bytes of `value`, which may hold numbers, strings, booleans, null, `Uint8Array`s and arrays of these.
 * The result may be a view of a larger buffer; nobody writes to it again.
 */
export function encodeCbor(value: unknown): Uint8Array {
  return plain(codec.encode(value));
}

/**
 * The bytes of `value` as parts in a row: what `encodeCbor` gives, with every byte string of `viewedBytesMin` or more a part
 * of its own, not copied. Such byte strings are looked for in arrays alone.
 */
export function encodeCborParts(value: unknown): Uint8Array[] {
  const parts: Uint8Array[] = [];
  /** Small parts in a row: merged at the next large one. */
  let small: Uint8Array[] = [];
  const close = (): void => {
    if (small.length > 0) parts.push(concat(...small));
    small = [];
  };
  const write = (item: unknown): void => {
    if (isLarge(item)) {
      small.push(headOf(2, item.length));
      close();
      parts.push(item);
    } else if (Array.isArray(item) && holdsLarge(item)) {
      small.push(headOf(4, item.length));
      for (const each of item) write(each);
    } else {
      small.push(encodeCbor(item));
    }
  };
  write(value);
  close();
  return parts;
}

function isLarge(item: unknown): item is Uint8Array {
  return item instanceof Uint8Array && item.length >= viewedBytesMin;
}

function holdsLarge(item: unknown): boolean {
  return isLarge(item) || (Array.isArray(item) && item.some(holdsLarge));
}

/** RFC 8949, section 3: major type and argument in their shortest form. */
function headOf(major: 2 | 4, argument: number): Uint8Array {
  const type = major << 5;
  if (argument < 24) return Uint8Array.of(type | argument);
  if (argument < 2 ** 8) return Uint8Array.of(type | 24, argument);
  if (argument < 2 ** 16) return Uint8Array.of(type | 25, argument >>> 8, argument);
  return Uint8Array.of(type | 26, argument >>> 24, argument >>> 16, argument >>> 8, argument);
}

/**
 * The value in `bytes`, which the caller leaves to it: large byte strings are views. Throws `MalformedMessage` for
 * anything but one whole value of the subset above.
 */
export function decodeCbor(bytes: Uint8Array): unknown {
  const longest = refuseBeyondSubset(bytes);
  const views = longest >= viewedBytesMin && longest * 2 >= bytes.length;
  try {
    return (views ? viewingCodec : codec).decode(plain(bytes));
  } catch (error) {
    throw new MalformedMessage(`is not CBOR: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The same bytes as no subclass: a byte string decoded from a `Buffer` would be a `Buffer`. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * One pass over the encoded items: RFC 8949 section 3, initial byte = major type (3 bits) and argument (5 bits). Returns
 * the length of the longest byte string or text.
 */
function refuseBeyondSubset(bytes: Uint8Array): number {
  let longest = 0;
  /** Items still due on the current level, and on each level around it. */
  let due = 1;
  const around: number[] = [];
  let at = 0;
  while (due > 0) {
    if (at >= bytes.length) throw new MalformedMessage('is not CBOR: it ends in the middle of a value');
    const initial = bytes[at++] ?? 0;
    const major = initial >> 5;
    let argument = initial & 0x1f;
    if (major === 7) {
      at += simpleBytes(argument);
    } else {
      const extra = argumentBytes(argument);
      if (extra > 0) {
        argument = 0;
        for (let i = 0; i < extra; i++) argument = argument * 256 + (bytes[at++] ?? 0);
      }
      if (major === 2 || major === 3) {
        at += argument;
        longest = Math.max(longest, argument);
      } else if (major > 4)
        throw new MalformedMessage(`holds a CBOR ${major === 5 ? 'map' : 'tag'}, which is not taken`);
    }
    if (at > bytes.length) throw new MalformedMessage('is not CBOR: it ends in the middle of a value');
    due--;
    if (major === 4) {
      if (around.length >= nestingMax) throw new MalformedMessage(`nests deeper than ${nestingMax} arrays`);
      around.push(due);
      due = argument;
    }
    while (due === 0 && around.length > 0) due = around.pop() ?? 0;
  }
  if (at !== bytes.length) throw new MalformedMessage(`has ${bytes.length - at} bytes after its end`);
  return longest;
}

/** Bytes of a false, true, null (20 to 22) or float (25 to 27). */
function simpleBytes(argument: number): number {
  if (argument >= 20 && argument <= 22) return 0;
  if (argument >= 25 && argument <= 27) return 1 << (argument - 24);
  throw new MalformedMessage(`holds the CBOR simple value ${argument}, which is not taken`);
}

/** Bytes in which the argument follows. 64-bit (27) and indefinite (31) ones are not taken. */
function argumentBytes(argument: number): number {
  if (argument < 24) return 0;
  if (argument < 27) return 1 << (argument - 24);
  throw new MalformedMessage(`holds a CBOR length or number of kind ${argument}, which is not taken`);
}
