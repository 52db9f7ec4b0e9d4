/**
 * Starting this process anew, as it was started, by another file of the program: in its own place where the system can do
 * that (the process keeps its id, so whatever looks after it sees no end), else as a child that this process stands for.
 *
 * Deliberately not here: ending in good order before; nothing of this process goes on. Reference: execve(2).
 */

import { reasonOf } from '../base/errors.ts';
import { ownStart } from './own-secrets.ts';

type Variables = Readonly<Record<string, string>>;

/**
 * Runs `program` with the words and the environment of this process, and `more`. Returns only where that is a child: its
 * exit status. Error: what the system says when the program cannot be started.
 */
export async function restartAs(program: string, more: Variables): Promise<number> {
  const { words, env } = ownStart();
  const variables = { ...env, ...more };
  if (process.platform !== 'win32' && typeof process.execve === 'function') {
    try {
      process.execve(program, [program, ...words], variables);
    } catch (error) {
      process.stderr.write(`octaskly: cannot start again in place: ${reasonOf(error)}\n`);
    }
  }
  return standFor(Bun.spawn([program, ...words], { env: variables, stdio: ['inherit', 'inherit', 'inherit'] }));
}

/** Passes signals on to the child and ends as it does. */
async function standFor(child: Bun.Subprocess): Promise<number> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return child.exited;
}

/** The end of a program that was tried: its exit status (null = it took too long) and the end of what it wrote. */
export interface Tried {
  readonly status: number | null;
  readonly said: string;
}

/** Characters of what a tried program wrote that are kept. */
const saidMax = 2000;

/** Runs `program` as a child with the words and the environment of this process, and `more`, for `withinMs` at most. */
export async function tryAs(program: string, more: Variables, withinMs: number): Promise<Tried> {
  const { words, env } = ownStart();
  try {
    const child = Bun.spawn([program, ...words], {
      env: { ...env, ...more },
      ...{ stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', timeout: withinMs, killSignal: 'SIGKILL' },
    });
    let said = '';
    const decoder = new TextDecoder();
    for await (const piece of child.stderr) said = (said + decoder.decode(piece, { stream: true })).slice(-saidMax);
    await child.exited;
    return { status: child.signalCode === null ? child.exitCode : null, said };
  } catch (error) {
    return { status: 1, said: reasonOf(error) };
  }
}
