/**
 * The files of one worker's link: inputs it asks for are served, also those that another worker keeps; outputs of its
 * attempts are pulled until they are here and safe, or when somebody wants them. What that means for a task is not decided here: `sessions.ts` takes an end in when its files are.
 */

import type { TaskFile } from '../core/files.ts';
import type { BlobStore, CollectedFiles } from '../ports/files.ts';
import type { Clock } from '../ports/time.ts';
import { type BlobLink, clauseOf, Fetcher } from '../transfer/fetching.ts';
import { BlobServer } from '../transfer/serving.ts';
import type { Fetch } from '../transfer/waits.ts';
import type { BlobMessage, BlobRange } from '../wire/messages.ts';
import { AwaitedBlobs } from './awaited.ts';

interface Parts {
  readonly clock: Clock;
  readonly blobs: BlobStore;
  readonly link: BlobLink;
  /** As `AwaitedBlobs` wants it. */
  bring(blob: string): Promise<unknown> | null;
}

export class LinkFiles {
  readonly #blobs: BlobStore;
  readonly #fetcher: Fetcher;
  readonly #server: BlobServer;
  readonly #awaited: AwaitedBlobs;
  readonly #link: BlobLink;
  /** Those who asked for a file, and have to be told when the link ends. */
  readonly #wanted = new Set<Fetch>();

  constructor({ clock, blobs, link, bring }: Parts) {
    this.#blobs = blobs;
    this.#link = link;
    this.#fetcher = new Fetcher({ clock, store: blobs, peer: 'the worker' });
    this.#fetcher.attach(link);
    // What is still coming in cannot be judged.
    const verify = async (blob: string): Promise<boolean> => blobs.size(blob) === null || blobs.verify(blob);
    const read = (blob: string, from: number, max: number): Uint8Array =>
      blobs.size(blob) === null && blobs.received(blob) > 0
        ? blobs.readReceived(blob, from, max)
        : blobs.read(blob, from, max);
    this.#server = new BlobServer({ clock, store: { read, verify }, link });
    const answer = (ranges: readonly BlobRange[]): void => this.#server.take({ kind: 'blobWanted', ranges });
    this.#awaited = new AwaitedBlobs({ clock, blobs, bring, answer });
  }

  take(message: BlobMessage): void {
    if (message.kind === 'blobWanted') this.#serve(message.ranges);
    else this.#fetcher.take(message);
  }

  #serve(ranges: readonly BlobRange[]): void {
    const now = this.#awaited.take(ranges);
    if (now === null) this.#link.close('it asked for too many ranges of files at once');
    else if (now.length > 0) this.#server.take({ kind: 'blobWanted', ranges: now });
  }

  /** Fetches a file, or joins those who wait for it. Rejects as `Fetcher.fetch`, and when the link ends. */
  fetch(blob: string, bytes: number): Fetch {
    const fetch = this.#fetcher.fetch(blob, bytes);
    this.#wanted.add(fetch);
    const settled = (): void => void this.#wanted.delete(fetch);
    fetch.done.then(settled, settled);
    return fetch;
  }

  drained(): void {
    this.#server.drained();
  }

  /** The link has ended. What came of files is kept for the next one; `pull`s that are under way never settle. */
  close(): void {
    this.#awaited.close();
    this.#server.close();
    for (const fetch of this.#wanted) fetch.cancel();
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
