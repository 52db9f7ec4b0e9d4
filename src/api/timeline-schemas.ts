/** Shapes of the time line in the REST API: what ran where, from when to when. A part of `schemas`. */

import { z } from 'zod';
import { outcomeSchema } from './schemas.ts';
import { named } from './worker-schemas.ts';

/** One attempt on the time line: what ran where, from when to when. */
const spanSchema = z.object({
  task_id: z.string(),
  attempt: z.number().int(),
  name: z.string().describe('Name of the task, else the beginning of its command'),
  worker_id: z.string(),
  outcome: outcomeSchema.shape.kind.nullable().describe('null: it runs'),
  exit_code: z.number().int().nullable(),
  started_at: z.string(),
  ended_at: z.string().nullable(),
});
export const timelineSchema = z.object({
  spans: z.array(spanSchema),
  complete: z.boolean().describe('False: there were more than the limit, and the oldest are left out'),
  ...named,
});

export type Span = z.infer<typeof spanSchema>;
export type Timeline = z.infer<typeof timelineSchema>;
