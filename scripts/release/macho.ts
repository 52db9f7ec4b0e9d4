/**
 * Mach-O, the format of programs on macOS: as much of it as tells what a file is, and as its signature needs. Thin 64-bit
 * little-endian files, which is what Bun compiles.
 *
 * References: Apple's `mach-o/loader.h` (`mach_header_64`, load commands).
 */

const magic64 = 0xfeedfacf;
const headerBytes = 32;
const cpuTypes: Readonly<Record<number, string>> = { 16777223: 'x64', 16777228: 'arm64' };
const commands = { dylib: 0xc, dylinker: 0xe, segment: 0x19, signature: 0x1d } as const;

export interface Segment {
  readonly name: string;
  /** Where its load command stands in the file. */
  readonly commandOffset: number;
  readonly fileOffset: number;
  readonly fileBytes: number;
}

export interface MachO {
  readonly machine: string;
  /** Path of the dynamic linker. */
  readonly interpreter: string | null;
  /** Paths of the libraries it is linked with. */
  readonly libraries: readonly string[];
  readonly segments: readonly Segment[];
  /** Where its code signature is. */
  readonly signature: { readonly commandOffset: number; readonly offset: number; readonly bytes: number } | null;
}

export function isMachO(file: Buffer): boolean {
  return file.length >= headerBytes && file.readUInt32LE(0) === magic64;
}

/** Reads header and load commands. Throws a RangeError where they lead out of the file. */
export function readMachO(file: Buffer): MachO {
  const libraries: string[] = [];
  const segments: Segment[] = [];
  let interpreter: string | null = null;
  let signature: MachO['signature'] = null;
  let at = headerBytes;
  for (let left = file.readUInt32LE(16); left > 0; left -= 1) {
    const bytes = file.readUInt32LE(at + 4);
    // A string stands at an offset within its command, and fills what is left of it.
    const text = () => untilZero(file.subarray(at + file.readUInt32LE(at + 8), at + bytes));
    switch (file.readUInt32LE(at)) {
      case commands.dylib:
        libraries.push(text());
        break;
      case commands.dylinker:
        interpreter = text();
        break;
      case commands.segment:
        segments.push({
          ...{ name: untilZero(file.subarray(at + 8, at + 24)), commandOffset: at },
          ...{ fileOffset: Number(file.readBigUInt64LE(at + 40)), fileBytes: Number(file.readBigUInt64LE(at + 48)) },
        });
        break;
      case commands.signature:
        signature = { commandOffset: at, offset: file.readUInt32LE(at + 8), bytes: file.readUInt32LE(at + 12) };
        break;
      default:
    }
    at += bytes;
  }
  return { machine: cpuTypes[file.readUInt32LE(4)] ?? 'unknown', interpreter, libraries, segments, signature };
}

/** Bytes as text, up to the first zero. */
export function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
}
