/**
 * Code signatures of macOS: whether one holds, and making one without an identity ("ad hoc"), as `codesign --sign -` does.
 * Without a signature that holds, macOS on Apple's processors kills a program as it starts.
 *
 * A signature is a "super blob" at the end of the file, big-endian throughout. Its code directory has the SHA-256 of every
 * page of what precedes it; signed by nobody, that says that the file is whole, and nothing about who made it.
 *
 * Deliberately not here: signing by a developer's certificate, and notarisation, which need Apple.
 * References: XNU's `osfmk/kern/cs_blobs.h` (`CS_SuperBlob`, `CS_CodeDirectory`, version 0x20400).
 */

import { createHash } from 'node:crypto';
import { readMachO, untilZero } from './macho.ts';

const superBlobMagic = 0xfade0cc0;
const directoryMagic = 0xfade0c02;
const directoryVersion = 0x20400;
const adHocFlag = 0x2;
const sha256Type = 2;
const hashBytes = 32;
const pageShift = 12;
const pageBytes = 1 << pageShift;
/** Of a code directory of this version, up to the identifier. */
const directoryHeaderBytes = 88;
/** The super blob's own header, and the index of its one blob. */
const superBlobHeaderBytes = 12 + 8;
/** Segments end at pages of the processor, 16 KiB where they are largest. */
const segmentAlignment = 0x4000;
const mainBinaryFlag = 1n;

export interface SignatureFinding {
  /** What the signer called the file; `null` where there is no signature. */
  readonly identifier: string | null;
  /** Made without an identity. */
  readonly isAdHoc: boolean;
  readonly pages: number;
  /** Why it does not hold; empty when it does. */
  readonly problems: readonly string[];
}

/** Checks the signature of a Mach-O file against every page of it. */
export function checkSignature(file: Buffer): SignatureFinding {
  const { signature } = readMachO(file);
  const none = { identifier: null, isAdHoc: false, pages: 0 };
  if (signature === null) return { ...none, problems: ['it has no signature'] };
  const blob = file.subarray(signature.offset, signature.offset + signature.bytes);
  if (blob.length < superBlobHeaderBytes || blob.readUInt32BE(0) !== superBlobMagic) {
    return { ...none, problems: ['its signature is none'] };
  }
  const directory = blob.subarray(blob.readUInt32BE(16));
  if (directory.length < directoryHeaderBytes || directory.readUInt32BE(0) !== directoryMagic) {
    return { ...none, problems: ['its signature has no code directory'] };
  }
  const pages = directory.readUInt32BE(28);
  const limit = directory.readUInt32BE(32);
  const problems: string[] = [];
  if (directory.readUInt8(37) !== sha256Type) problems.push('its hashes are not SHA-256');
  if (signature.offset + signature.bytes !== file.length) problems.push('its signature does not end the file');
  if (limit !== signature.offset)
    problems.push(`its signature covers ${limit} bytes, it should be ${signature.offset}`);
  if (pages !== Math.ceil(limit / pageBytes)) problems.push(`its signature has ${pages} pages for ${limit} bytes`);
  const bad = badPages(file, directory, pages, limit);
  if (bad > 0) problems.push(`${bad} of ${pages} pages are not as signed`);
  return {
    identifier: untilZero(directory.subarray(directory.readUInt32BE(20))),
    isAdHoc: (directory.readUInt32BE(12) & adHocFlag) !== 0,
    ...{ pages, problems },
  };
}

function badPages(file: Buffer, directory: Buffer, pages: number, limit: number): number {
  const hashes = directory.readUInt32BE(16);
  let bad = 0;
  for (let page = 0; page < pages; page += 1) {
    const should = directory.subarray(hashes + page * hashBytes, hashes + (page + 1) * hashBytes);
    if (!should.equals(pageHash(file, page, limit))) bad += 1;
  }
  return bad;
}

function pageHash(file: Buffer, page: number, limit: number): Buffer {
  const bytes = file.subarray(page * pageBytes, Math.min((page + 1) * pageBytes, limit));
  return createHash('sha256').update(bytes).digest();
}

/** The file with an ad-hoc signature in place of the one it has. Throws where it has no room for one. */
export function sign(original: Buffer, identifier: string): Buffer {
  const { signature, segments } = readMachO(original);
  const linkEdit = segments.find(({ name }) => name === '__LINKEDIT');
  const text = segments.find(({ name }) => name === '__TEXT');
  if (signature === null || linkEdit === undefined || text === undefined) {
    throw new Error('a Mach-O file to be signed should have LC_CODE_SIGNATURE, __LINKEDIT and __TEXT');
  }
  const limit = signature.offset;
  const pages = Math.ceil(limit / pageBytes);
  const name = Buffer.from(`${identifier}\0`);
  const hashes = directoryHeaderBytes + name.length;
  const directoryBytes = hashes + pages * hashBytes;
  const blobBytes = superBlobHeaderBytes + directoryBytes;
  const bytes = roundUp(blobBytes, 16);
  const file = Buffer.concat([original.subarray(0, limit), Buffer.alloc(bytes)]);
  // The header is within the first page: it must be as it will stay before that page is hashed.
  file.writeUInt32LE(bytes, signature.commandOffset + 12);
  const linkEditBytes = limit + bytes - linkEdit.fileOffset;
  file.writeBigUInt64LE(BigInt(roundUp(linkEditBytes, segmentAlignment)), linkEdit.commandOffset + 32);
  file.writeBigUInt64LE(BigInt(linkEditBytes), linkEdit.commandOffset + 48);
  const blob = file.subarray(limit);
  writeWords(blob, [superBlobMagic, blobBytes, 1, 0, superBlobHeaderBytes]);
  const directory = blob.subarray(superBlobHeaderBytes);
  const fixed = [directoryMagic, directoryBytes, directoryVersion, adHocFlag, hashes, directoryHeaderBytes];
  writeWords(directory, [...fixed, 0, pages, limit]);
  directory.set([hashBytes, sha256Type, 0, pageShift], 36);
  directory.writeBigUInt64BE(BigInt(text.fileOffset), 64);
  directory.writeBigUInt64BE(BigInt(text.fileBytes), 72);
  directory.writeBigUInt64BE(mainBinaryFlag, 80);
  directory.set(name, directoryHeaderBytes);
  for (let page = 0; page < pages; page += 1) directory.set(pageHash(file, page, limit), hashes + page * hashBytes);
  return file;
}

function writeWords(to: Buffer, words: readonly number[]): void {
  for (const [index, word] of words.entries()) to.writeUInt32BE(word, index * 4);
}

function roundUp(bytes: number, to: number): number {
  return Math.ceil(bytes / to) * to;
}
