/**
 * A task together with the bytes of its inputs in one request (RFC 7578): the part `task` is its JSON, each further part
 * a file that the task's `inputs` name. Meant for a few small files; larger ones are uploaded as blobs before.
 *
 * Names of parts come as browsers write them, with three characters escaped (WHATWG HTML, 4.10.21.8).
 * Nothing is stored here: what comes out is the task with every input as `{path, blob}`, and the bytes by their hash.
 */

import { OctasklyError } from '../base/errors.ts';
import { filesProblem, pathProblem } from '../core/files.ts';
import { type BodyRule, decodeJson, jsonContent, readBody } from './body.ts';
import type { InputRequest } from './file-schemas.ts';
import { limits } from './limits.ts';
import { fieldsError } from './problem.ts';
import { type TaskRequest, taskFormSchema, taskRequestSchema } from './schemas.ts';

interface Part {
  /** '' when the part has none. */
  readonly fileName: string;
  readonly bytes: Uint8Array;
}

/** A request that submits a task, as it came. */
export interface TaskForm {
  readonly task: TaskRequest;
  /** Files by the names of their parts. */
  readonly parts: ReadonlyMap<string, Part>;
}

const noParts: ReadonlyMap<string, Part> = new Map();
const taskPart = 'task';

const json = jsonContent({
  schema: taskRequestSchema,
  example: {
    command: 'ffmpeg -i in.mkv out.mp4',
    timeout: 600,
    priority: 'high',
    retry_count: 2,
    requires: { cpu_cores: 2, memory_mb: 512 },
    memory_limit_mb: 1024,
    sandbox_level: 'strict',
    outputs: ['out.mp4'],
    tags: { project: 'films' },
  },
});

/** The body of `POST /tasks`: JSON alone, or with files. */
export const taskBody: BodyRule<TaskForm> = {
  maxBytes: limits.bodyBytesMax,
  description: 'The command and what it needs',
  contents: [
    { ...json, take: async (request, maxBytes) => ({ task: await json.take(request, maxBytes), parts: noParts }) },
    {
      mediaType: 'multipart/form-data',
      schema: taskFormSchema,
      example: { task: { command: 'sort list.txt', inputs: ['list'] }, list: 'b\na\n' },
      take: async (request, maxBytes) => formOf(await readBody(request, maxBytes), request.headers),
    },
  ],
};

async function formOf(body: Uint8Array<ArrayBuffer>, headers: Headers): Promise<TaskForm> {
  const contentType = headers.get('content-type') ?? '';
  let form: FormData;
  try {
    form = await new Response(body, { headers: { 'content-type': contentType } }).formData();
  } catch (cause) {
    throw new OctasklyError('bad_request', 'Cannot read the body as multipart/form-data.', { cause });
  }
  const parts = new Map<string, Part>();
  let task: Uint8Array | null = null;
  for (const [name, value] of form) {
    if (parts.has(name) || (name === taskPart && task !== null)) throw badPart(name, 'is there twice');
    if (name === taskPart) {
      task = typeof value === 'string' ? new TextEncoder().encode(value) : new Uint8Array(await value.arrayBuffer());
    } else if (typeof value === 'string') {
      // Without a file name it was read as text, and might no longer be what was sent.
      throw badPart(name, 'has no file name; send it as a file');
    } else {
      // Bun 1.4.5 gives no name at all for an empty one, whatever its types say.
      parts.set(name, { fileName: plainName(value.name ?? ''), bytes: new Uint8Array(await value.arrayBuffer()) });
    }
  }
  if (task === null) throw badPart(taskPart, 'is missing; it holds the task as JSON');
  return { task: decodeJson(taskRequestSchema, task), parts };
}

/** A name as a browser writes it into the head of its part. */
function escapedName(name: string): string {
  return name.replaceAll('\n', '%0A').replaceAll('\r', '%0D').replaceAll('"', '%22');
}

/** The name a browser wrote so. */
function plainName(escaped: string): string {
  return escaped.replaceAll('%0A', '\n').replaceAll('%0D', '\r').replaceAll('%22', '"');
}

function badPart(name: string, message: string): OctasklyError {
  return fieldsError('invalid', 'The parts of the request do not fit', [{ path: name, message }]);
}

/**
 * The task with blobs in the place of parts, and the bytes of those. A file lies at the name of its part when that can
 * be a path below a directory, else at its own name. Error: `invalid`, for a part that is missing, unused, or in the way.
 */
export function stagedTask(
  { task, parts }: TaskForm,
  sha256Hex: (bytes: Uint8Array) => string,
): { readonly task: TaskRequest; readonly blobs: ReadonlyMap<string, Uint8Array> } {
  const blobs = new Map<string, Uint8Array>();
  const unused = new Set(parts.keys());
  const inputs = task.inputs?.map((input, index): InputRequest => {
    if (typeof input !== 'string') return input;
    // Escaping one way alone is certain: what was `%22` in the name of a file is sent as it is.
    const name = [input, escapedName(input)].find((each) => parts.has(each)) ?? input;
    const part = parts.get(name);
    if (part === undefined) throw badPart(`inputs.${index}`, `the request has no part "${input}"`);
    unused.delete(name);
    const blob = `sha256:${sha256Hex(part.bytes)}`;
    blobs.set(blob, part.bytes);
    const useFileName = pathProblem(input) !== null && pathProblem(part.fileName) === null;
    return { path: useFileName ? part.fileName : input, blob };
  });
  const [name] = unused;
  if (name !== undefined) throw badPart(name, 'is not named in the inputs of the task');
  const found = filesProblem((inputs ?? []).map(({ path }) => path));
  if (found !== null) throw badPart(`inputs.${found.index}`, `"${inputs?.[found.index]?.path}" ${found.problem}`);
  return { task: { ...task, inputs }, blobs };
}
