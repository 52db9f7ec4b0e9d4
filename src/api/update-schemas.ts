/** Shapes of updates of workers in the REST API. */

import { z } from 'zod';
import { memberStatuses, type Roll, rollStatuses } from '../core/fleet.ts';

/** Seconds: a day, and what a worker's tasks are waited for unless asked otherwise. */
const waitMax = 86_400;
const waitDefault = 600;

export const updateRequestSchema = z.strictObject({
  workers: z
    .array(z.string().min(1).max(200))
    .min(1)
    .max(1000)
    .optional()
    .describe('Ids or names; default: all that are connected'),
  wait: z
    .number()
    .min(0)
    .max(waitMax)
    .default(waitDefault)
    .describe('Seconds that running tasks of a worker may go on; then the update fails'),
  allow_downgrade: z.boolean().default(false).describe('Also workers that run a later version'),
  dry_run: z.boolean().default(false).describe('Only say what would be done'),
});

export const updateSchema = z.object({
  id: z.string().describe("'' of a dry run"),
  version: z.string().describe('The version of the dispatcher, which the workers are to have'),
  status: z.enum(rollStatuses),
  reason: z.string().nullable().describe('Why it did not go on to the last worker'),
  started_at: z.string(),
  ended_at: z.string().nullable(),
  workers: z
    .array(
      z.object({
        id: z.string(),
        name: z.string(),
        target: z.string().nullable().describe('What its program is built for'),
        from: z.string().describe('The version it ran before'),
        status: z.enum(memberStatuses),
        reason: z.string().nullable(),
        bytes: z.number().int().describe('Of the program'),
        sent_bytes: z.number().int(),
      }),
    )
    .describe('In their order'),
});
export const updateListSchema = z.object({ updates: z.array(updateSchema), next_cursor: z.null() });

export type UpdateRequest = z.input<typeof updateRequestSchema>;
export type UpdateView = z.infer<typeof updateSchema>;
export type UpdateList = z.infer<typeof updateListSchema>;

const iso = (wallMs: number): string => new Date(wallMs).toISOString();

export function updateView({ members, startedAt, endedAt, ...roll }: Roll): UpdateView {
  return {
    ...roll,
    started_at: iso(startedAt),
    ended_at: endedAt === null ? null : iso(endedAt),
    workers: members.map(({ sentBytes, ...member }) => ({ ...member, sent_bytes: sentBytes })),
  };
}
