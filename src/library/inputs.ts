/**
 * Files that go along with a task: their bytes are hashed here, and those the dispatcher lacks are uploaded. What it has
 * already, from an earlier task or the same file twice, is not sent again.
 *
 * The hash is computed by a library and not by the runtime: browsers have none on pages that came over plain HTTP, and none
 * hashes piece by piece.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { InputRequest } from '../api/file-schemas.ts';
import type { Client } from '../client/client.ts';
import { piecesOf } from './bytes.ts';
import { TaskFile } from './files.ts';

/** Bytes in any form; a text is its UTF-8 bytes. */
export type Content = string | Uint8Array | ArrayBuffer | Blob;

/** A file for a task: its content, a file that another task left, or content with its permission. */
export type Input = Content | TaskFile | { readonly content: Content; readonly executable?: boolean };

/** Files by their path in the task's directory; or `File`s, which lie there under their names. */
export type Inputs = Readonly<Record<string, Input>> | readonly File[];

function bodyOf(content: Content): Blob | Uint8Array {
  if (typeof content === 'string') return new TextEncoder().encode(content);
  return content instanceof ArrayBuffer ? new Uint8Array(content) : content;
}

async function blobOf(body: Blob | Uint8Array): Promise<string> {
  const hash = sha256.create();
  if (body instanceof Blob) for await (const piece of piecesOf(body.stream())) hash.update(piece);
  else hash.update(body);
  return `sha256:${bytesToHex(hash.digest())}`;
}

/** Brings `content` to the dispatcher, unless it is there, and gives its name, `sha256:…`. */
export async function upload(client: Client, content: Content, signal?: AbortSignal): Promise<string> {
  const body = bodyOf(content);
  const blob = await blobOf(body);
  const [missing] = await client.missingBlobs([blob], { signal });
  if (missing === undefined) return blob;
  const total = body instanceof Blob ? body.size : body.length;
  // All bytes but no blob: the last ones are still being hashed there, and may be sent again.
  const from = Math.min(missing.received, Math.max(0, total - 1));
  const rest = body instanceof Blob ? body.slice(from) : body.subarray(from);
  await client.putBlob(blob, rest, { from, total, signal });
  return blob;
}

function entriesOf(inputs: Inputs): [path: string, input: Input][] {
  return isFileList(inputs) ? inputs.map((file) => [file.name, file]) : Object.entries(inputs);
}

function isFileList(inputs: Inputs): inputs is readonly File[] {
  return Array.isArray(inputs);
}

/** `inputs` as a task names them, with everything uploaded. Throws as `Client.putBlob`. */
export async function staged(client: Client, inputs: Inputs, signal?: AbortSignal): Promise<InputRequest[]> {
  const requests: InputRequest[] = [];
  for (const [path, input] of entriesOf(inputs)) {
    if (input instanceof TaskFile) {
      // What lies with its worker alone has to come to the dispatcher first.
      const blob = input.at === null ? input.blob : await upload(client, await input.content.bytes({ signal }), signal);
      requests.push({ path, blob, executable: input.executable });
    } else {
      const { content, executable = false } = isPlain(input) ? { content: input } : input;
      requests.push({ path, blob: await upload(client, content, signal), executable });
    }
  }
  return requests;
}

function isPlain(input: Exclude<Input, TaskFile>): input is Content {
  const isBytes = input instanceof Uint8Array || input instanceof ArrayBuffer || input instanceof Blob;
  return typeof input === 'string' || isBytes;
}
