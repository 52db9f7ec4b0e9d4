/** What the dispatcher role gives to notifications: its options, checked, and the means of this machine. */

import { OctasklyError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import type { DispatcherValues } from '../cli/options.ts';
import { isAllowedHost } from '../core/destination.ts';
import { type ClusterEvent, clusterEvents } from '../core/notification.ts';
import { destinationsOf } from '../dispatcher/notify/notifications.ts';
import type { NotifySetup } from '../dispatcher/notify/setup.ts';
import { hmacSha256Hex } from '../runtime/keys.ts';
import { createPostman } from '../runtime/postman.ts';

/** Error: `usage` for an address, an event or a host that is none. */
export function notifySetup({ notify, notifyOn, notifyAllow }: DispatcherValues): NotifySetup {
  for (const host of notifyAllow) {
    if (isAllowedHost(host)) continue;
    throw new OctasklyError('usage', `--notify-allow "${host}" is not a host such as hooks.home or hooks.home:8080.`);
  }
  return {
    postman: createPostman(),
    destinations: destinationsOf(notify, '--notify'),
    events: notifyOn.map(eventOf),
    allowedHosts: notifyAllow,
    hmac: hmacSha256Hex,
  };
}

function eventOf(word: string): ClusterEvent {
  const found = clusterEvents.find((event) => event === word);
  if (found !== undefined) return found;
  const all = `--notify-on "${word}" is no event; there are ${clusterEvents.join(', ')}`;
  throw new OctasklyError('usage', `${all}${didYouMean(word, clusterEvents) || '.'}`);
}
