/**
 * Whether the words of the command line are the bytes that were typed. The runtime has made text of them, and writes U+FFFD for
 * what is no UTF-8; a task's command travels as text, so a name would arrive as another one. Names of files in old encodings
 * are where this happens.
 *
 * The bytes themselves are in proc(5), `cmdline`. Where there is none, a word with U+FFFD counts as changed.
 */

import { readFileSync } from 'node:fs';
import { OctasklyError } from '../base/errors.ts';

const replacement = '\ufffd';
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The words as this process got them; null where the system does not say. */
function ownBytes(): readonly Uint8Array[] | null {
  try {
    const bytes = readFileSync('/proc/self/cmdline');
    const words: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(0, at);
      words.push(bytes.subarray(at, end < 0 ? bytes.length : end));
      at = end < 0 ? bytes.length : end + 1;
    }
    return words;
  } catch {
    return null;
  }
}

function isText(word: Uint8Array | undefined): boolean {
  try {
    return word !== undefined && strict.decode(word).includes(replacement);
  } catch {
    return false;
  }
}

/** Throws `usage` naming the first of `words`, the last ones of this process, that is no UTF-8. */
export function checkArgumentText(words: readonly string[]): void {
  if (!words.some((word) => word.includes(replacement))) return;
  const own = ownBytes()?.slice(-words.length);
  const at = words.findIndex((word, index) => word.includes(replacement) && !isText(own?.[index]));
  if (at < 0) return;
  throw new OctasklyError(
    'usage',
    `Word ${at + 1} of the command line, "${words[at]}", is not UTF-8, and would arrive as something else. ` +
      'Rename the file (convmv does many), or write its odd bytes in the command itself: "$(printf \'caf\\351\')".',
  );
}
