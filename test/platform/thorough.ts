/** Whether tests of other platforms run in full, which takes minutes: `bun run platforms` has them so. */

const name = 'OCTASKLY_TEST_THOROUGH';
const targetsName = 'OCTASKLY_TEST_TARGETS';

export const isThorough = process.env[name] === 'true';

/** Whether a target is tested: all are, unless some were named. */
export function chosen(target: string): boolean {
  const named = process.env[targetsName];
  return named === undefined || named.split(',').includes(target);
}

/** The environment in which they run in full, of these targets alone when some are given. */
export function thorough(targets: readonly string[]): Readonly<Record<string, string>> {
  return { [name]: 'true', ...(targets.length === 0 ? {} : { [targetsName]: targets.join(',') }) };
}
