/** What the comparison measures of every system: the same work, done as its own documentation has people do it. */

import { median } from './stage.ts';

/** One system's figures; null: it has none, or it was not measured. */
export interface Figures {
  readonly name: string;
  readonly version: string;
  /** How many `true` the long run has. */
  readonly tasks: number;
  /** From the call to the end of the last of them, ms. */
  readonly manyMs: number;
  /** From the call to the result of one `true` on an idle system, median, ms. */
  readonly firstMs: number;
  /** Memory of all that waits for work on one machine, resident without what is shared, MB; 0: nothing waits. */
  readonly idleMb: number;
}

/** Tasks in the long run, unless a system takes too long for so many. */
export const tasks = 1000;
/** Run at once, of every system. */
export const slots = 4;

export interface Call {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** Runs a command that must end well, and says what it wrote. Throws with what it said when it did not. */
export function must({ command, env, stdin }: Call): string {
  const input = stdin === undefined ? 'ignore' : Buffer.from(stdin);
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { env: { ...env }, stdin: input });
  if (exitCode !== 0) throw new Error(`${command.join(' ')} ended with ${exitCode}: ${stderr.toString()}`);
  return stdout.toString();
}

/** How long a call takes, ms. */
export function timeOf(call: Call): number {
  const startedAt = performance.now();
  must(call);
  return performance.now() - startedAt;
}

/** Medians of several rounds. */
export function measure(calls: { many: Call; first: Call }, rounds: number): Pick<Figures, 'manyMs' | 'firstMs'> {
  timeOf(calls.first);
  return {
    firstMs: median(Array.from({ length: rounds * 5 }, () => timeOf(calls.first))),
    manyMs: median(Array.from({ length: rounds }, () => timeOf(calls.many))),
  };
}

/** The numbers from 1 on, one a line: the arguments of a long run. */
export function numbersTo(count: number): string {
  return Array.from({ length: count }, (_, n) => `${n + 1}\n`).join('');
}
