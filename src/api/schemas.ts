/**
 * The REST API's shapes, in `snake_case`: what comes in is validated with them, the OpenAPI document is generated from
 * them, and the client's types are inferred from them. Numbers have their ranges here and nowhere else.
 * Objects that come in are strict: an unknown key is an error that names it.
 */

import { z } from 'zod';
import { outputPlaces, priorities, taskStatuses, terminalNamePattern, terminalSideMax } from '../core/task.ts';
import { fileSchema, inputsSchema, outputsSchema, pathsLength } from './file-schemas.ts';
import { limits } from './limits.ts';
import { batchNotifySchema, notifyStatsSchema, taskNotifySchema } from './notify-schemas.ts';
import { named, sandboxLevelSchema } from './worker-schemas.ts';

export { limits };

const noNul = (text: string): boolean => !text.includes('\0');
const text = (max: number) => z.string().min(1).max(max).refine(noNul, 'must not contain a NUL character');

/** Ids of tasks and batches: 12 characters, time-ordered. */
export const idSchema = z.string().regex(/^[0-9a-hjkmnp-tv-z]{12}$/, 'is not an id');

const labelKey = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/, 'is not a label or tag name');
/** A map with at most `limits.listMax` entries; the document says so too. */
const map = <K extends z.core.$ZodRecordKey, V extends z.ZodType>(key: K, value: V) =>
  z
    .record(key, value)
    .refine((entries) => Object.keys(entries).length <= limits.listMax, `must have at most ${limits.listMax} entries`)
    .meta({ maxProperties: limits.listMax });
const labelMap = map(labelKey, z.string().max(255).refine(noNul, 'must not contain a NUL character'));
const envName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,254}$/, 'is not an environment variable name');

const prioritySchema = z.union(
  [
    z.enum(Object.keys(priorities) as [keyof typeof priorities, ...(keyof typeof priorities)[]]),
    z.number().int().min(-100).max(100),
  ],
  { error: 'must be low, normal, high, critical, or a whole number from -100 to 100' },
);

/** A task names its program in exactly one way. */
const oneProgram = { oneOf: [{ required: ['command'] }, { required: ['argv'] }] };

const requiresSchema = z.strictObject({
  cpu_cores: z.number().min(0).max(4096).optional(),
  memory_mb: z.number().int().min(0).max(1_048_576).optional(),
  gpu: z.number().int().min(0).max(64).optional(),
  labels: labelMap.optional(),
  platform: z.enum(['linux', 'darwin', 'win32', 'android']).optional(),
  arch: z.enum(['x64', 'arm64', 'arm']).optional(),
});

/** Characters of everything in a task that may be long. */
function textLength(task: {
  command?: string | undefined;
  argv?: string[] | undefined;
  env?: Record<string, string> | undefined;
  stdin?: unknown;
}): number {
  let length = (task.command?.length ?? 0) + (typeof task.stdin === 'string' ? task.stdin.length : 0);
  for (const argument of task.argv ?? []) length += argument.length;
  for (const name in task.env) length += name.length + (task.env[name]?.length ?? 0);
  return length;
}

const terminalSide = z.number().int().min(1).max(terminalSideMax);

/** How large a terminal is, in characters. */
export const terminalSizeSchema = z.strictObject({ columns: terminalSide, rows: terminalSide });

const terminalSchema = terminalSizeSchema.extend({
  term: z
    .string()
    .regex(terminalNamePattern, 'is not the name of a terminal')
    .optional()
    .describe('TERM; default dumb'),
});

/** What one submits. Exactly one of `command` and `argv`. */
export const taskRequestSchema = z
  .strictObject({
    command: text(limits.commandLengthMax).optional().describe('Run by the shell: /bin/sh -c'),
    argv: z
      .array(z.string().max(limits.commandLengthMax).refine(noNul, 'must not contain a NUL character'))
      .min(1)
      .max(limits.listMax)
      .optional()
      .describe('Program and arguments, without a shell'),
    name: text(200).optional(),
    timeout: z
      .number()
      .gt(0)
      .max(limits.timeoutSecondsMax)
      .optional()
      .describe('Seconds of wall-clock time for one attempt'),
    priority: prioritySchema.optional().describe('low, normal, high, critical, or -100 to 100; larger first'),
    retry_count: z.number().int().min(0).max(100).optional(),
    retry_delay: z.number().min(0).max(300).optional().describe('Base of the exponential backoff, seconds'),
    env: map(envName, z.string().max(131_072).refine(noNul, 'must not contain a NUL character')).optional(),
    workdir: text(4096)
      .refine((path) => path.startsWith('/') || !path.split('/').includes('..'), 'must not lead out with ".."')
      .optional(),
    stdin: z
      .union([z.string().max(limits.stdinLengthMax), z.strictObject({ stream: z.literal(true) })], {
        error: `must be a text of at most ${limits.stdinLengthMax} characters, or {"stream": true}`,
      })
      .optional()
      .describe('Text, or {"stream": true} to feed it through POST /tasks/{id}/stdin'),
    terminal: terminalSchema
      .optional()
      .describe('Run it in a terminal of its own, on Linux: needs "stdin": {"stream": true}, leaves stderr empty'),
    attached: z
      .boolean()
      .optional()
      .describe('It lives with its follower: cancelled when nobody holds on to it by POST /tasks/{id}/attend'),
    max_output: z.number().int().min(0).max(limits.outputBytesMax).optional().describe('Bytes kept of each stream'),
    requires: requiresSchema.optional(),
    cpu_time_limit: z
      .number()
      .min(1)
      .max(limits.cpuSecondsMax)
      .optional()
      .describe('Seconds of processor time of the whole process tree'),
    memory_limit_mb: z
      .number()
      .int()
      .min(1)
      .max(limits.memoryMbMax)
      .optional()
      .describe('Memory of the whole process tree, MiB'),
    disk_limit_mb: z.number().int().min(1).max(limits.diskMbMax).optional().describe('Disk it may fill, MiB'),
    max_open_files: z
      .number()
      .int()
      .min(limits.openFilesMin)
      .max(limits.openFilesMax)
      .optional()
      .describe('Descriptors of each process'),
    max_processes: z
      .number()
      .int()
      .min(1)
      .max(limits.processesMax)
      .optional()
      .describe('Processes and threads of the whole tree at once'),
    sandbox_level: sandboxLevelSchema.optional().describe('The least isolation; a worker may give more, never less'),
    network: z.boolean().optional().describe('The network is needed: strict gives none otherwise, very-strict never'),
    inputs: inputsSchema.optional().describe('Files put into the task directory before the command starts'),
    outputs: outputsSchema.optional().describe('Paths or globs below the task directory, collected after the command'),
    outputs_at: z
      .enum(outputPlaces)
      .optional()
      .describe(
        'Where they are kept: brought to the dispatcher, or with the worker until they are wanted or it leaves',
      ),
    depends_on: z.array(idSchema).max(limits.listMax).optional(),
    on_dependency_failure: z.enum(['cancel', 'run']).optional(),
    tags: labelMap.optional(),
    notify: taskNotifySchema.optional(),
  })
  .refine((task) => (task.command === undefined) !== (task.argv === undefined), {
    message: 'exactly one of "command" and "argv" is needed',
    path: ['command'],
  })
  .refine((task) => task.terminal === undefined || typeof task.stdin === 'object', {
    message: 'a terminal is fed: it needs "stdin": {"stream": true}',
    path: ['terminal'],
  })
  .refine((task) => task.terminal === undefined || (task.requires?.platform ?? 'linux') === 'linux', {
    message: 'terminals are to be had on linux only; leave the platform out, or the terminal',
    path: ['requires', 'platform'],
  })
  .refine((task) => textLength(task) <= limits.taskLengthMax, {
    message: `command, arguments, environment and stdin must not exceed ${limits.taskLengthMax} characters together`,
    path: ['command'],
  })
  .refine((task) => pathsLength(task) <= limits.filesLengthMax, {
    message: `paths of inputs and patterns of outputs must not exceed ${limits.filesLengthMax} characters together`,
    path: ['inputs'],
  })
  .refine((task) => task.network !== true || task.sandbox_level !== 'very-strict', {
    message: 'very-strict never gives the network; ask for strict, or leave "network" out',
    path: ['network'],
  })
  .meta(oneProgram);

/** A task and the bytes of its inputs in one multipart request. */
export const taskFormSchema = z
  .object({ task: taskRequestSchema })
  .catchall(z.string().meta({ format: 'binary' }).describe('The bytes of the input of that name'));

/** A task of a batch may wait for others of the same batch by their names. */
export const batchRequestSchema = z
  .strictObject({
    batch: idSchema.optional().describe('A batch of yours that these tasks join, without name and notify of their own'),
    name: text(200).optional(),
    notify: batchNotifySchema.optional(),
    tasks: z
      .array(
        taskRequestSchema
          .safeExtend({
            depends_on: z
              .array(z.string().max(200))
              .max(limits.listMax)
              .optional()
              .describe('Ids, or names in this batch'),
            inputs: inputsSchema
              .superRefine((inputs, context) => {
                const index = inputs.findIndex((input) => typeof input === 'string');
                if (index < 0) return;
                const message =
                  'a batch has no parts: upload the bytes with PUT /blobs/{hash} and give {"path", "blob"}';
                context.addIssue({ code: 'custom', path: [index], message });
              })
              .optional(),
          })
          .meta(oneProgram),
      )
      .min(1)
      .max(limits.batchTasksMax),
  })
  .refine((asked) => asked.batch === undefined || (asked.name ?? asked.notify) === undefined, {
    path: ['batch'],
    message: 'a batch that is there keeps its name and whom it tells: give neither name nor notify',
  });

export const statusSchema = z.enum(taskStatuses);

export const outcomeSchema = z.object({
  kind: z.enum(['exited', 'signaled', 'timed_out', 'limit_exceeded', 'cancelled', 'spawn_failed', 'lost']),
  detail: z.string(),
  exit_code: z.number().int().nullable(),
  signal: z.string().nullable(),
  limit: z
    .object({ name: z.string(), value: z.number(), reached: z.number() })
    .nullable()
    .describe('The limit that was exceeded; both numbers are in the unit of its name'),
});

export const attemptSchema = z.object({
  attempt: z.number().int(),
  worker_id: z.string(),
  outcome: outcomeSchema,
  started_at: z.string().nullable(),
  ended_at: z.string(),
  duration_ms: z.number().nullable(),
  cpu_ms: z.number().nullable(),
  memory_peak_bytes: z.number().nullable(),
  written_bytes: z.number().nullable(),
  sandbox_level: sandboxLevelSchema.nullable().describe('The level it ran at'),
});

/** A task in answers. */
export const taskSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  command: z.string().nullable(),
  argv: z.array(z.string()).nullable(),
  status: statusSchema,
  priority: z.number().int(),
  worker_id: z.string().nullable(),
  attempt: z
    .number()
    .int()
    .describe(
      'Number of the current or last attempt, 0 = none. Only grows; one that was given back unstarted leaves a gap',
    ),
  timeout: z.number(),
  retry_count: z.number().int(),
  retry_delay: z.number(),
  env: z.record(z.string(), z.string()),
  workdir: z.string().nullable(),
  max_output: z.number().int(),
  requires: z.object({
    cpu_cores: z.number(),
    memory_mb: z.number(),
    gpu: z.number(),
    labels: z.record(z.string(), z.string()),
    platform: z.string().nullable(),
    arch: z.string().nullable(),
  }),
  depends_on: z.array(z.string()),
  on_dependency_failure: z.enum(['cancel', 'run']),
  tags: z.record(z.string(), z.string()),
  batch_id: z.string().nullable(),
  retry_of: z.string().nullable(),
  owner: z.string().nullable().describe("Subject of the token it was submitted with; null = the cluster's owner"),
  cpu_time_limit: z.number().nullable(),
  memory_limit_mb: z.number().nullable(),
  disk_limit_mb: z.number().nullable(),
  max_open_files: z.number().int().nullable(),
  max_processes: z.number().int().nullable(),
  sandbox_level: sandboxLevelSchema.nullable().describe('What was asked for'),
  network: z.boolean(),
  inputs: z.array(fileSchema),
  outputs: z.array(z.string()).describe('What was asked for; what was collected is at /tasks/{id}/outputs'),
  outputs_at: z.enum(outputPlaces),
  exit_code: z.number().int().nullable(),
  signal: z.string().nullable(),
  reason: z.string().nullable(),
  duration_ms: z.number().nullable(),
  cpu_ms: z.number().nullable(),
  memory_peak_bytes: z.number().nullable(),
  written_bytes: z.number().nullable(),
  sandbox_level_used: sandboxLevelSchema.nullable().describe('The level the last attempt ran at'),
  stdout_bytes: z.number().int(),
  stderr_bytes: z.number().int(),
  discarded_bytes: z.number().int(),
  stdout_tail: z.string(),
  stderr_tail: z.string(),
  created_at: z.string(),
  started_at: z.string().nullable(),
  completed_at: z.string().nullable(),
});

export const taskWithAttemptsSchema = taskSchema.extend({ attempts: z.array(attemptSchema), ...named });
export const taskListSchema = z.object({ tasks: z.array(taskSchema), next_cursor: z.string().nullable(), ...named });
export const batchAnswerSchema = z.object({ id: z.string(), task_ids: z.array(z.string()) });

const statusCounts = z.record(statusSchema, z.number().int());

export const batchSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  owner: z.string().nullable(),
  created_at: z.string(),
  size: z.number().int(),
  counts: statusCounts,
});

export const batchListSchema = z.object({ batches: z.array(batchSchema), next_cursor: z.string().nullable() });

/** Why a task waits, worker by worker, or what ended it and what to do about it. */
export const explanationSchema = z.object({
  id: z.string(),
  status: statusSchema,
  summary: z.string(),
  workers: z.array(z.object({ id: z.string(), name: z.string(), fits: z.boolean(), reasons: z.array(z.string()) })),
  advice: z.array(z.string()),
});

export const statsSchema = z.object({
  version: z.string(),
  paused: z.boolean(),
  uptime_seconds: z.number(),
  tasks: statusCounts,
  workers: z.object({
    online: z.number().int(),
    draining: z.number().int(),
    silent: z.number().int(),
    offline: z.number().int(),
  }),
  slots: z.object({ total: z.number().int(), used: z.number().int() }),
  queue: z.object({ size: z.number().int(), max: z.number().int() }),
  stale_reports: z.number().int(),
  notifications: notifyStatsSchema.optional(),
  links_ended: z.record(z.string(), z.number().int()),
  discovery: z
    .record(z.string(), z.number().int())
    .describe(
      'Packets of mDNS by what became of them (received, malformed, ignored, limited, dropped); {} where it is off',
    ),
});

export const eventSchema = z.object({
  kind: z.enum(['task', 'worker', 'dispatcher']),
  id: z.string(),
  status: z.string(),
  at: z.string(),
  worker_id: z.string().nullable(),
  detail: z.string().nullable(),
});

export const pausedSchema = z.object({ paused: z.boolean() });
export const healthSchema = z.object({ status: z.literal('ok'), version: z.string() });
export const readySchema = z.object({ status: z.literal('ready') });

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

export type TaskRequest = z.infer<typeof taskRequestSchema>;
export type BatchRequest = z.infer<typeof batchRequestSchema>;
export type TaskView = z.infer<typeof taskSchema>;
export type TaskWithAttempts = z.infer<typeof taskWithAttemptsSchema>;
export type AttemptView = z.infer<typeof attemptSchema>;
export type TaskList = z.infer<typeof taskListSchema>;
export type BatchAnswer = z.infer<typeof batchAnswerSchema>;
export type BatchView = z.infer<typeof batchSchema>;
export type BatchList = z.infer<typeof batchListSchema>;
export type { SandboxView, WorkerList, WorkerView } from './worker-schemas.ts';
export type Explanation = z.infer<typeof explanationSchema>;
export type Stats = z.infer<typeof statsSchema>;
export type FeedEvent = z.infer<typeof eventSchema>;
export type Problem = z.infer<typeof problemSchema>;
