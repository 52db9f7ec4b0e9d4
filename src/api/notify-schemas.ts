/** Shapes of what the API takes and says about notifications. Source of validation, types and the OpenAPI document. */

import { z } from 'zod';
import { destinationLengthMax, destinationText, parseDestination } from '../core/destination.ts';
import { askedEvents, type NotifyTarget, noticeTextMax, targetsMax, taskEvents } from '../core/notification.ts';

/** An address as somebody writes it. Messages repeat nothing of it: its path may be its secret. */
const destinationSchema = z
  .string()
  .max(destinationLengthMax)
  .superRefine((text, context) => {
    const parsed = parseDestination(text);
    if ('problem' in parsed) context.addIssue({ code: 'custom', message: parsed.problem });
  })
  .meta({
    examples: ['https://example.org/hook', 'ntfy:https://ntfy.sh/topic', 'slack:https://hooks.slack.com/services/…'],
  });

/** Whom a task tells of its end: all ends, or those of `on`. */
export const taskNotifySchema = z
  .array(
    z.union(
      [
        destinationSchema,
        z.strictObject({
          url: destinationSchema,
          on: z.array(z.enum(taskEvents)).min(1).max(taskEvents.length).optional(),
        }),
      ],
      { error: `should be an address such as https://example.org/hook, or {"url", "on": [${taskEvents.join(', ')}]}` },
    ),
  )
  .max(targetsMax)
  .describe('Who is told of its end; [] = nobody, not even those the dispatcher tells');

export const batchNotifySchema = z
  .array(destinationSchema)
  .max(targetsMax)
  .describe('Who is told of the end of its last task; [] = nobody, not even those the dispatcher tells');

export const notificationRequestSchema = z.strictObject({
  url: destinationSchema.optional().describe("Where to; default: the destinations of the dispatcher's --notify"),
  event: z.enum(askedEvents).default('message'),
  text: z.string().min(1).max(noticeTextMax),
  check: z.boolean().default(false).describe('Only say whether it may be sent there; nothing is sent'),
});

export const notificationAnswerSchema = z.object({
  ids: z.array(z.string()).describe('Of the deliveries; none for a check'),
});
export const deliverySchema = z.object({
  state: z.enum(['pending', 'delivered', 'given_up']),
  failed_tries: z.number().int(),
  error: z.string().nullable().describe('Why the last try failed; null = none has'),
});
/** What `notify test -o json` prints. */
export const notifyTestSchema = notificationAnswerSchema.extend({
  deliveries: z.array(deliverySchema.extend({ id: z.string() })).describe('What became of the first tries'),
});
export const notifyKeySchema = z.object({
  key: z.string().describe('Text; what HMAC-SHA256 of webhooks is made with'),
});

export const notifyStatsSchema = z
  .object({
    pending: z.number().int(),
    delivered: z.number().int(),
    failed_tries: z.number().int(),
    given_up: z.number().int(),
    dropped: z.number().int(),
    last_error: z.string().nullable(),
  })
  .describe('Notifications since the start of the dispatcher');

/** The text under which a valid destination is stored. */
export function storedDestination(text: string): string {
  const parsed = parseDestination(text);
  return 'value' in parsed ? destinationText(parsed.value) : text;
}

/** The targets that a valid request names. */
export function targetsOf(notify: z.output<typeof taskNotifySchema>): readonly NotifyTarget[] {
  return notify.map((one) => {
    const { url, on = null } = typeof one === 'string' ? { url: one } : one;
    return { to: storedDestination(url), on };
  });
}

export type NotificationRequest = z.input<typeof notificationRequestSchema>;
export type DeliveryView = z.output<typeof deliverySchema>;
export type NotificationAnswer = z.output<typeof notificationAnswerSchema>;
