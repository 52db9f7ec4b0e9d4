/**
 * Files of tasks: JSON, YAML (`{"name"?, "tasks": [...]}` or a list) and JSONL (one task a line). Only the outer form is
 * looked at here; the tasks themselves are checked by the API, which says what is wrong where.
 */

import type { BatchRequest } from '../api/schemas.ts';
import { reasonOf } from '../base/errors.ts';
import { usage } from './parse.ts';

export type ManifestFormat = 'json' | 'jsonl' | 'yaml';

/** By the name's extension; null when that says nothing. */
export function formatOf(file: string): ManifestFormat | null {
  const extension = /\.([^./]+)$/.exec(file)?.[1]?.toLowerCase();
  if (extension === 'jsonl' || extension === 'ndjson') return 'jsonl';
  if (extension === 'yaml' || extension === 'yml') return 'yaml';
  return extension === 'json' ? 'json' : null;
}

function parseLines(text: string, file: string): unknown[] {
  return text.split(/\r?\n/).flatMap((line, i) => {
    if (line.trim() === '') return [];
    try {
      return [JSON.parse(line) as unknown];
    } catch (error) {
      throw usage(`Line ${i + 1} of ${file} is not valid JSON: ${reasonOf(error)}.`);
    }
  });
}

/** Throws `usage` when the text is not of the format or holds no tasks. */
export function parseManifest(
  text: string,
  file: string,
  format: ManifestFormat,
  parseYaml: ((text: string) => unknown) | null,
): BatchRequest {
  let value: unknown;
  if (format === 'jsonl') value = parseLines(text, file);
  else if (format === 'yaml' && parseYaml === null) throw usage('YAML cannot be read here. Give the file as JSON.');
  else {
    try {
      value = format === 'yaml' && parseYaml !== null ? parseYaml(text) : JSON.parse(text);
    } catch (error) {
      throw usage(`${file} is not valid ${format.toUpperCase()}: ${reasonOf(error)}.`);
    }
  }
  const manifest = Array.isArray(value) ? { tasks: value as unknown[] } : value;
  const tasks = typeof manifest === 'object' && manifest !== null && 'tasks' in manifest ? manifest.tasks : null;
  if (!Array.isArray(tasks) || tasks.length === 0) {
    throw usage(`${file} holds no tasks: it must be a list of tasks or {"name": …, "tasks": […]}.`);
  }
  return manifest as BatchRequest;
}
