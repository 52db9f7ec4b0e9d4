/** Bytes to text and lines, and sizes and numbers of things as people read them. */

/** All of `chunks` as UTF-8. */
export async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** Lines without their ends; a missing newline at the end is no matter. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** `512 B`, `1.5 KB`, `12.0 MB`, `2.0 GB`; 1 KB = 1024 bytes, as the options take sizes. '' for null. */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return '';
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  let size = bytes;
  let unit = '';
  for (const next of ['KB', 'MB', 'GB', 'TB']) {
    if (unit !== '' && size < 1023.95) break;
    size /= 1024;
    unit = next;
  }
  return `${size.toFixed(1)} ${unit}`;
}

/** `1 task`, `2 tasks`, `1,000 entries`; `plural`: where an s behind the noun does not make it. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? noun : plural}`;
}
