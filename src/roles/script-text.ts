/**
 * The install scripts as text. Called while the program is bundled (a macro): the text stands in the file, in one for Node
 * as in one for Bun. An import of the text would not do: beside a bundled page it becomes an address below that page.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The text of a script of `scripts/`, by its name. */
export function scriptText(name: 'install.sh' | 'install.ps1'): string {
  return readFileSync(join(import.meta.dir, '../../scripts', name), 'utf8');
}
