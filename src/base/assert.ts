/**
 * Assertions that stay on in release: a broken invariant stops the program before it can lie to someone.
 * Only for our own mistakes. A caller's bad input is an `OctasklyError`, a task's failure is data.
 */

/** Thrown when an invariant of the program itself is broken. Never caught to carry on. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Stops with `message` when `condition` does not hold. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Closes a switch over a closed union: the compiler proves the call is dead, the runtime stops if it lied. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}

/** The value, which the program guarantees to be there. */
export function present<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new AssertionError(`missing: ${what}`);
  return value;
}
