/** What went wrong, as the sentences a person reads: the error's own, and what to do next. */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { Command } from './command.ts';

/** What may be done about it; null: the error says all there is to say. */
function adviceOf({ code, message }: OctasklyError, command: Command | null): string | null {
  switch (code) {
    case 'unreachable':
      return "Start one with 'octaskly dispatcher', or say where it is with --api URL or OCTASKLY_API.";
    case 'unauthorized':
      return "Give a token with --token-file or OCTASKLY_TOKEN; 'octaskly token create --name NAME' on the dispatcher's machine makes one.";
    case 'forbidden': {
      // The host, the page and files that others can read are forbidden too; their errors say what to do.
      if (command === null || !/\brole\b/.test(message)) return null;
      const role = command.role ?? 'client';
      const enough = { client: 'client, dispatcher or admin', dispatcher: 'dispatcher or admin', admin: 'admin' }[role];
      return `'octaskly ${command.name}' needs a token of the role ${enough}: an admin makes one with 'octaskly token create --role ${role} --name NAME'. 'octaskly whoami' says what yours is.`;
    }
    case 'rate_limited':
      return message.includes('try again') ? null : 'Wait a few seconds and try again.';
    case 'queue_full':
      return 'Try again when tasks have ended, or start the dispatcher with a larger --max-queue-size.';
    default:
      return null;
  }
}

/** One line without a newline. `command`: the one that failed; null before there was one. */
export function explainFailure(error: unknown, command: Command | null): string {
  if (!(error instanceof OctasklyError)) return `Octaskly made a mistake: ${reasonOf(error)}`;
  const unsaid = error.fields.filter(({ message }) => !error.message.includes(message));
  const fields = unsaid.slice(0, 5).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  const text = fields.length === 0 ? error.message : `${error.message} (${fields.join('; ')})`;
  const advice = adviceOf(error, command);
  return advice === null ? text : `${text} ${advice}`;
}
