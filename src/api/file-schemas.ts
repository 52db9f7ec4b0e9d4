/**
 * Shapes of files in the REST API: inputs and outputs of tasks, and blobs on their way. The rules of paths are those of
 * `core/files`; here they get the place in the request that breaks them. Ranges as in `schemas`, of which this is a part.
 */

import { z } from 'zod';
import { blobPattern, filesMax, filesProblem, pathLengthMax, pathProblem, patternsMax } from '../core/files.ts';
import { limits } from './limits.ts';

/** Characters of a path that a message repeats. */
const echoLengthMax = 200;

const blobSchema = z.string().regex(blobPattern, 'is not "sha256:" and 64 hex digits in lower case');

/** The name of a part of a multipart request that holds the bytes of an input. */
const partName = z
  .string()
  .min(1)
  .max(200)
  .describe(
    'The name of a part of a multipart request, which is the path too; its file name is, where that cannot be one',
  );

const inputSchema = z.strictObject({
  path: z.string().max(pathLengthMax).describe('Below the task directory'),
  blob: blobSchema.describe('Uploaded before, with PUT /blobs/{hash}'),
  bytes: z
    .number()
    .int()
    .min(0)
    .max(limits.blobBytesMax)
    .optional()
    .describe('When given, the blob must be that large'),
  executable: z.boolean().optional(),
});

export const inputsSchema = z
  .array(
    z.union([inputSchema, partName], {
      error: 'must be {"path": …, "blob": "sha256:…"}, or the name of a part of a multipart request',
    }),
  )
  .max(filesMax)
  .superRefine((inputs, context) => {
    const placed = inputs.flatMap((input, index) => (typeof input === 'string' ? [] : [{ path: input.path, index }]));
    const found = filesProblem(placed.map(({ path }) => path));
    if (found === null) return;
    const { path, index } = placed[found.index] ?? { path: '', index: 0 };
    context.addIssue({
      code: 'custom',
      path: [index, 'path'],
      message: `"${path.slice(0, echoLengthMax)}" ${found.problem}`,
    });
  });

export const outputsSchema = z
  .array(
    z
      .string()
      .max(pathLengthMax)
      .superRefine((pattern, context) => {
        const problem = pathProblem(pattern);
        if (problem !== null)
          context.addIssue({ code: 'custom', message: `"${pattern.slice(0, echoLengthMax)}" ${problem}` });
      }),
  )
  .max(patternsMax);

/** Characters of all paths and patterns of a task. */
export function pathsLength(task: {
  readonly inputs?: z.infer<typeof inputsSchema> | undefined;
  readonly outputs?: readonly string[] | undefined;
}): number {
  let length = 0;
  for (const input of task.inputs ?? []) length += typeof input === 'string' ? input.length : input.path.length;
  for (const pattern of task.outputs ?? []) length += pattern.length;
  return length;
}

/** A file of a task. */
export const fileSchema = z.object({
  path: z.string(),
  blob: z.string(),
  bytes: z.number().int(),
  executable: z.boolean(),
});

/** A file that was collected. */
const outputFileSchema = fileSchema.extend({
  at: z
    .string()
    .nullable()
    .describe('Name of the worker that keeps it until it is asked for; null = the dispatcher has it'),
});

/** Where an upload stands. */
export const uploadSchema = z.object({
  blob: z.string(),
  bytes: z.number().int().describe('Of the whole'),
  received: z.number().int().describe('So far'),
  stored: z.boolean().describe('All is here, has the right hash and survives a loss of power'),
});
export const missingRequestSchema = z.strictObject({ blobs: z.array(blobSchema).max(limits.missingBlobsMax) });
export const missingSchema = z.object({
  missing: z.array(z.object({ blob: z.string(), received: z.number().int().describe('Bytes that came in before') })),
});
export const outputFilesSchema = z.object({
  outputs: z.array(outputFileSchema),
  problems: z.array(z.string()).describe('Why something that was to be collected was not'),
  next_cursor: z.null(),
});

export type InputRequest = z.infer<typeof inputSchema>;
export type UploadState = z.infer<typeof uploadSchema>;
export type OutputFiles = z.infer<typeof outputFilesSchema>;
