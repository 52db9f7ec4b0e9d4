/**
 * Live input of an attempt that runs: chunks one after the other, each answered when the process has really taken it.
 * What arrives twice is skipped, what leaves a gap is not passed on. Where chunks come from is not its business.
 */

import type { Launched } from '../ports/processes.ts';

/** Live input: where in the stream it stands, and whether it is the last. */
export interface StdinChunk {
  readonly offset: number;
  readonly data: Uint8Array;
  readonly eof: boolean;
}

/** How far the process has read its live input, and whether it takes more. */
export interface StdinProgress {
  readonly offset: number;
  readonly open: boolean;
}

export class LiveInput {
  /** Resolves with the process once there is one, with null when there will be none. */
  readonly #process: Promise<Launched | null>;
  #taken = 0;
  #open: boolean;
  /** Settles when all input so far was taken, or refused. */
  #progress: Promise<StdinProgress> = Promise.resolve({ offset: 0, open: true });

  /** `open`: the attempt asked for live input. */
  constructor(process: Promise<Launched | null>, open: boolean) {
    this.#process = process;
    this.#open = open;
  }

  /** The process has ended: it takes no more. */
  close(): void {
    this.#open = false;
  }

  /** Passes input on; resolves with how far the process has read. */
  write(chunk: StdinChunk): Promise<StdinProgress> {
    // One after the other: what comes twice is answered when it was really taken, not before.
    this.#progress = this.#progress.then(() => this.#write(chunk));
    return this.#progress;
  }

  async #write(chunk: StdinChunk): Promise<StdinProgress> {
    const launched = this.#open ? await this.#process : null;
    const skip = this.#taken - chunk.offset;
    const rest = skip <= 0 ? chunk.data : chunk.data.subarray(skip);
    if (this.#open && skip >= 0 && launched !== null) {
      if (rest.length > 0) {
        if (await launched.writeStdin(rest)) this.#taken += rest.length;
        else this.#open = false;
      }
      if (chunk.eof && this.#open) {
        this.#open = false;
        launched.closeStdin();
      }
    }
    return { offset: this.#taken, open: this.#open };
  }
}
