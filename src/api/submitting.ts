/**
 * What a submission has to pass beside its schema, before anything of it is stored: the rate of whoever submits, and the
 * deny list. The list guards against accidents; whoever wants to run a command finds another way to write it.
 */

import type { FieldError } from '../base/errors.ts';
import type { Actor } from '../core/trust.ts';
import { fieldErrorsMax, fieldsError } from './problem.ts';
import type { RouteContext } from './route.ts';

/** The program of a task, as it is asked for. */
interface Program {
  readonly command?: string | null | undefined;
  readonly argv?: readonly string[] | null | undefined;
  readonly workdir?: string | null | undefined;
}

/**
 * Lets tasks pass or throws: `rate_limited`, or `denied_command` with every task that hits a rule; that goes on record.
 * `pathOf` says where in the request a task stands; without it the request is the task.
 */
export function admitTasks(
  actor: Actor,
  { tasks, pathOf }: { readonly tasks: readonly Program[]; readonly pathOf?: (index: number) => string },
  { rates, trust, options }: RouteContext,
): void {
  rates.submit(actor, tasks.length);
  const wrong: FieldError[] = [];
  for (const [index, { command = null, argv = null, workdir = null }] of tasks.entries()) {
    const rule = options.denied({ command, argv, workdir });
    if (rule === null) continue;
    wrong.push({ path: pathOf?.(index) ?? (command === null ? 'argv' : 'command'), message: rule });
    if (wrong.length === fieldErrorsMax) break;
  }
  const [first] = wrong;
  if (first === undefined) return;
  const details = { rule: first.message, place: first.path };
  trust.noteRefusal({ eventType: 'command_denied', actor: actor.name, from: actor.from, details });
  throw fieldsError('denied_command', 'The deny list refuses the command', wrong);
}
