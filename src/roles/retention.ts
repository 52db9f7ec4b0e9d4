/**
 * Forgetting what is past the retention: ended tasks with their rows, files that no row refers to any more, and files
 * that were brought but never used. At the start, then every hour, a bounded piece at a time.
 *
 * A file that was brought again lately is kept although its last row is gone: whoever brought it is about to use it.
 */

import { reasonOf } from '../base/errors.ts';
import type { Dispatcher } from '../dispatcher/dispatcher.ts';
import type { Log } from '../ports/time.ts';
import type { FileBlobStore } from '../runtime/blobs.ts';
import type { SqliteStore } from '../store/store.ts';

const everyMs = 3600_000;
/** Tasks deleted in one go. */
const tasksAtOnce = 2000;

interface Parts {
  readonly store: Pick<SqliteStore, 'prune' | 'usesBlob'>;
  readonly blobs: Pick<FileBlobStore, 'deleteOlder' | 'sweep'>;
  readonly log: Log;
  readonly retentionMs: number;
  /** Has workers let go of files that they keep for nobody. */
  readonly dispatcher: Pick<Dispatcher, 'releaseKept'>;
}

/** Starts looking for what is old. `stop` resolves when nothing is deleted any more; idempotent. */
export function startRetention(parts: Parts): { stop(): Promise<void> } {
  const { log, retentionMs } = parts;
  let stopped = false;
  const isStopped = (): boolean => stopped;
  let running = Promise.resolve();
  const look = (): void => {
    running = running
      .then(() => forgetOlder(parts, { wallMs: Date.now() - retentionMs, isStopped }))
      .catch((error) => log.warn('cannot delete what is past the retention', { reason: reasonOf(error) }));
  };
  const timer = setInterval(look, everyMs);
  look();
  return {
    stop() {
      stopped = true;
      clearInterval(timer);
      return running;
    },
  };
}

async function forgetOlder(
  { store, blobs, log, dispatcher }: Parts,
  { wallMs, isStopped }: { readonly wallMs: number; readonly isStopped: () => boolean },
): Promise<void> {
  let tasks = 0;
  let files = 0;
  for (let isMore = true; isMore && !isStopped(); ) {
    const pruned = store.prune(wallMs, tasksAtOnce);
    tasks += pruned.tasks;
    if (pruned.orphaned.length > 0) dispatcher.releaseKept(pruned.orphaned);
    files += pruned.blobs.filter((blob) => blobs.deleteOlder(blob, wallMs)).length;
    isMore = pruned.tasks === tasksAtOnce;
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (isStopped()) return;
  files += await blobs.sweep(wallMs, (blob) => isStopped() || store.usesBlob(blob));
  if (tasks + files > 0) log.info('deleted ended tasks past their retention', { tasks, blobs: files });
}
