/**
 * Shapes of workers in the REST API: what they have, how they keep tasks apart, how they fare. A part of `schemas`.
 */

import { z } from 'zod';
import { enforcements, limitNames, sandboxLevels } from '../core/isolation.ts';

export const sandboxLevelSchema = z.enum(sandboxLevels);

/** A field of answers about tasks: whoever sees a task may know the names of its workers, not only who sees the cluster. */
export const named = {
  worker_names: z
    .record(z.string(), z.string())
    .describe('Names of the workers whose ids are in the answer, as far as they are known'),
};

/** How one level is made on a worker, and how well it keeps each limit there. */
const levelSchema = z.object({
  level: sandboxLevelSchema,
  mechanism: z.string(),
  network: z.boolean().describe('A task that asks for the network can have it'),
  limits: z.record(
    z.enum(limitNames),
    z.object({
      enforcement: z
        .enum(enforcements)
        .describe('hard: never exceeded; per-process: not their sum; watched: ended soon after; none: not kept'),
      mechanism: z.string(),
    }),
  ),
});

const sandboxSchema = z.object({
  least: sandboxLevelSchema,
  levels: z.array(levelSchema),
  missing: z.array(z.object({ level: sandboxLevelSchema, reason: z.string(), remedy: z.string() })),
});

const wakeSchema = z.object({
  unasked: z
    .boolean()
    .describe('Woken when work waits for it; false: somebody stopped it, drained it, or its card is not set'),
  tries: z.number().int().describe('How often it was called since work waits for it'),
  last_try_at: z.string().nullable(),
});

export const workerSchema = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['online', 'draining', 'silent', 'offline']).describe('silent: its link broke, it may come back'),
  address: z.string().nullable(),
  version: z.string(),
  platform: z.string(),
  arch: z.string(),
  slots: z.number().int(),
  running: z.number().int(),
  backlog: z.number().int(),
  cpu_cores: z.number(),
  memory_mb: z.number(),
  gpu: z.number(),
  reserved: z.object({ cpu_cores: z.number(), memory_mb: z.number(), gpu: z.number() }),
  labels: z.record(z.string(), z.string()),
  load1: z.number().nullable(),
  memory_free_mb: z.number().nullable(),
  battery_percent: z.number().nullable(),
  charging: z.boolean().nullable(),
  temperature_c: z.number().nullable(),
  resting: z.string().nullable().describe('Why it takes no new work for the time being (--when)'),
  wake: wakeSchema.nullable().describe('How its machine is woken when it sleeps (Wake-on-LAN); null: it cannot be'),
  sandbox: sandboxSchema,
  kept_outputs: z.number().int().describe('Files of ended tasks that are kept there and nowhere else'),
  first_seen_at: z.string(),
  last_seen_at: z.string(),
});
export const workerListSchema = z.object({ workers: z.array(workerSchema), next_cursor: z.null() });

export type WorkerView = z.infer<typeof workerSchema>;
export type WorkerList = z.infer<typeof workerListSchema>;
export type SandboxView = z.infer<typeof sandboxSchema>;
