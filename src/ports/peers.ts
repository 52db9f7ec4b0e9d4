/** What a node keeps of those it belongs with. */

import type { RosterEntry } from '../wire/messages.ts';

/** The roster on disk, so that peers know each other after a restart without a dispatcher. */
export interface KeptRoster {
  /** What was kept last; empty when there is nothing, or nothing that can be read. */
  load(): readonly RosterEntry[];
  /** Replaces it, whole or not at all. A failure is logged, not thrown: the next welcome brings a roster. */
  save(members: readonly RosterEntry[]): void;
}
