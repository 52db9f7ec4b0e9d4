/** What notifications are given by the composition root: whom to tell of what, and the means. */

import type { ClusterEvent } from '../../core/notification.ts';
import type { Postman } from '../../ports/postman.ts';
import type { Hmac } from './forms.ts';

export interface NotifySetup {
  readonly postman: Postman;
  /** Destinations of `--notify`, as `destinationText` writes them. */
  readonly destinations: readonly string[];
  /** What they are told of. */
  readonly events: readonly ClusterEvent[];
  /** Hosts that clients may name beside those of `--notify`. */
  readonly allowedHosts: readonly string[];
  readonly hmac: Hmac;
}
