/** Names people and programs see: which are allowed, and how a taken one is made unique. */

/** Letters, digits, `.`, `_`, `-`, the first a letter or digit; at most 64 characters. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** `wanted`, or `wanted-2`, `wanted-3` … if it is taken. */
export function uniqueName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let n = 2; taken.has(name); n++) name = `${wanted.slice(0, 58)}-${n}`;
  return name;
}
