/** Output of a task as routes follow it, fed by a test. */

import type { OutputCursor } from '../../../src/api/backend.ts';
import { OctasklyError } from '../../../src/base/errors.ts';

/** A cursor that a test feeds. */
export class FakeCursor implements OutputCursor {
  private chunks: Uint8Array[] = [];
  private ended = false;
  private wake = (): void => undefined;
  closes = 0;
  bytesRead = 0;
  waits = 0;
  broken = false;

  push(text: string | Uint8Array): void {
    this.chunks.push(typeof text === 'string' ? new TextEncoder().encode(text) : text);
    this.wake();
  }
  end(): void {
    this.ended = true;
    this.wake();
  }
  read(max: number): Uint8Array | null {
    if (this.broken) throw new OctasklyError('io', 'Cannot read the output.');
    const first = this.chunks.shift();
    if (first === undefined) return this.ended ? null : new Uint8Array(0);
    if (first.length > max) this.chunks.unshift(first.subarray(max));
    this.bytesRead += Math.min(max, first.length);
    return first.subarray(0, max);
  }
  next(): Promise<void> {
    this.waits++;
    return new Promise((resolve) => {
      this.wake = resolve;
      if (this.chunks.length > 0 || this.ended) resolve();
    });
  }
  close(): void {
    this.closes++;
  }
}
