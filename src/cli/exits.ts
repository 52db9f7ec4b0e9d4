/** Exit statuses that commands have in common, with their meaning, for the help. */

export type Exit = readonly [status: string, meaning: string];

export const done: Exit = ['0', 'done'];
const failed: Exit = ['1', 'it failed: nothing found, refused, or no dispatcher reachable'];
export const wrong: Exit = ['2', 'the command line or the request is not valid, or the token does not suffice'];
export const usual: readonly Exit[] = [done, failed, wrong];
