/** Whether tests of other platforms run in full, which takes minutes: `bun test/platform/main.ts` has them so. */

const name = 'OCTASKLY_TEST_THOROUGH';

export const isThorough = process.env[name] === 'true';

/** The environment in which they do. */
export const thorough: Readonly<Record<string, string>> = { [name]: 'true' };
