/**
 * `--results`: the output of each job in files instead of on the terminal, laid out as GNU parallel does it. In a plain
 * directory: `1/ARG/2/ARG/` with `seq`, `stdout` and `stderr`; with `--header` the names of the columns instead of their
 * numbers. A name with placeholders is itself the file of standard output, with `.err` and `.seq` beside it, or with a
 * slash at its end the directory of the three. See parallel(1), "--results".
 *
 * In a plain directory arguments become names of directories and never lead out of it.
 */

import type { CommandContext } from '../context.ts';
import type { JobEnd } from './job.ts';
import type { JobFacts, Placeholders } from './placeholders.ts';

/** Bytes of one name that every usual file system takes. */
const nameBytesMax = 250;

const replaced: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\0': '\\0', '/': '\\_' };

/** `arg` as the name of one directory. */
function nameOf(arg: string): string {
  const name = arg.replace(/[\\\t\0/]/g, (char) => replaced[char] ?? char);
  if (name === '.' || name === '..') return `\\${name}`;
  let cut = name;
  while (new TextEncoder().encode(cut).length > nameBytesMax) cut = cut.slice(0, -1);
  return cut;
}

/** The directory below `--results` for these arguments, without a slash at its end. */
export function argumentDirectory(args: readonly string[], names: readonly string[]): string {
  const columns = args.map((arg, index) => ({ name: names[index] ?? String(index + 1), arg }));
  const number = ({ name }: { name: string }): number => Number.parseFloat(name) || 0;
  if (names.length > 0) columns.sort((a, b) => number(a) - number(b) || (a.name < b.name ? -1 : 1));
  return columns.map(({ name, arg }) => `${nameOf(name)}/${nameOf(arg)}`).join('/');
}

export interface ResultsPlace {
  readonly directory: string;
  readonly names: readonly string[];
  readonly placeholders: Placeholders;
  /** Most columns of one row: with `-N` each row counts its columns anew. */
  readonly columns: number;
}

export class Results {
  private readonly context: CommandContext;
  private readonly place: ResultsPlace;

  constructor(context: CommandContext, place: ResultsPlace) {
    this.context = context;
    this.place = place;
  }

  /** The job has results of an earlier call. */
  async has(job: JobFacts): Promise<boolean> {
    return (await this.context.terminal.readText(this.paths(job).seq)) !== null;
  }

  /** Writes what the job left. Throws `io` naming the file, what the client throws, the signal's reason. */
  async write(end: JobEnd, signal: AbortSignal): Promise<void> {
    const { client, files } = this.context;
    const paths = this.paths(end.job);
    for (const stream of ['stdout', 'stderr'] as const) {
      const { bytes, whole } = end[stream];
      const file = await files.open(paths[stream]);
      try {
        if (whole !== null) await file.write(whole);
        else if (bytes > 0) {
          const chunks = client.output(end.id, { stream, follow: true, signal });
          for await (const chunk of chunks) await file.write(chunk);
        }
      } finally {
        await file.close();
      }
    }
    const seq = await files.open(paths.seq);
    await seq.write(new TextEncoder().encode(String(end.job.number))).finally(() => seq.close());
  }

  private paths(job: JobFacts): Readonly<Record<'stdout' | 'stderr' | 'seq', string>> {
    const { directory, placeholders } = this.place;
    const path = placeholders.text(directory, job);
    if (path !== directory && !path.endsWith('/')) return { stdout: path, stderr: `${path}.err`, seq: `${path}.seq` };
    const below = path === directory ? `${directory}/${this.argumentsOf(job)}` : path.slice(0, -1);
    return { stdout: `${below}/stdout`, stderr: `${below}/stderr`, seq: `${below}/seq` };
  }

  private argumentsOf({ args }: JobFacts): string {
    const { names, columns } = this.place;
    const rows: string[] = [];
    for (let at = 0; at < args.length; at += columns) {
      rows.push(argumentDirectory(args.slice(at, at + columns), names));
    }
    return rows.join('/');
  }
}
