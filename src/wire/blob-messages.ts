/**
 * Blob messages as rows, for both directions: order of the fields and check of what arrived, side by side.
 * A blob's name travels as the 32 bytes of its hash.
 */

import { unreachable } from '../base/assert.ts';
import { bytes, bytesOf, count, fieldLimits, list, row, text, whole } from './fields.ts';
import { type BlobMessage, type BlobRange, blobDataBytesMax, blobRangesMax } from './messages.ts';

const hashBytes = 32;
const prefix = 'sha256:';

/** The hash in a blob's name. */
export function packBlob(blob: string): Uint8Array {
  return Uint8Array.fromHex(blob.slice(prefix.length));
}

/** A blob's name of its hash. */
export function readBlob(value: unknown): string {
  return prefix + bytesOf(value, 'blob', hashBytes).toHex();
}

export function packBlobMessage(message: BlobMessage): unknown[] {
  switch (message.kind) {
    case 'blobWanted':
      return [message.kind, message.ranges.map(({ blob, offset, length }) => [packBlob(blob), offset, length])];
    case 'blobData':
      return [message.kind, message.parts.map(({ blob, offset, data }) => [packBlob(blob), offset, data])];
    case 'blobRefused':
      return [message.kind, packBlob(message.blob), message.detail];
    default:
      return unreachable(message);
  }
}

/** The blob message of `kind` in a decoded row. Throws `MalformedMessage`. */
export function checkBlobMessage(kind: BlobMessage['kind'], value: unknown): BlobMessage {
  switch (kind) {
    case 'blobWanted':
      return { kind, ranges: list(row(value, 2, kind)[1], 'ranges', readRange, blobRangesMax) };
    case 'blobData':
      return { kind, parts: list(row(value, 2, kind)[1], 'parts', readPart, blobRangesMax) };
    case 'blobRefused': {
      const fields = row(value, 3, kind);
      return { kind, blob: readBlob(fields[1]), detail: text(fields[2], 'detail', fieldLimits.detailLengthMax) };
    }
    default:
      return unreachable(kind);
  }
}

function readRange(value: unknown): BlobRange {
  const fields = row(value, 3, 'range');
  return {
    blob: readBlob(fields[0]),
    offset: count(fields[1], 'offset'),
    length: whole(fields[2], 'length', { min: 0, max: blobDataBytesMax }),
  };
}

function readPart(value: unknown): { blob: string; offset: number; data: Uint8Array } {
  const fields = row(value, 3, 'part');
  return {
    blob: readBlob(fields[0]),
    offset: count(fields[1], 'offset'),
    data: bytes(fields[2], 'data', blobDataBytesMax),
  };
}
