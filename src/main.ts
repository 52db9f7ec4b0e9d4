/**
 * The composition root: the only place, with `roles/`, where adapters meet drivers. Everything a command does not need
 * stays unloaded: `octaskly version` answers without the command line, a role loads only its own driver.
 */

import { version } from './version.ts';

const [first, ...others] = process.argv.slice(2);

if (others.length === 0 && (first === 'version' || first === '--version' || first === '-V')) {
  process.stdout.write(`octaskly ${version}\n`);
} else {
  // A broken invariant stops the program, also where it shows in a callback: what goes on after one can only lie.
  process.on('uncaughtException', (error) => {
    process.stderr.write(`octaskly: Octaskly made a mistake and stops: ${error.message}\n`);
    if (process.env.OCTASKLY_VERBOSE === 'true') process.stderr.write(`${error.stack}\n`);
    process.exit(70);
  });
  const { runTerminal } = await import('./roles/terminal.ts');
  process.exit(await runTerminal(process.argv.slice(2)));
}
