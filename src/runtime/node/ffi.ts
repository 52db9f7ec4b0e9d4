/**
 * Twin of `bun:ffi` for Node, which has no such thing: no library can be opened. Whoever asks for one finds out as where
 * the library is another one, and does without.
 */

const absent = (): never => {
  throw new Error('this build cannot call libraries of the system');
};

/** Names of types, which say nothing here. */
export const FFIType = { i32: 0, i64: 0, u8: 0, u16: 0, u32: 0, u64: 0, ptr: 0, void: 0, pointer: 0, cstring: 0 };
export const dlopen = absent;
export const ptr = absent;
export const toArrayBuffer = absent;
export const read = { i32: absent, ptr: absent, u8: absent };

/** A text of C. */
export class CString {
  constructor() {
    absent();
  }
}
