/**
 * A notice as its receiver wants it: a signed JSON webhook, a message for Slack, or one for ntfy. Pure; the HMAC is handed in.
 *
 * Signature, after Standard Webhooks (https://www.standardwebhooks.com) with one header for all of it:
 *   Octaskly-Signature: t=<seconds since 1970>,v1=<hex of HMAC-SHA256(key, t + "." + body)>
 * with one `v1` for each key that is valid, so that receivers go on verifying while the cluster secret is rotated.
 * Every try is signed anew: a receiver that refuses old times refuses replays, and `Octaskly-Delivery` tells repeats.
 *
 * Texts come from strangers. Slack reads `<`, `>` and `&` as markup (https://api.slack.com/reference/surfaces/formatting);
 * nothing of a text ever goes into a header.
 */

import { unreachable } from '../../base/assert.ts';
import type { Destination } from '../../core/destination.ts';
import type { Notice, NotifyEvent } from '../../core/notification.ts';
import type { PostRequest } from '../../ports/postman.ts';

/** Hex of the HMAC-SHA256 of a text under a key that is a text too. */
export type Hmac = (key: string, text: string) => string;

interface Signing {
  readonly keys: readonly string[];
  readonly hmac: Hmac;
  /** Wall-clock ms. */
  readonly wall: number;
}

const titles: Readonly<Record<NotifyEvent, string>> = {
  task_completed: 'Octaskly: task completed',
  task_failed: 'Octaskly: task failed',
  task_timed_out: 'Octaskly: task timed out',
  task_cancelled: 'Octaskly: task cancelled',
  batch_ended: 'Octaskly: batch ended',
  worker_lost: 'Octaskly: worker lost',
  worker_pending: 'Octaskly: a device asks to join',
  map_ended: 'Octaskly: map ended',
  message: 'Octaskly',
  test: 'Octaskly: test',
};

/** Whether something went wrong, or somebody has to act. */
function isUrgent({ event, batch }: Notice): boolean {
  if (batch !== undefined) return batch.completed < batch.size;
  return event === 'task_failed' || event === 'task_timed_out' || event === 'worker_lost' || event === 'worker_pending';
}

/** What is sent to `destination`. */
export function requestFor({ kind, url }: Destination, notice: Notice, signing: Signing): PostRequest {
  const common = {
    'user-agent': 'Octaskly',
    'octaskly-event': notice.event,
    'octaskly-delivery': notice.id,
  };
  switch (kind) {
    case 'json': {
      const body = JSON.stringify(notice);
      const headers = {
        ...common,
        'content-type': 'application/json',
        'octaskly-signature': signatureOf(body, signing),
      };
      return { url, headers, body };
    }
    case 'slack': {
      // Without its markup: what a stranger names must not look like a heading or a link of ours.
      const plainly = { mrkdwn: false, unfurl_links: false, unfurl_media: false };
      const body = JSON.stringify({ text: escapeForSlack(notice.text), ...plainly });
      return { url, headers: { ...common, 'content-type': 'application/json' }, body };
    }
    case 'ntfy': {
      const [priority, tag] = isUrgent(notice) ? ['high', 'warning'] : ['default', 'white_check_mark'];
      const shown = { title: titles[notice.event], priority, tags: tag, markdown: 'no' };
      return { url, headers: { ...common, 'content-type': 'text/plain; charset=utf-8', ...shown }, body: notice.text };
    }
    default:
      return unreachable(kind);
  }
}

function signatureOf(body: string, { keys, hmac, wall }: Signing): string {
  const seconds = Math.floor(wall / 1000);
  return [`t=${seconds}`, ...keys.map((key) => `v1=${hmac(key, `${seconds}.${body}`)}`)].join(',');
}

/**
 * Also stops formatting, and mentions and links as Mattermost and Discord read them, which take this form but know other
 * marks: what a stranger names must neither call everybody nor look like a heading or a link of ours.
 */
function escapeForSlack(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[*_~`]/g, '\u200b$&')
    .replaceAll('@', '@\u200d')
    .replaceAll(/\](?=[([])/g, ']\u200b');
}
