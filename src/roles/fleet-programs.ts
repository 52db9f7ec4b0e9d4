/** What a dispatcher hands out to new devices, as the programs its workers are updated to. */

import { targetsIn } from '../core/targets.ts';
import type { ProgramOffer, Programs } from '../ports/programs.ts';
import type { HandingOut } from './handing-out.ts';

const prefix = 'sha256:';

export function fleetPrograms(handingOut: Pick<HandingOut, 'sums' | 'program' | 'read' | 'signed'>): Programs {
  return {
    async targets() {
      return new Set(targetsIn(await handingOut.sums()));
    },
    get isSigned() {
      return handingOut.signed !== null;
    },
    async open(target): Promise<ProgramOffer> {
      const { file, size } = await handingOut.program(target, 'bare');
      return { blob: `${prefix}${file}`, bytes: size, signed: handingOut.signed };
    },
    read: (blob, from, max) => handingOut.read(blob.slice(prefix.length), from, max),
  };
}
