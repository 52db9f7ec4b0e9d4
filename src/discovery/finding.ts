/** What `doctor net` concludes: a named finding with a sentence and the commands that help. */

import type { Remedy } from './remedies.ts';

/** Clocks may differ by this much, ms: beyond it tokens and beacons are taken for old or not yet valid. */
export const clockDifferenceMsMax = 60_000;

/** UDP port of Multicast DNS. */
export const mdnsPort = 5353;

/**
 * Stable names, for scripts. Of this machine first, then of the host asked about.
 */
export const findingNames = [
  'no_interface',
  'interface_missing',
  'self_assigned_address',
  'discovery_off',
  'multicast_not_sent',
  'multicast_not_heard',
  'nobody_heard',
  'client_isolation_suspected',
  'multicast_lock',
  'firewall_closed',
  'firewall_unreadable',
  'firewall_unclear',
  'other_cluster',
  'dispatcher_not_heard',
  'beacons_foreign',
  'clock_differs',
  'version_differs',
  'name_not_resolved',
  'no_route',
  'host_silent',
  'port_filtered',
  'port_closed',
  'not_octaskly',
  'not_admitted',
  'not_announced',
  'beacons_filtered',
  'other_network',
  'api_not_reached',
] as const;

export type FindingName = (typeof findingNames)[number];

/**
 * `failure`: two nodes cannot work together like this. `warning`: they may not find each other, or not always. `note`:
 * good to know, nothing is wrong.
 */
export type Severity = 'failure' | 'warning' | 'note';

export interface Finding {
  readonly name: FindingName;
  readonly severity: Severity;
  /** The interface, host or port it is about; '' = this machine. */
  readonly about: string;
  /** One or more whole sentences. */
  readonly sentence: string;
  /** The likeliest first. */
  readonly remedies: readonly Remedy[];
}

/** Whether something is wrong, and not only worth a note. */
export function isTrouble({ severity }: Pick<Finding, 'severity'>): boolean {
  return severity !== 'note';
}
