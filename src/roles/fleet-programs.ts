/** What a dispatcher hands out to new devices, as the programs its workers are updated to. */

import type { ProgramOffer, Programs } from '../ports/programs.ts';
import type { HandingOut } from './handing-out.ts';

const prefix = 'sha256:';

export function fleetPrograms(handingOut: Pick<HandingOut, 'sums' | 'program' | 'read' | 'signed'>): Programs {
  return {
    async targets() {
      const lines = (await handingOut.sums()).trim().split('\n');
      return new Set(lines.map((line) => line.split('  ')[1] ?? ''));
    },
    async open(target): Promise<ProgramOffer> {
      const { file, size } = await handingOut.program(target, 'bare');
      return { blob: `${prefix}${file}`, bytes: size, signed: handingOut.signed };
    },
    read: (blob, from, max) => handingOut.read(blob.slice(prefix.length), from, max),
  };
}
