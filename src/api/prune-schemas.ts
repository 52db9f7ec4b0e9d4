/** Shapes of deleting what is old. Source of validation, types and the OpenAPI document. */

import { z } from 'zod';
import { finalStatuses } from '../core/task.ts';

/** Seconds. */
const week = 7 * 86_400;
const century = 100 * 366 * 86_400;

export const pruneRequestSchema = z.strictObject({
  older_than: z
    .number()
    .min(0)
    .max(century)
    .default(week)
    .describe('Seconds since the end of a task; 0 = all that ended'),
  statuses: z
    .array(z.enum(finalStatuses))
    .min(1)
    .max(finalStatuses.length)
    .default([...finalStatuses])
    .describe('Only tasks that ended so'),
  blobs: z
    .boolean()
    .default(false)
    .describe('Also files that were brought here before that time and that no task refers to'),
  dry_run: z.boolean().default(false).describe('Only say what would be deleted'),
});

export const pruneAnswerSchema = z.object({
  dry_run: z.boolean(),
  ended_before: z.string().describe('Tasks that ended before this instant'),
  tasks: z.number().int().describe('Tasks deleted, with their attempts and output'),
  blobs: z.number().int().describe('Stored files deleted'),
  blob_bytes: z.number().int().describe('Bytes of these files'),
  audit_entries: z.number().int().describe('Entries of the record deleted, as they were past --audit-retention'),
  database_bytes_before: z.number().int(),
  database_bytes: z
    .number()
    .int()
    .describe('Size of the database now; as before where it was too large to be made smaller while it runs'),
});

export type PruneRequest = z.output<typeof pruneRequestSchema>;
export type PruneAnswer = z.output<typeof pruneAnswerSchema>;
