/**
 * GNU parallel's joblog: a title line, then a line for each ended job in the order of their ends, tab-separated, so that
 * tools that read it go on working, and either program resumes what the other began. Send and Receive are bytes of input
 * files and of standard output; a job that was stopped for its time has exit value -1 and the signal 15; a newline in a
 * command is written as NUL. Host is the worker's id. See parallel(1), "--joblog".
 */

import { usage } from '../parse.ts';
import type { JobEnd } from './job.ts';

export const joblogTitle = 'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n';

/** The line of an ended job, with its line end. */
export function joblogLine({ job, ...end }: JobEnd): string {
  const fields = [
    job.number,
    end.host ?? '-',
    (end.startedAt / 1000).toFixed(3),
    (end.runtimeMs / 1000).toFixed(3).padStart(10),
    end.sentBytes,
    end.stdout.bytes,
    end.exitCode,
    end.signal,
    job.command.replaceAll('\n', '\0'),
  ];
  return `${fields.join('\t')}\n`;
}

const anyLine = /^(\d+)\s+\S+\s+(?:[-0-9.]+\s+){6}/;
const goodLine = /^\d+(?:\t[^\t]+){5}\t0\t0\t/;

/**
 * A joblog without what was being written when its writer was killed: a last line without an end counts when only of its
 * command something may be missing, and gets its end.
 */
export function wholeLines(text: string): string {
  const at = text.lastIndexOf('\n') + 1;
  const rest = text.slice(at);
  return at > 0 && anyLine.test(rest) ? `${text}\n` : text.slice(0, at);
}

/**
 * The jobs that need not run again, each number with its command (the beginning of it where the writer was killed): all
 * that a joblog names, or, `failedAgain`, those that ended well at least once. Throws `usage` for a line that is none of a
 * joblog.
 */
export function jobsDone(
  text: string,
  { path, failedAgain }: { readonly path: string; readonly failedAgain: boolean },
): Map<number, string> {
  const done = new Map<number, string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (index === 0 || line === '') continue;
    const [head = '', number] = anyLine.exec(line) ?? [];
    if (number === undefined) {
      throw usage(
        `Line ${index + 1} of ${path} is no line of a joblog. Name the file that --joblog wrote, or remove it.`,
      );
    }
    if (!failedAgain || goodLine.test(line)) done.set(Number(number), line.slice(head.length).replaceAll('\0', '\n'));
  }
  return done;
}

/** `command` can be what a joblog has as `noted`. How its words are quoted is left to who wrote it. */
export function isSameCommand(noted: string, command: string): boolean {
  const [before, now] = [noted, command].map((text) => text.replace(/['"\\\s]/g, '')) as [string, string];
  return now.startsWith(before);
}
