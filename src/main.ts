/**
 * The composition root: the only place, with `roles/`, where adapters meet drivers. Everything a command does not need
 * stays unloaded: `octaskly version` answers without the command line, a role loads only its own driver.
 */

import { AssertionError } from './base/assert.ts';
import { reasonOf } from './base/errors.ts';
import { version } from './version.ts';

/** EX_SOFTWARE of sysexits.h: an internal error was detected. */
const softwareErrorStatus = 70;

async function main([first, ...others]: readonly string[]): Promise<void> {
  if (first === '__exec') {
    // Part of the start of every task on some machines: before anything else is loaded, and not a command of people.
    (await import('./confine/exec.ts')).run();
  } else if (others.length === 0 && (first === 'version' || first === '--version' || first === '-V')) {
    process.stdout.write(`octaskly ${version}\n`);
  } else {
    stopOnMistakes();
    const words = (await import('./runtime/own-secrets.ts')).takeOwnSecrets();
    const { runTerminal } = await import('./roles/terminal.ts');
    process.exit(await runTerminal(words));
  }
}

/** A broken invariant stops the program, also where it shows in a callback: what goes on after one can only lie. */
function stopOnMistakes(): void {
  const stop = (error: unknown): void => {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    process.stderr.write(`octaskly: Octaskly made a mistake and stops: ${message}\n`);
    if (process.env.OCTASKLY_VERBOSE === 'true') process.stderr.write(`${stack}\n`);
    process.exit(softwareErrorStatus);
  };
  process.on('uncaughtException', stop);
  // A promise nobody waits for belongs to one connection or stream: the others need not go down with it.
  process.on('unhandledRejection', (error) => {
    if (error instanceof AssertionError) stop(error);
    else process.stderr.write(`octaskly: Octaskly made a mistake: ${reasonOf(error)}\n`);
  });
}

// Nothing awaits here at the top: the build for Node is of a kind that cannot.
void main(process.argv.slice(2));
