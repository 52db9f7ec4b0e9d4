/** Which of an invite's lines are worth showing. Pure; the dashboard uses it without the rest of the client. */

import type { CreatedInvite } from '../api/trust-schemas.ts';

/** For which devices the dispatcher hands out the program. */
export interface Installable {
  /** Those with a POSIX shell. */
  readonly posix: boolean;
  readonly windows: boolean;
  /** Names of their kinds, as in `core/targets.ts`; none where the dispatcher does not say. */
  readonly targets: readonly string[];
}

/** What an invite says of them; one of a dispatcher of an older version says nothing, and its lines are for both. */
export function installable({ install_targets: targets }: Partial<CreatedInvite>): Installable {
  if (targets === undefined) return { posix: true, windows: true, targets: [] };
  const isWindows = (target: string): boolean => target.startsWith('windows-');
  return { posix: !targets.every(isWindows), windows: targets.some(isWindows), targets };
}
