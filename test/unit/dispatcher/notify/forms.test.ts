import { describe, expect, test } from 'bun:test';
import type { DestinationKind } from '../../../../src/core/destination.ts';
import type { Notice } from '../../../../src/core/notification.ts';
import { requestFor } from '../../../../src/dispatcher/notify/forms.ts';

const hostile = 'Task t1 (<!channel> & <http://evil|click>) failed\\r\\nX: y';
const notice: Notice = { event: 'task_failed', id: 'r-1', at: '2026-01-31T12:00:00.000Z', cluster: 'c', text: hostile };

function sent(kind: DestinationKind, one: Notice = notice, keys: readonly string[] = ['k1']) {
  const hmac = (key: string, text: string): string => `<${key}|${text}>`;
  return requestFor({ kind, url: 'https://x.home/y' }, one, { keys, hmac, wall: 1_700_000_000_999 });
}

describe('requestFor()', () => {
  test('signs the time and the body of a webhook, once for each key', () => {
    const { headers, body, url } = sent('json', notice, ['k1', 'k2']);
    expect(JSON.parse(body)).toEqual(notice);
    expect({ url, headers }).toMatchObject({
      url: 'https://x.home/y',
      headers: {
        'content-type': 'application/json',
        'octaskly-event': 'task_failed',
        'octaskly-delivery': 'r-1',
        'octaskly-signature': `t=1700000000,v1=<k1|1700000000.${body}>,v1=<k2|1700000000.${body}>`,
      },
    });
  });

  test('gives Slack a text that cannot mention anybody', () => {
    const message = JSON.parse(sent('slack').body);
    expect(message.text).toBe('Task t1 (&lt;!channel&gt; &amp; &lt;http://evil|click&gt;) failed\\r\\nX: y');
    expect(message.mrkdwn).toBe(false);
  });

  test('gives Mattermost and Discord a text that mentions nobody and links nowhere', () => {
    const text = '@channel @everyone ![x](http://evil) [y][1]';
    const message = JSON.parse(sent('slack', { ...notice, text }).body);
    expect(message.text).toBe('@\u200dchannel @\u200deveryone ![x]\u200b(http://evil) [y]\u200b[1]');
  });

  test('gives ntfy the text as body, and headers of our own words alone', () => {
    const { headers, body } = sent('ntfy');
    expect(body).toBe(hostile);
    expect(headers).toMatchObject({ title: 'Octaskly: task failed', priority: 'high', tags: 'warning' });
    for (const value of Object.values(headers)) expect(value).toMatch(/^[ -~]*$/);
  });

  test('is urgent about a batch when something of it failed', () => {
    const batch = { id: 'b', name: null, owner: null, size: 2, completed: 2, failed: 0, timed_out: 0, cancelled: 0 };
    expect(sent('ntfy', { ...notice, event: 'batch_ended', batch }).headers.priority).toBe('default');
    const failed = { ...batch, completed: 1, failed: 1 };
    expect(sent('ntfy', { ...notice, event: 'batch_ended', batch: failed }).headers.priority).toBe('high');
  });
});
