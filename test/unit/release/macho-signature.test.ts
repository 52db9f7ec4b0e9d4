import { describe, expect, test } from 'bun:test';
import { isMachO, readMachO } from '../../../scripts/release/macho.ts';
import { checkSignature, sign } from '../../../scripts/release/macho-signature.ts';

const textBytes = 0x4000;
const linkEditAt = 0x5000;
const signatureAt = 0x5810;

/** A Mach-O file of two segments with room for a signature: what is needed to be signed, and no program. */
function unsigned(): Buffer {
  const file = Buffer.alloc(signatureAt + 16, 0x5a);
  file.fill(0, 0, 512);
  file.writeUInt32LE(0xfeedfacf, 0);
  file.writeUInt32LE(0x1000007, 4);
  file.writeUInt32LE(4, 16);
  let at = 32;
  const segment = (name: string, offset: number, bytes: number): void => {
    file.writeUInt32LE(0x19, at);
    file.writeUInt32LE(72, at + 4);
    file.write(name, at + 8, 'latin1');
    file.writeBigUInt64LE(BigInt(offset), at + 40);
    file.writeBigUInt64LE(BigInt(bytes), at + 48);
    at += 72;
  };
  segment('__TEXT', 0, textBytes);
  segment('__LINKEDIT', linkEditAt, file.length - linkEditAt);
  file.writeUInt32LE(0xe, at);
  file.writeUInt32LE(32, at + 4);
  file.writeUInt32LE(12, at + 8);
  file.write('/usr/lib/dyld\0', at + 12, 'latin1');
  at += 32;
  file.writeUInt32LE(0x1d, at);
  file.writeUInt32LE(16, at + 4);
  file.writeUInt32LE(signatureAt, at + 8);
  file.writeUInt32LE(16, at + 12);
  return file;
}

describe('sign()', () => {
  const signed = sign(unsigned(), 'octaskly');

  test('makes a signature that holds for every page, the last and shorter one too', () => {
    expect(checkSignature(unsigned()).problems).toEqual(['its signature is none']);
    expect(checkSignature(signed)).toEqual({ identifier: 'octaskly', isAdHoc: true, pages: 6, problems: [] });
  });

  test('leaves what is signed as it was, but for the size of the last segment and of the signature', () => {
    const bytes = signed.length - signatureAt;
    expect(bytes % 16).toBe(0);
    const { segments, signature, machine, interpreter } = readMachO(signed);
    expect({ machine, interpreter }).toEqual({ machine: 'x64', interpreter: '/usr/lib/dyld' });
    expect(signature).toMatchObject({ offset: signatureAt, bytes });
    expect(segments[1]).toMatchObject({ fileOffset: linkEditAt, fileBytes: signed.length - linkEditAt });
    expect(signed.subarray(512, signatureAt).equals(unsigned().subarray(512, signatureAt))).toBe(true);
  });

  test('gives the same when what it signed is signed again', () =>
    expect(sign(signed, 'octaskly').equals(signed)).toBe(true));

  test('refuses a file without a place for a signature', () => {
    const file = unsigned();
    file.writeUInt32LE(3, 16);
    expect(() => sign(file, 'octaskly')).toThrow('LC_CODE_SIGNATURE');
  });
});

describe('checkSignature()', () => {
  test.each([0, 20, 0x1000, 0x4fff, signatureAt - 1])('finds a changed bit at byte %i', (at) => {
    const file = Buffer.from(sign(unsigned(), 'octaskly'));
    file.writeUInt8(file.readUInt8(at) ^ 0x80, at);
    // The mark at the beginning says that there is anything to be signed.
    if (at === 0) expect(isMachO(file)).toBe(false);
    else expect(checkSignature(file).problems).toEqual(['1 of 6 pages are not as signed']);
  });

  test('finds what was put after it', () => {
    const file = Buffer.concat([sign(unsigned(), 'octaskly'), Buffer.alloc(1)]);
    expect(checkSignature(file).problems).toEqual(['its signature does not end the file']);
  });
});
