/**
 * What a task is to be, in the words of this library, and the request of the REST API that it becomes. All fields that
 * need no translation have the names, units and limits they have there (`docs/REST.md`).
 */

import type { TaskRequest } from '../api/schemas.ts';
import type { Client } from '../client/client.ts';
import { type Inputs, staged } from './inputs.ts';
import type { TaskHandle } from './task.ts';

/** A text for the shell, or program and arguments without one. */
export type Command = string | readonly string[];

type Translated = 'command' | 'argv' | 'inputs' | 'stdin' | 'depends_on' | 'terminal' | 'attached';

/** What may be asked of a task beside its command. */
export interface TaskOptions extends Omit<TaskRequest, Translated> {
  /** Files put into the task's directory before it starts; uploaded unless the dispatcher has them. */
  readonly inputs?: Inputs;
  /** A text of at most 1 Mi characters, sent along; bytes, which are fed while the task runs. */
  readonly stdin?: string | Uint8Array | Blob | ReadableStream<Uint8Array>;
  /** Tasks that have to end well before this one starts, by handle or id. */
  readonly after?: readonly (TaskHandle | string)[];
}

/** One of several tasks submitted together. `after` may hold names of others of them. */
export interface TaskPlan extends Omit<TaskOptions, 'stdin'> {
  readonly command: Command;
  readonly stdin?: string;
}

/** The request for a task, with everything uploaded that it needs. */
export async function requestOf(
  client: Client,
  command: Command,
  { inputs, stdin, after, ...fields }: TaskOptions,
  signal: AbortSignal | undefined,
): Promise<TaskRequest> {
  return {
    ...(typeof command === 'string' ? { command } : { argv: [...command] }),
    ...fields,
    ...(stdin === undefined ? {} : { stdin: typeof stdin === 'string' ? stdin : { stream: true } }),
    ...(after === undefined ? {} : { depends_on: after.map((task) => (typeof task === 'string' ? task : task.id)) }),
    ...(inputs === undefined ? {} : { inputs: await staged(client, inputs, signal) }),
  };
}
