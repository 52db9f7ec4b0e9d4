/** Which of an invite's lines are worth showing. Pure; the dashboard uses it without the rest of the client. */

import type { CreatedInvite } from '../api/trust-schemas.ts';

/** For which devices the dispatcher hands out the program: those with a POSIX shell, and Windows. */
export function installable({ install_targets }: CreatedInvite): {
  readonly posix: boolean;
  readonly windows: boolean;
} {
  const isWindows = (target: string): boolean => target.startsWith('windows-');
  return { posix: !install_targets.every(isWindows), windows: install_targets.some(isWindows) };
}
