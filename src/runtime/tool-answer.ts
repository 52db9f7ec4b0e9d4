/** Asks a tool of the system something: starts it, reads what it writes, and ends it when that takes too long. */

import { delimiter } from 'node:path';

/** Tools for administrators are outside of most users' search path. */
const moreDirectories = ['/usr/sbin', '/sbin', '/usr/libexec/ApplicationFirewall'];

/** What a tool wrote (output, then errors) and how it ended; status null = it was ended from here. */
export interface Answered {
  readonly status: number | null;
  readonly text: string;
}

/** Null when there is no such tool. Runs without input, in English, with nothing of our environment but the path, and `more`. */
export async function askTool(
  argv: readonly [string, ...string[]],
  timeoutMs: number,
  more: Readonly<Record<string, string>> = {},
): Promise<Answered | null> {
  const path = [process.env.PATH ?? '', ...moreDirectories].join(delimiter);
  const program = Bun.which(argv[0], { PATH: path });
  if (program === null) return null;
  const systemRoot = process.env.SystemRoot;
  try {
    const child = Bun.spawn([program, ...argv.slice(1)], {
      env: { ...more, PATH: path, LC_ALL: 'C', ...(systemRoot === undefined ? {} : { SystemRoot: systemRoot }) },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    await child.exited;
    return { status: child.signalCode === null ? child.exitCode : null, text: output + errors };
  } catch {
    return null;
  }
}

/** What programs of Termux need of our environment to reach Android. */
const termuxNames =
  /^(ANDROID_|TERMUX|BOOTCLASSPATH$|DEX2OATBOOTCLASSPATH$|PREFIX$|HOME$|TMPDIR$|LD_PRELOAD$|EXTERNAL_STORAGE$)/;

/** As `askTool`, of a program of Termux:API. */
export function askTermux(argv: readonly [string, ...string[]], timeoutMs: number): Promise<Answered | null> {
  const own = Object.entries(process.env).filter(([name, value]) => value !== undefined && termuxNames.test(name));
  return askTool(argv, timeoutMs, Object.fromEntries(own.map(([name, value]) => [name, value ?? ''])));
}
