/**
 * Writes the pages of `docs/` that follow from the tables: COMMANDS.md from the commands and their options, JSON.md from the
 * schemas of the API. `test/unit/pages.test.ts` fails while they are not as they would be written.
 */

import { join } from 'node:path';
import { commandsPage } from './pages/commands.ts';
import { jsonPage } from './pages/json.ts';
import { root } from './steps.ts';

/** The generated pages by their files. */
export function generatedPages(): Readonly<Record<string, string>> {
  return { 'docs/COMMANDS.md': formatted(commandsPage()), 'docs/JSON.md': formatted(jsonPage()) };
}

/** As the formatter of the project has it. */
function formatted(markdown: string): string {
  const biome = join(root, 'node_modules/.bin/biome');
  const result = Bun.spawnSync([biome, 'format', '--stdin-file-path=docs/PAGE.md'], {
    ...{ cwd: root, stdin: Buffer.from(markdown), stdout: 'pipe', stderr: 'pipe' },
    env: { PATH: process.env.PATH ?? '' },
  });
  if (result.exitCode !== 0) throw new Error(`biome did not format the page: ${result.stderr.toString()}`);
  return result.stdout.toString();
}

if (import.meta.main) {
  for (const [file, text] of Object.entries(generatedPages())) await Bun.write(join(root, file), text);
}
