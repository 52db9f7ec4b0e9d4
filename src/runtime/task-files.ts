/** Files of attempts between the cache of a worker and task directories: the `TaskFiles` port on disk. */

import type { TaskFiles } from '../ports/files.ts';
import type { Log } from '../ports/time.ts';
import type { FileBlobCache } from './blob-cache.ts';
import { collectFiles } from './collecting.ts';
import { placeFiles } from './placing.ts';

/** Places from and collects into `cache`. */
export function createTaskFiles(parts: { readonly cache: FileBlobCache; readonly log: Log }): TaskFiles {
  return {
    place: (files, area) => placeFiles(parts.cache, files, area),
    collect: (patterns, area, bytesMax) => collectFiles(parts, patterns, { area, bytesMax }),
  };
}
