/**
 * Files that come back: what a task left, and blobs. Their bytes are checked against their hash while they are read; what
 * does not fit fails at its end.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { OutputFiles } from '../api/file-schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import type { Download } from '../client/blobs.ts';
import type { Client } from '../client/client.ts';
import { ByteStream, piecesOf, type ReadOptions } from './bytes.ts';

type Open = (options: ReadOptions) => Promise<Download>;

async function* checked(blob: string, download: Promise<Download>): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = sha256.create();
  for await (const piece of piecesOf((await download).stream)) {
    hash.update(piece);
    yield piece;
  }
  const found = `sha256:${bytesToHex(hash.digest())}`;
  if (found !== blob) throw new OctasklyError('internal', `The bytes that came for ${blob} are those of ${found}.`);
}

function contentOf(blob: string, open: Open): ByteStream {
  return new ByteStream((options) => checked(blob, open(options)));
}

/** The bytes of a blob, `sha256:…`. Reading fails with `not_found` for one that is not there. */
export function blobContent(client: Client, blob: string): ByteStream {
  return contentOf(blob, (options) => client.blob(blob, options));
}

/** A file that a task left. Also an input for another task: it is not downloaded for that. */
export class TaskFile {
  /** Below the task's directory. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly executable: boolean;
  /** `sha256:…` */
  readonly blob: string;
  /** Name of the worker that keeps it until it is asked for; null = the dispatcher has it. */
  readonly at: string | null;
  readonly content: ByteStream;

  constructor(client: Client, taskId: string, file: OutputFiles['outputs'][number]) {
    this.path = file.path;
    this.size = file.bytes;
    this.executable = file.executable;
    this.blob = file.blob;
    this.at = file.at;
    this.content = contentOf(file.blob, (options) => client.outputFile(taskId, file.path, options));
  }

  /** All bytes; they have to fit into memory. */
  bytes(options: ReadOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.content.bytes(options);
  }

  /** All of it as text. */
  text(options: ReadOptions = {}): Promise<string> {
    return this.content.text(options);
  }

  /** Writes it to a stream, such as that of a file, and closes that. */
  saveTo(writable: WritableStream<Uint8Array>, options: ReadOptions = {}): Promise<void> {
    return this.content.pipeTo(writable, options);
  }
}
