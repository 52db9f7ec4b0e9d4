/**
 * The files of the jobs of `map`: `--in` and `--out` with their placeholders replaced for each job. Files that are the
 * same for all jobs are looked for once.
 */

import type { TaskRequest } from '../../api/schemas.ts';
import type { CommandContext } from '../context.ts';
import { type InputFile, InputFinder } from '../inputs.ts';
import { usage } from '../parse.ts';
import { filesOf } from '../request.ts';
import type { JobFacts, Placeholders } from './placeholders.ts';

export interface JobFiles {
  readonly inputs: readonly InputFile[];
  readonly request: Pick<TaskRequest, 'inputs' | 'outputs'>;
  /** Characters they take in a request, about. */
  readonly length: number;
  /** Bytes of files that other jobs do not bring too. */
  readonly ownBytes: number;
}

/** Characters of an input in a request, besides its path. */
const inputLength = 150;

export class JobFileFinder {
  private readonly finder: InputFinder;
  private readonly placeholders: Placeholders;
  private readonly inputs: readonly string[];
  private readonly outputs: readonly string[];
  /** Files of a job's inputs when all jobs have the same. */
  private common: readonly InputFile[] | null = null;

  constructor(
    context: CommandContext,
    placeholders: Placeholders,
    { inputs, outputs }: { readonly inputs: readonly string[]; readonly outputs: readonly string[] },
  ) {
    this.placeholders = placeholders;
    this.finder = new InputFinder(context, context.files.currentDirectory);
    this.inputs = inputs;
    this.outputs = outputs;
  }

  /** The files of a job. Throws as `InputFinder.find` and `filesOf`. */
  async of(job: JobFacts, signal: AbortSignal): Promise<JobFiles> {
    const paths = this.inputs.map((path) => this.placeholders.text(path, job));
    const empty = paths.indexOf('');
    if (empty >= 0) {
      throw usage(`--in ${this.inputs[empty]} is empty for job ${job.number}: it has ${job.args.length} arguments.`);
    }
    const isCommon = paths.every((path, index) => path === this.inputs[index]);
    const inputs = (isCommon ? this.common : null) ?? (await this.finder.find(paths, signal));
    if (isCommon) this.common = inputs;
    const patterns = this.outputs.map((pattern) => this.placeholders.filePattern(pattern, job));
    const listed = inputs.reduce((sum, { path }) => sum + path.length + inputLength, 0);
    return {
      inputs,
      request: filesOf(inputs, patterns),
      length: patterns.reduce((sum, pattern) => sum + pattern.length, listed),
      ownBytes: isCommon ? 0 : inputs.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }
}
