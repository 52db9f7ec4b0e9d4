/**
 * What stays on this worker of attempts that have ended: files their tasks want kept where they were made. Their blobs are
 * held in the cache, beyond the acknowledgement and over restarts, until the dispatcher says that nobody wants them here.
 *
 * Of a task only the newest attempt is kept. It is on disk that something is kept before anybody is told.
 * Bounded: `keptAttemptsMax` attempts, `keptFilesMax` files, and the bytes the cache may have; what goes beyond is not kept,
 * and goes to the dispatcher as files usually do.
 */

import { reasonOf } from '../base/errors.ts';
import type { AttemptKey } from '../core/attempt.ts';
import type { TaskFile } from '../core/files.ts';
import type { BlobCache, KeptAttempt, KeptList } from '../ports/files.ts';
import type { Log } from '../ports/time.ts';

export const keptAttemptsMax = 4096;
export const keptFilesMax = 20_000;

interface Parts {
  readonly blobs: Pick<BlobCache, 'hold' | 'release'>;
  readonly list: KeptList;
  /** What was kept before; each of their blobs is held once for each file already. */
  readonly found: readonly KeptAttempt[];
  readonly bytesMax: number;
  readonly log: Log;
}

export class KeptOutputs {
  readonly #parts: Parts;
  /** By task. */
  readonly #attempts: Map<string, KeptAttempt>;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#attempts = new Map(parts.found.map((kept) => [kept.taskId, kept]));
  }

  /** Attempts whose files are kept. */
  get size(): number {
    return this.#attempts.size;
  }

  keys(): AttemptKey[] {
    return [...this.#attempts.values()].map(({ taskId, attempt }) => ({ taskId, attempt }));
  }

  /** Keeps the files of an attempt, whose blobs are here; false when there is no room for them, or no memory of it. */
  keep({ taskId, attempt }: AttemptKey, files: readonly TaskFile[]): boolean {
    const kept = { taskId, attempt, files: files.map(({ blob, bytes }) => ({ blob, bytes })) };
    const others = [...this.#attempts.values()].filter((other) => other.taskId !== taskId);
    if (!this.#fits([...others, kept]) || !this.#save([...others, kept])) return false;
    for (const { blob } of kept.files) this.#parts.blobs.hold(blob);
    this.#drop(taskId);
    this.#attempts.set(taskId, kept);
    return true;
  }

  /** Lets go of the files of those attempts, and of earlier ones of their tasks. */
  release(keys: readonly AttemptKey[]): void {
    const gone = keys.filter(({ taskId, attempt }) => (this.#attempts.get(taskId)?.attempt ?? attempt + 1) <= attempt);
    if (gone.length === 0) return;
    for (const { taskId } of gone) this.#drop(taskId);
    // If this fails, more is held after a restart than has to be, until the dispatcher says so again.
    this.#save([...this.#attempts.values()]);
  }

  #drop(taskId: string): void {
    const kept = this.#attempts.get(taskId);
    if (!this.#attempts.delete(taskId)) return;
    for (const { blob } of kept?.files ?? []) this.#parts.blobs.release(blob);
  }

  #fits(attempts: readonly KeptAttempt[]): boolean {
    const files = attempts.flatMap((kept) => kept.files);
    const bytes = [...new Map(files.map((file) => [file.blob, file.bytes])).values()].reduce(
      (sum, each) => sum + each,
      0,
    );
    return attempts.length <= keptAttemptsMax && files.length <= keptFilesMax && bytes <= this.#parts.bytesMax;
  }

  #save(attempts: readonly KeptAttempt[]): boolean {
    try {
      this.#parts.list.save(attempts);
      return true;
    } catch (error) {
      this.#parts.log.warn('the list of files that stay here cannot be written', { reason: reasonOf(error) });
      return false;
    }
  }
}
