/**
 * ELF, the format of programs on Linux and Android: as much of it as tells what a file is and what it needs to start.
 * Little-endian files of 64 bits, and of 32 for older ARM.
 *
 * References: elf(5).
 */

import { untilZero } from './macho.ts';

const machines: Readonly<Record<number, string>> = { 40: 'armv7', 62: 'x64', 183: 'arm64' };
const segmentTypes = { load: 1, dynamic: 2, interpreter: 3 } as const;
const dynamicTags = { needed: 1, strings: 5, stringsBytes: 10 } as const;

export interface Elf {
  readonly machine: string;
  /** Path of the dynamic linker. */
  readonly interpreter: string | null;
  /** Names of the libraries it is linked with. */
  readonly libraries: readonly string[];
  /** The oldest version of the GNU C library that will do; `null` where it is not linked with one. */
  readonly glibcMin: string | null;
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly bytes: number;
}

export function isElf(file: Buffer): boolean {
  return file.length >= 64 && file.readUInt32BE(0) === 0x7f454c46 && file.readUInt8(5) === 1;
}

/** Reads program headers and dynamic section. Throws a RangeError where they lead out of the file. */
export function readElf(file: Buffer): Elf {
  const wide = file.readUInt8(4) === 2;
  const segments = segmentsOf(file, wide);
  const contentOf = ({ offset, bytes }: Segment) => file.subarray(offset, offset + bytes);
  const interpreter = segments.find(({ type }) => type === segmentTypes.interpreter);
  const dynamic = segments.find(({ type }) => type === segmentTypes.dynamic);
  const entries = dynamic === undefined ? [] : entriesOf(contentOf(dynamic), wide);
  const dynamicValue = (tag: number): number => entries.find((entry) => entry.tag === tag)?.value ?? 0;
  const strings = file
    .subarray(offsetOf(segments, dynamicValue(dynamicTags.strings)))
    .subarray(0, dynamicValue(dynamicTags.stringsBytes));
  const needed = entries.filter(({ tag }) => tag === dynamicTags.needed);
  const versions = [...strings.toString('latin1').matchAll(/\bGLIBC_(\d+\.\d+)/g)].map((match) => match[1] ?? '');
  return {
    machine: machines[file.readUInt16LE(18)] ?? 'unknown',
    interpreter: interpreter === undefined ? null : untilZero(contentOf(interpreter)),
    libraries: needed.map(({ value }) => untilZero(strings.subarray(value))),
    glibcMin: versions.sort(Bun.semver.order).at(-1) ?? null,
  };
}

function segmentsOf(file: Buffer, wide: boolean): Segment[] {
  const start = wide ? Number(file.readBigUInt64LE(32)) : file.readUInt32LE(28);
  const bytes = file.readUInt16LE(wide ? 54 : 42);
  return Array.from({ length: file.readUInt16LE(wide ? 56 : 44) }, (_, index) => {
    const at = start + index * bytes;
    const word = (wideAt: number, narrowAt: number) =>
      wide ? Number(file.readBigUInt64LE(at + wideAt)) : file.readUInt32LE(at + narrowAt);
    return { type: file.readUInt32LE(at), offset: word(8, 4), address: word(16, 8), bytes: word(32, 16) };
  });
}

function entriesOf(dynamic: Buffer, wide: boolean): { readonly tag: number; readonly value: number }[] {
  const half = wide ? 8 : 4;
  const word = (at: number) => (wide ? Number(dynamic.readBigUInt64LE(at)) : dynamic.readUInt32LE(at));
  return Array.from({ length: Math.floor(dynamic.length / half / 2) }, (_, index) => ({
    ...{ tag: word(index * 2 * half), value: word((index * 2 + 1) * half) },
  }));
}

/** Where in the file what is loaded at `address` stands; its end where nothing is. */
function offsetOf(segments: readonly Segment[], address: number): number {
  const holds = (each: Segment) => address >= each.address && address < each.address + each.bytes;
  const segment = segments.find((each) => each.type === segmentTypes.load && holds(each));
  return segment === undefined ? Number.MAX_SAFE_INTEGER : address - segment.address + segment.offset;
}
