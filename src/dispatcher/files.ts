/**
 * The files of one worker's link: inputs it asks for are served, outputs of its attempts are pulled until they are here
 * and safe. What that means for a task is not decided here: `sessions.ts` takes an end in when its files are.
 */

import type { TaskFile } from '../core/files.ts';
import type { BlobStore, CollectedFiles } from '../ports/files.ts';
import type { Clock } from '../ports/time.ts';
import { type BlobLink, clauseOf, Fetcher } from '../transfer/fetching.ts';
import { BlobServer } from '../transfer/serving.ts';
import type { BlobMessage } from '../wire/messages.ts';

interface Parts {
  readonly clock: Clock;
  readonly blobs: BlobStore;
  readonly link: BlobLink;
}

export class LinkFiles {
  readonly #blobs: BlobStore;
  readonly #fetcher: Fetcher;
  readonly #server: BlobServer;

  constructor({ clock, blobs, link }: Parts) {
    this.#blobs = blobs;
    this.#fetcher = new Fetcher({ clock, store: blobs, peer: 'the worker' });
    this.#fetcher.attach(link);
    this.#server = new BlobServer({ clock, store: blobs, link });
  }

  take(message: BlobMessage): void {
    if (message.kind === 'blobWanted') this.#server.take(message);
    else this.#fetcher.take(message);
  }

  drained(): void {
    this.#server.drained();
  }

  /** The link has ended. What came of files is kept for the next one; `pull`s that are under way never settle. */
  close(): void {
    this.#server.close();
    this.#fetcher.detach();
  }

  /**
   * Resolves when all `files` that can be had are here and survive a power loss; each of the others is a problem.
   * Error: `storage_unavailable` when they cannot be made safe.
   */
  async pull(files: readonly TaskFile[]): Promise<CollectedFiles> {
    const problems: string[] = [];
    const pulled = await Promise.all(
      files.map(async (file): Promise<TaskFile | null> => {
        if (this.has(file)) return file;
        try {
          // Another size may be damage at rest; then it is dropped, and can be fetched.
          if (this.#blobs.size(file.blob) !== null) await this.#blobs.verify(file.blob);
          await this.#fetcher.fetch(file.blob, file.bytes).done;
          return file;
        } catch (error) {
          problems.push(`The output "${file.path}" could not be fetched from its worker: ${clauseOf(error)}.`);
          return null;
        }
      }),
    );
    await this.#blobs.sync();
    return { files: pulled.filter((file) => file !== null), problems };
  }

  /** The content of the file is here. */
  has({ blob, bytes }: TaskFile): boolean {
    return this.#blobs.size(blob) === bytes;
  }
}
