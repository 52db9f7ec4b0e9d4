/** The output of one task as text while it is written, both streams at once: its end first, then whatever comes. */

import type { Client } from '../src/client/client.ts';
import type { OutputStream } from './tail.ts';

/** Bytes of output before its present end that are read when a task is opened. */
const outputBytesBack = 64 * 1024;

export interface OutputListener {
  onText(stream: OutputStream, text: string): void;
  /** There is output before what will come. */
  onSkipped(): void;
}

/** Resolves when the task has ended and all of it was told, or `signal` aborts. Throws `OctasklyError`. */
export async function followOutput(
  client: Client,
  id: string,
  signal: AbortSignal,
  listener: OutputListener,
): Promise<void> {
  const task = await client.task(id, { signal });
  const sizes = { stdout: task.stdout_bytes, stderr: task.stderr_bytes };
  const copy = async (stream: OutputStream): Promise<void> => {
    const decoder = new TextDecoder();
    const from = Math.max(0, sizes[stream] - outputBytesBack);
    if (from > 0) listener.onSkipped();
    for await (const chunk of client.output(id, { stream, follow: true, from, signal })) {
      if (signal.aborted) return;
      listener.onText(stream, decoder.decode(chunk, { stream: true }));
    }
  };
  await Promise.all([copy('stdout'), copy('stderr')]);
}
