/** The submission form: texts that people type, as the request the API takes. Pure; what is wrong is for the API to say. */

import type { TaskRequest } from '../../api/schemas.ts';

/** What stands in the fields, by their names. */
export type Fields = Readonly<Record<string, string>>;

export const emptyFields: Fields = { command: '', priority: 'normal' };

function numberOf(text: string | undefined): number | undefined {
  // What is no number goes as it is: the answer says what should stand there.
  return text === undefined || text.trim() === '' ? undefined : Number(text);
}

function linesOf(text: string | undefined): string[] | undefined {
  const lines = (text ?? '').split('\n').flatMap((line) => line.trim() || []);
  return lines.length === 0 ? undefined : lines;
}

/** `k=v` lines as a map. */
function mapOf(text: string | undefined): Record<string, string> | undefined {
  const entries = linesOf(text)?.map((line) => {
    const at = line.indexOf('=');
    return at < 0 ? ([line, ''] as const) : ([line.slice(0, at), line.slice(at + 1)] as const);
  });
  return entries === undefined ? undefined : Object.fromEntries(entries);
}

/** Without the entries that are undefined; undefined when none is left. */
function given<T extends object>(object: T): T | undefined {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as T);
}

/** The request; `files` are the names of the files that go along. */
export function requestOf(fields: Fields, files: readonly string[]): TaskRequest {
  const { command = '', name, priority, sandbox_level } = fields;
  const requires = given({
    cpu_cores: numberOf(fields['requires.cpu_cores']),
    memory_mb: numberOf(fields['requires.memory_mb']),
    gpu: numberOf(fields['requires.gpu']),
    labels: mapOf(fields['requires.labels']),
  });
  return given({
    command,
    name: name?.trim() || undefined,
    priority: priority === '' ? undefined : priority,
    timeout: numberOf(fields.timeout),
    retry_count: numberOf(fields.retry_count),
    memory_limit_mb: numberOf(fields.memory_limit_mb),
    sandbox_level: sandbox_level || undefined,
    network: fields.network === 'yes' ? true : undefined,
    env: mapOf(fields.env),
    tags: mapOf(fields.tags),
    outputs: linesOf(fields.outputs),
    inputs: files.length === 0 ? undefined : [...files],
    requires,
  }) as TaskRequest;
}

/** The field of the form that an error of the API is about: the longest name that its path begins with; '' = none. */
export function fieldOf(path: string, names: readonly string[]): string {
  const fitting = names.filter((name) => path === name || path.startsWith(`${name}.`));
  return fitting.reduce((best, name) => (name.length > best.length ? name : best), '');
}
