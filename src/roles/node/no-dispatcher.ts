/**
 * In the place of the roles that keep a database, in the build for devices without one: they say what to do instead.
 * Takes the place of `dispatcher.ts`, `up.ts`, `with-ui.ts`, `backup.ts`, `restore.ts` and `record.ts` (scripts/release/node-bundle.ts).
 */

import { OctasklyError } from '../../base/errors.ts';

function refusal(what: string): () => never {
  return () => {
    throw new OctasklyError(
      'usage',
      `${what} does not run on this device: its database needs a 64-bit system, and this is the file for 32-bit ARM. Run it on another device of your network; here 'octaskly worker' gives it this one's computing power, and all commands that ask a dispatcher work.`,
    );
  };
}

export const runDispatcher = refusal('The dispatcher');
export const runUp = refusal("The dispatcher that 'octaskly up' starts");
export const runDispatcherWithUi = refusal('The dispatcher');
export const runUpWithUi = runUp;
export const runBackup = refusal("'octaskly backup', which belongs to a dispatcher,");
export const runRestore = refusal("'octaskly restore', which belongs to a dispatcher,");
export const verifyRecordIn = refusal("'octaskly audit' on a database file");
