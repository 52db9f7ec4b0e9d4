/**
 * PE, the format of programs on Windows: as much of it as tells what a file is and what it needs to start. 64-bit files.
 *
 * References: Microsoft's "PE Format" (COFF header, optional header PE32+, data directories).
 */

import { untilZero } from './macho.ts';

const machines: Readonly<Record<number, string>> = { 34404: 'x64', 43620: 'arm64' };
const subsystems: Readonly<Record<number, string>> = { 2: 'windows', 3: 'console' };
const coffBytes = 24;
const directories = { imports: 1, signature: 4 } as const;
const directoriesAt = 112;
const importBytes = 20;
const sectionBytes = 40;

export interface Pe {
  readonly machine: string;
  readonly subsystem: string;
  /** Names of the libraries it is linked with. */
  readonly libraries: readonly string[];
  /** Names of its sections. */
  readonly sections: readonly string[];
  /** It carries an Authenticode signature, whether it holds or not. */
  readonly hasSignature: boolean;
}

function headerOf(file: Buffer): number {
  return file.readUInt32LE(0x3c);
}

export function isPe(file: Buffer): boolean {
  if (file.length < 64 || file.toString('latin1', 0, 2) !== 'MZ') return false;
  const at = headerOf(file);
  return at + coffBytes <= file.length && file.toString('latin1', at, at + 4) === 'PE\0\0';
}

/** Reads the headers and the table of imports. Throws a RangeError where they lead out of the file. */
export function readPe(file: Buffer): Pe {
  const header = headerOf(file);
  const optional = header + coffBytes;
  const sections = Array.from({ length: file.readUInt16LE(header + 6) }, (_, index) => {
    const at = optional + file.readUInt16LE(header + 20) + index * sectionBytes;
    const name = untilZero(file.subarray(at, at + 8));
    return {
      name,
      bytes: file.readUInt32LE(at + 8),
      address: file.readUInt32LE(at + 12),
      offset: file.readUInt32LE(at + 20),
    };
  });
  const at = (address: number): number => {
    const section = sections.find((each) => address >= each.address && address < each.address + each.bytes);
    return section === undefined ? file.length : address - section.address + section.offset;
  };
  const directory = (index: number) => file.readUInt32LE(optional + directoriesAt + index * 8);
  const libraries: string[] = [];
  for (let entry = at(directory(directories.imports)); ; entry += importBytes) {
    const name = file.readUInt32LE(entry + 12);
    if (name === 0) break;
    libraries.push(untilZero(file.subarray(at(name), at(name) + 256)));
  }
  return {
    machine: machines[file.readUInt16LE(header + 4)] ?? 'unknown',
    subsystem: subsystems[file.readUInt16LE(optional + 68)] ?? 'unknown',
    libraries,
    sections: sections.map(({ name }) => name),
    hasSignature: directory(directories.signature) !== 0,
  };
}
