/**
 * Runs classic BPF programs over struct seccomp_data as the kernel does, for the few instructions seccomp allows and the
 * filter uses. Refuses all others, jumps past the end, and programs that end without an answer.
 */

export interface SeccompData {
  readonly call: number;
  /** AUDIT_ARCH_…. */
  readonly arch: number;
  readonly args: readonly bigint[];
}

export function encodeData({ call, arch, args }: SeccompData): DataView {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call, true);
  data.setUint32(4, arch, true);
  args.forEach((value, index) => {
    data.setBigUint64(16 + 8 * index, value, true);
  });
  return data;
}

/** The answer: SECCOMP_RET_… with its data. */
export function runFilter(program: Uint8Array, input: SeccompData): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const data = encodeData(input);
  let accumulator = 0;
  for (let at = 0; at < program.length; ) {
    const operation = code.getUint16(at, true);
    const k = code.getUint32(at + 4, true);
    const [ifTrue, ifFalse] = [code.getUint8(at + 2), code.getUint8(at + 3)];
    const jump = (taken: boolean): number => 8 * (taken ? ifTrue : ifFalse);
    at += 8;
    switch (operation) {
      case 0x20:
        accumulator = data.getUint32(k, true);
        break;
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x15:
        at += jump(accumulator === k);
        break;
      case 0x35:
        at += jump(accumulator >= k);
        break;
      case 0x45:
        at += jump((accumulator & k) !== 0);
        break;
      case 0x06:
        return k;
      default:
        throw new Error(`instruction 0x${operation.toString(16)} is not one of these`);
    }
  }
  throw new Error('the program ends without an answer');
}
