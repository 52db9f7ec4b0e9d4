/** A worker's knowledge of where its dispatcher is, for tests in which it stays there. */

import type { Address, Whereabouts } from '../src/worker/redial.ts';

/** Addresses that stay as they are; at least one. */
export function fixedWhereabouts(addresses: readonly Address[]): Whereabouts {
  return {
    addresses: () => addresses,
    isSearching: () => false,
    onNews: () => () => undefined,
    reached: () => undefined,
  };
}
