/** What went wrong, as the sentences a person reads: the error's own, and what to do next, which is a command to type. */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { Command } from './command.ts';

/** A message that names a command, an option or what to do ends with the next step already. */
const hasNextStep = /octaskly [a-z'-]|--[a-z]|try again|chmod |: say |restore a backup|; name /;

/** What may be done about it. `called`: the command's name. */
function adviceOf(error: OctasklyError, command: Command | null): string | null {
  const { code, message } = error;
  const help =
    command === null ? "'octaskly --help' lists all commands." : `'octaskly ${command.name} --help' says how.`;
  switch (code) {
    case 'unreachable':
      return awayAdvice(message, command);
    case 'unauthorized':
      return "Give a token with --token-file or OCTASKLY_TOKEN; 'octaskly token create --name NAME' on the dispatcher's machine makes one.";
    case 'forbidden': {
      // The host, the page and files that others can read are forbidden too; their errors say what to do.
      if (command === null || !/\brole\b/.test(message)) return null;
      // What the call itself takes was said; a command may make calls of several kinds.
      const [, role = command.role ?? 'client'] = /takes the role (client|dispatcher|admin)\b/.exec(message) ?? [];
      const next = `an admin makes one with 'octaskly token create --role ${role} --name NAME'. 'octaskly whoami' says what yours is.`;
      if (message.includes('takes the role')) return `Use a token of such a role: ${next}`;
      const enough = { client: 'client, dispatcher or admin', dispatcher: 'dispatcher or admin' }[role] ?? 'admin';
      return `'octaskly ${command.name}' needs a token of the role ${enough}: ${next}`;
    }
    case 'rate_limited':
      return message.includes('try again') ? null : 'Wait a few seconds and try again.';
    case 'queue_full':
      return "Try again when tasks have ended ('octaskly stats' shows the queue), or start the dispatcher with a larger --max-queue-size.";
    case 'usage':
    case 'bad_request':
    case 'invalid':
    case 'too_large':
    case 'denied_command':
      return hasNextStep.test(message) ? null : help;
    default:
      return hasNextStep.test(message) ? null : nextLook(error, command);
  }
}

/** A dispatcher that is not there, and a worker's or a page's that is not. */
function awayAdvice(message: string, command: Command | null): string | null {
  if (command !== null && command.kind !== 'client') {
    return hasNextStep.test(message) ? null : "'octaskly doctor net' says why nodes do not see each other.";
  }
  if (message.includes('no TLS is spoken')) return 'Say --api http://… instead of https://….';
  if (message.includes('connection was closed')) {
    return 'Is that the port of its API (--api-port, 3000 unless told otherwise), and not the one for workers?';
  }
  return "Start one with 'octaskly dispatcher', or say where it is with --api URL or OCTASKLY_API.";
}

/** Where to look after failures that a changed command line does not mend. */
function nextLook(error: OctasklyError, command: Command | null): string {
  const { code, message } = error;
  const word = command?.completes?.at(-1);
  const named = /^There is no worker /.test(message) ? listOf.worker : undefined;
  const known = named ?? (typeof word === 'string' ? listOf[word] : undefined) ?? "'octaskly ps' lists tasks.";
  switch (code) {
    case 'not_found':
    case 'gone':
      return known;
    case 'conflict':
    case 'in_use':
      if (command?.kind === 'role') return "'octaskly status' says whether one runs here.";
      if (message.includes('several ids')) return known;
      return `Try again later; ${command?.name === 'update' ? "'octaskly watch'" : "'octaskly ps'"} shows what goes on.`;
    case 'timeout':
    case 'not_ready':
    case 'shutting_down':
    case 'storage_unavailable':
      if (command?.kind === 'role') return systemAdvice(error) ?? "'octaskly doctor' looks at this machine.";
      return "Try again soon; 'octaskly status' says whether it takes work.";
    case 'worker_away':
      return "'octaskly workers' shows when it is back.";
    case 'refused':
      return "'octaskly invite' on the dispatcher's machine gives a new join token.";
    case 'storage_newer':
    case 'storage_corrupt':
      return "Start with a copy made by 'octaskly backup', or another --data-dir.";
    default:
      return systemAdvice(error) ?? "'octaskly doctor' looks at this machine.";
  }
}

/** What to do about a system call, or a database, that failed; null: that depends. */
function systemAdvice({ cause }: OctasklyError): string | null {
  switch (cause instanceof Error && 'code' in cause ? cause.code : null) {
    case 'ENOTDIR':
      return 'A part of that path is a file, where a directory should be: name another place.';
    case 'ENOENT':
      return 'Make the directory first (mkdir -p), or name another place.';
    case 'EACCES':
    case 'EPERM':
      return "Name a place where this account may do that ('id' says which account that is), or change the rights there.";
    case 'EROFS':
      return 'That disk can only be read: name a place on another one (--data-dir PATH for what Octaskly keeps), or have it mounted for writing.';
    case 'EISDIR':
      return 'Name a file; a directory is there.';
    case 'ENOSPC':
    case 'EDQUOT':
    case 'SQLITE_FULL':
      return "Make room on that disk ('df -h' shows it), or name another place.";
    default:
      return null;
  }
}

/** What lists what a word may name. */
const listOf: Readonly<Record<string, string>> = {
  task: "'octaskly ps' lists tasks.",
  selector: "'octaskly ps' lists tasks.",
  output: "'octaskly outputs ID' lists the files of a task.",
  worker: "'octaskly workers' lists workers.",
  token: "'octaskly token list' lists tokens.",
  invite: "'octaskly invite list' lists invites.",
  approval: "'octaskly approve' lists the devices that wait.",
};

/** One line without a newline. `command`: the one that failed; null before there was one. */
export function explainFailure(error: unknown, command: Command | null): string {
  if (!(error instanceof OctasklyError)) {
    return `Octaskly made a mistake: ${reasonOf(error)}. 'octaskly version' and what you typed help whoever mends it.`;
  }
  const unsaid = error.fields.filter(({ message }) => !error.message.includes(message));
  const fields = unsaid.slice(0, 5).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  const said = error.message.replace(/[.]$/, '');
  const text = fields.length === 0 ? error.message : `${said} (${fields.join('; ')}).`;
  const advice = adviceOf(error, command);
  const sentence = /[.!?…]$/.test(text) ? text : `${text}.`;
  return advice === null ? text : `${sentence} ${advice}`;
}
